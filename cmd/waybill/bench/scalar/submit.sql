-- Submits a draft that has a price: the pickup, the balance, the entry, the event, the text with its job
-- and, where the tenant wants it, the job that dispatches. The draft is locked first: it moves only if its
-- account can pay, and both tests hold for the rows as they are after any wait.
\set k :k + 1
\if :k >= :share
\set no_draft_is_left 1 / 0
\endif
\set n :k * :clients + :client_id
WITH draft AS MATERIALIZED (
    SELECT p.tenant_id, p.id, p.account_id, p.price_cents
    FROM pickups AS p
    WHERE p.tenant_id = :tenant
        AND p.id = (:made::text || lpad(to_hex(:n::bigint), 12, '0'))::uuid
        AND p.status = ANY ('{DRAFT}')
        AND EXISTS (
            SELECT FROM facility_viewers AS v
            WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = :staff)
    FOR NO KEY UPDATE OF p
), paid AS (
    UPDATE accounts AS c
    SET balance_cents = c.balance_cents - d.price_cents, balance_version = c.balance_version + 1,
        entered_at = greatest(clock_timestamp(), c.entered_at + interval '1 microsecond')
    FROM draft AS d
    WHERE c.tenant_id = d.tenant_id AND c.id = d.account_id AND c.balance_cents >= d.price_cents
    RETURNING d.tenant_id, d.id, d.account_id, d.price_cents, c.entered_at,
        c.balance_cents + d.price_cents AS balance_before_cents
), moved AS (
    UPDATE pickups AS p
    SET status = 'SUBMITTED', previous_status = p.status, charged_cents = p.price_cents,
        version = p.version + 1, updated_at = now()
    FROM paid AS d
    WHERE p.tenant_id = d.tenant_id AND p.id = d.id
    RETURNING p.*
), entry AS (
    INSERT INTO ledger_entries (
        tenant_id, id, account_id, kind, amount_cents, pickup_id, actor_id, request_digest, created_at,
        balance_before_cents)
    SELECT d.tenant_id, d.id, d.account_id, 'charge', d.price_cents, d.id, :staff, :digest, d.entered_at,
        d.balance_before_cents
    FROM paid AS d
), event AS (
    INSERT INTO pickup_events (
        tenant_id, id, pickup_id, version, transition, actor_id, before, after, request_digest, facility_id)
    SELECT m.tenant_id, m.id, m.id, m.version, 'submit', :staff, m.previous_status, m.status, :digest,
        m.facility_id
    FROM moved AS m
), dispatch_job AS (
    INSERT INTO river_job (kind, queue, args)
    SELECT 'dispatch_pickup', 'dispatches', jsonb_build_object('tenant_id', m.tenant_id, 'event_id', m.id)
    FROM moved AS m
    JOIN flags AS f ON f.tenant_id = m.tenant_id AND f.name = 'auto_dispatch' AND f.enabled
), owed AS (
    SELECT
        m.tenant_id, m.id,
        (
            SELECT n.number
            FROM phone_numbers AS n
            WHERE n.tenant_id = m.tenant_id AND n.user_id = m.requested_by
            ORDER BY n.created_at, n.id
            LIMIT 1
        ) AS to_number
    FROM moved AS m
    JOIN flags AS f ON f.tenant_id = m.tenant_id AND f.name = 'pickup_texts' AND f.enabled
), message AS (
    INSERT INTO messages (tenant_id, id, pickup_id, event_id, to_number, body, status, reason)
    SELECT
        o.tenant_id, o.id, o.id, o.id, o.to_number, 'Your pickup is booked.',
        CASE WHEN o.to_number IS NULL THEN 'FAILED'::message_status ELSE 'QUEUED' END,
        CASE WHEN o.to_number IS NULL THEN 'no_number' END
    FROM owed AS o
), text_job AS (
    INSERT INTO river_job (kind, queue, args)
    SELECT 'send_text', 'texts', jsonb_build_object('tenant_id', o.tenant_id, 'message_id', o.id)
    FROM owed AS o
    WHERE o.to_number IS NOT NULL
)
SELECT * FROM moved;
