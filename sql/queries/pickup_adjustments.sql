-- Changes what a pickup is charged, after it was submitted: its price (reprice), or by a refund of a part of the
-- charge (refund), whose reason is the note of its ledger entry. The pickup and its account are locked in this order,
-- as by TransitionPickups. Nothing is refunded that was not charged, and a price is never below what was refunded.
-- It is an event of the pickup, whose status stays; the idempotency key is the adjustment's own.
-- Closes: two callers refund more than was charged
-- Closes: a cancel misses the price that it waited for
-- Closes: a refund or a price of a pickup that was canceled meanwhile
-- Closes: two callers reprice one pickup by the same difference
-- Closes: a reprice takes more than the balance
-- Closes: a late duplicate refunds a second time
-- name: AdjustPickup :one
WITH asked AS (
    SELECT
        @tenant_id::uuid AS tenant_id,
        @id::uuid AS id,
        @viewer_id::uuid AS viewer_id,
        @viewer_role::user_role AS viewer_role,
        @adjustment::text AS adjustment,
        @price_cents::bigint AS price_cents,
        @amount_cents::bigint AS amount_cents,
        @reason::text AS reason,
        @version::bigint AS version,
        @idempotency_key::text AS idempotency_key,
        @request_digest::bytea AS request_digest,
        @move_id::uuid AS move_id
), locked AS MATERIALIZED (
    SELECT
        a.*, p.account_id,
        CASE a.adjustment WHEN 'reprice' THEN a.price_cents ELSE p.price_cents END AS new_price_cents,
        CASE a.adjustment WHEN 'reprice' THEN p.price_cents - a.price_cents ELSE a.amount_cents END AS delta_cents
    FROM asked AS a
    JOIN pickup_adjustment_rules AS r ON r.adjustment = a.adjustment
    JOIN pickups AS p ON p.tenant_id = a.tenant_id AND p.id = a.id
    WHERE p.status = ANY (r.statuses)
        AND (a.version = 0 OR p.version = a.version)
        AND role_sees_pickup(a.viewer_role, p.status, p.driver_id, NULL)
        AND CASE a.adjustment WHEN 'reprice' THEN a.price_cents >= p.refunded_cents
            ELSE a.amount_cents <= p.charged_cents END
    FOR NO KEY UPDATE OF p
), funded AS MATERIALIZED (
    -- Its constraints say whether it covers a charge, and has room for a refund.
    SELECT l.*, c.balance_cents, c.entered_at
    FROM locked AS l
    JOIN accounts AS c ON c.tenant_id = l.tenant_id AND c.id = l.account_id
    FOR NO KEY UPDATE OF c
), booked AS MATERIALIZED (
    -- As in CreateLedgerEntries.
    SELECT greatest(clock_timestamp(), max(f.entered_at) + interval '1 microsecond')::timestamptz AS at
    FROM funded AS f
), moved AS (
    UPDATE pickups AS p
    SET price_cents = f.new_price_cents,
        charged_cents = p.charged_cents - f.delta_cents,
        refunded_cents = p.refunded_cents + CASE f.adjustment WHEN 'refund' THEN f.delta_cents ELSE 0 END,
        version = p.version + 1,
        updated_at = now()
    FROM funded AS f
    WHERE p.tenant_id = f.tenant_id AND p.id = f.id
    RETURNING p.*
), adjusted AS (
    INSERT INTO pickup_adjustments (
        tenant_id, pickup_id, version, adjustment, delta_cents, price_cents, actor_id, idempotency_key, request_digest)
    SELECT
        m.tenant_id, m.id, m.version, f.adjustment, f.delta_cents, m.price_cents, f.viewer_id,
        nullif(f.idempotency_key, ''), f.request_digest
    FROM moved AS m
    CROSS JOIN funded AS f
), event AS (
    INSERT INTO pickup_events (
        tenant_id, id, pickup_id, version, transition, actor_id, before, after, driver_id, request_digest, facility_id)
    SELECT
        m.tenant_id, f.move_id, m.id, m.version, f.adjustment::transition_name, f.viewer_id, m.status, m.status,
        m.driver_id, f.request_digest, m.facility_id
    FROM moved AS m
    CROSS JOIN funded AS f
), entry AS (
    INSERT INTO ledger_entries (
        tenant_id, id, account_id, kind, amount_cents, pickup_id, note, actor_id, request_digest, created_at,
        balance_before_cents)
    SELECT
        f.tenant_id, f.move_id, f.account_id, CASE WHEN f.delta_cents < 0 THEN 'charge'::entry_kind ELSE 'refund' END,
        abs(f.delta_cents), f.id, nullif(f.reason, ''), f.viewer_id, f.request_digest, (SELECT b.at FROM booked AS b),
        f.balance_cents
    FROM moved AS m
    CROSS JOIN funded AS f
    WHERE f.delta_cents <> 0
), balance AS (
    UPDATE accounts AS c
    SET balance_cents = f.balance_cents + f.delta_cents,
        balance_version = c.balance_version + 1,
        entered_at = (SELECT b.at FROM booked AS b)
    FROM funded AS f
    WHERE c.tenant_id = f.tenant_id AND c.id = f.account_id AND f.delta_cents <> 0
), audited AS (
    INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
    SELECT m.tenant_id, m.patient_id, f.viewer_id, f.adjustment || '-pickup'
    FROM moved AS m
    CROSS JOIN funded AS f
    WHERE m.patient_id IS NOT NULL
)
SELECT sqlc.embed(pickups) FROM moved AS pickups;

-- Returns why a pickup was not adjusted, by a fresh read, after which it may change again. No row: the viewer
-- does not see it.
-- name: ExplainAdjustPickup :one
SELECT
    p.version, p.status,
    (p.status = ANY (r.statuses))::boolean AS legal_now,
    (CASE r.adjustment WHEN 'reprice' THEN @price_cents::bigint >= p.refunded_cents
        ELSE @amount_cents::bigint <= p.charged_cents END)::boolean AS fits_now,
    p.charged_cents, p.refunded_cents,
    (p.price_cents + c.balance_cents)::bigint AS affordable_price_cents,
    ARRAY(
        SELECT n.transition::text
        FROM pickup_transitions AS n
        WHERE p.status = ANY (n.before) AND @viewer_role::user_role = ANY (n.roles)
        ORDER BY n.transition
    )::text[] AS allowed,
    (e.pickup_id IS NOT NULL)::boolean AS key_used,
    coalesce(e.adjustment = r.adjustment AND e.request_digest = @request_digest::bytea, false)::boolean AS same_request
FROM pickups AS p
JOIN accounts AS c ON c.tenant_id = p.tenant_id AND c.id = p.account_id
JOIN pickup_adjustment_rules AS r ON r.adjustment = @adjustment::text
LEFT JOIN pickup_adjustments AS e
    ON e.tenant_id = p.tenant_id AND e.pickup_id = p.id AND e.idempotency_key = @idempotency_key::text
WHERE p.tenant_id = @tenant_id
    AND p.id = @id
    AND role_sees_pickup(@viewer_role, p.status, p.driver_id, NULL);

-- name: ListAdjustmentRules :many
SELECT adjustment, statuses::text[] AS statuses
FROM pickup_adjustment_rules
ORDER BY adjustment
LIMIT 100;
