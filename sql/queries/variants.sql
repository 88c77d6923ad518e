-- LocateDriversSkipLocked is LocateDrivers with SKIP LOCKED.
-- Written by cmd/variants: edit that statement, not this one.
-- name: LocateDriversSkipLocked :many
WITH asked AS (
    SELECT
        unnest(@tenant_ids::uuid[]) AS tenant_id,
        unnest(@ids::uuid[]) AS id,
        unnest(@viewer_roles::text[])::user_role AS viewer_role,
        unnest(@viewer_driver_ids::uuid[]) AS viewer_driver_id,
        unnest(@latitudes::float8[]) AS latitude,
        unnest(@longitudes::float8[]) AS longitude,
        unnest(@located_ats::timestamptz[]) AS located_at
), locked AS MATERIALIZED (
    SELECT d.tenant_id, d.id, a.latitude, a.longitude, a.located_at
    FROM asked AS a
    JOIN drivers AS d ON d.tenant_id = a.tenant_id AND d.id = a.id
    WHERE coalesce(d.located_at, '-infinity') < a.located_at
        AND (a.viewer_role <> 'driver' OR d.id = a.viewer_driver_id)
    ORDER BY d.tenant_id, d.id
    FOR NO KEY UPDATE OF d SKIP LOCKED
)
UPDATE drivers AS d
SET latitude = l.latitude,
    longitude = l.longitude,
    located_at = l.located_at,
    location_version = d.location_version + 1
FROM locked AS l
WHERE d.tenant_id = l.tenant_id AND d.id = l.id
RETURNING d.*;

-- CreateLedgerEntriesSkipLocked is CreateLedgerEntries with SKIP LOCKED.
-- Written by cmd/variants: edit that statement, not this one.
-- name: CreateLedgerEntriesSkipLocked :many
WITH asked AS (
    SELECT u.*, row_number() OVER () AS ord
    FROM (
        SELECT
            unnest(@tenant_ids::uuid[]) AS tenant_id,
            unnest(@ids::uuid[]) AS id,
            unnest(@account_ids::uuid[]) AS account_id,
            unnest(@kinds::text[])::entry_kind AS kind,
            unnest(@amounts_cents::bigint[]) AS amount_cents,
            unnest(@notes::text[]) AS note,
            unnest(@actor_ids::uuid[]) AS actor_id,
            unnest(@request_digests::bytea[]) AS request_digest
    ) AS u
), locked AS MATERIALIZED (
    SELECT c.tenant_id, c.id, c.balance_cents, c.entered_at
    FROM accounts AS c
    WHERE (c.tenant_id, c.id) IN (SELECT a.tenant_id, a.account_id FROM asked AS a)
    ORDER BY c.tenant_id, c.id
    FOR NO KEY UPDATE OF c SKIP LOCKED
), booked AS MATERIALIZED (
    -- After all locks are held.
    SELECT greatest(clock_timestamp(), max(l.entered_at) + interval '1 microsecond')::timestamptz AS at
    FROM locked AS l
), spent AS (
    SELECT
        a.*,
        l.balance_cents AS first_balance,
        CASE a.kind WHEN 'charge' THEN -a.amount_cents ELSE a.amount_cents END AS delta_cents,
        spend_in_order(
            l.balance_cents,
            CASE a.kind WHEN 'charge' THEN -a.amount_cents ELSE a.amount_cents END
        ) OVER (PARTITION BY a.tenant_id, a.account_id ORDER BY a.ord) AS balance_after
    FROM asked AS a
    JOIN locked AS l ON l.tenant_id = a.tenant_id AND l.id = a.account_id
    -- Known replays must not use up the balance; the primary key decides.
    WHERE NOT EXISTS (
        SELECT FROM ledger_entries AS e WHERE e.tenant_id = a.tenant_id AND e.id = a.id)
), fitting AS (
    SELECT
        s.*,
        lag(s.balance_after, 1, s.first_balance)
            OVER (PARTITION BY s.tenant_id, s.account_id ORDER BY s.ord) AS balance_before
    FROM spent AS s
), entered AS (
    INSERT INTO ledger_entries (
        tenant_id, id, account_id, kind, amount_cents, note, actor_id, request_digest, created_at,
        balance_before_cents)
    SELECT
        f.tenant_id, f.id, f.account_id, f.kind, f.amount_cents, nullif(f.note, ''), f.actor_id, f.request_digest,
        (SELECT b.at FROM booked AS b), f.first_balance
    FROM fitting AS f
    WHERE f.balance_after - f.balance_before = f.delta_cents
    ORDER BY f.tenant_id, f.id
    ON CONFLICT (tenant_id, id) DO NOTHING
    RETURNING *
), moved AS (
    UPDATE accounts AS c
    SET balance_cents = l.balance_cents + s.delta_cents,
        balance_version = c.balance_version + 1,
        entered_at = (SELECT b.at FROM booked AS b)
    FROM locked AS l
    JOIN (
        SELECT e.tenant_id, e.account_id, sum(e.delta_cents)::bigint AS delta_cents
        FROM entered AS e
        GROUP BY e.tenant_id, e.account_id
    ) AS s ON s.tenant_id = l.tenant_id AND s.account_id = l.id
    WHERE c.tenant_id = l.tenant_id AND c.id = l.id
)
SELECT sqlc.embed(ledger_entries) FROM entered AS ledger_entries;

-- CreatePickupsSkipLocked is CreatePickups with FOR KEY SHARE OF f SKIP LOCKED.
-- Written by cmd/variants: edit that statement, not this one.
-- name: CreatePickupsSkipLocked :many
WITH asked AS (
    SELECT u.*, row_number() OVER () AS ord
    FROM (
        SELECT
            unnest(@batches::int[]) AS batch,
            unnest(@tenant_ids::uuid[]) AS tenant_id,
            unnest(@ids::uuid[]) AS id,
            unnest(@viewer_ids::uuid[]) AS viewer_id,
            unnest(@viewer_roles::text[])::user_role AS viewer_role,
            unnest(@facility_ids::uuid[]) AS facility_id,
            unnest(@account_ids::uuid[]) AS account_id,
            unnest(@patient_ids::uuid[]) AS patient_id,
            unnest(@prices_cents::bigint[]) AS price_cents,
            unnest(@pickup_addresses::text[]) AS pickup_address,
            unnest(@pickup_latitudes::float8[]) AS pickup_latitude,
            unnest(@pickup_longitudes::float8[]) AS pickup_longitude,
            unnest(@dropoff_addresses::text[]) AS dropoff_address,
            unnest(@window_starts::timestamptz[]) AS window_start,
            unnest(@window_ends::timestamptz[]) AS window_end,
            unnest(@notes::text[]) AS note,
            unnest(@request_digests::bytea[]) AS request_digest
    ) AS u
), known AS (
    SELECT p.tenant_id, p.id, p.request_digest
    FROM asked AS a
    JOIN pickups AS p ON p.tenant_id = a.tenant_id AND p.id = a.id
), acceptable AS MATERIALIZED (
    SELECT a.ord
    FROM asked AS a
    JOIN facilities AS f ON f.tenant_id = a.tenant_id AND f.id = a.facility_id
    JOIN accounts AS c ON c.tenant_id = a.tenant_id AND c.id = a.account_id
    LEFT JOIN known AS k ON k.tenant_id = a.tenant_id AND k.id = a.id
    WHERE (k.id IS NULL OR k.request_digest = a.request_digest)
        AND (a.viewer_role = 'dispatcher' OR EXISTS (
            SELECT FROM facility_viewers AS v
            WHERE v.tenant_id = f.tenant_id AND v.facility_id = f.id AND v.user_id = a.viewer_id))
        AND (a.viewer_role = 'dispatcher' OR c.all_facilities OR EXISTS (
            SELECT FROM account_facilities AS l
            WHERE l.tenant_id = c.tenant_id AND l.account_id = c.id AND l.facility_id = f.id))
        AND (a.patient_id = '00000000-0000-0000-0000-000000000000' OR EXISTS (
            SELECT FROM patient_viewers AS v
            WHERE v.tenant_id = a.tenant_id AND v.patient_id = a.patient_id AND v.user_id = a.viewer_id))
    FOR KEY SHARE OF f SKIP LOCKED
), created AS (
    INSERT INTO pickups (
        tenant_id, id, requested_by, facility_id, account_id, patient_id, price_cents,
        pickup_address, pickup_latitude, pickup_longitude, dropoff_address, window_start, window_end,
        note, request_digest)
    SELECT
        a.tenant_id, a.id, a.viewer_id, a.facility_id, a.account_id,
        nullif(a.patient_id, '00000000-0000-0000-0000-000000000000'), a.price_cents,
        a.pickup_address, nullif(a.pickup_latitude, 'NaN'), nullif(a.pickup_longitude, 'NaN'), a.dropoff_address,
        nullif(a.window_start, '0001-01-01 00:00:00Z'), nullif(a.window_end, '0001-01-01 00:00:00Z'),
        nullif(a.note, ''), a.request_digest
    FROM asked AS a
    WHERE a.batch NOT IN (SELECT b.batch FROM asked AS b WHERE b.ord NOT IN (SELECT c.ord FROM acceptable AS c))
        AND NOT EXISTS (SELECT FROM known AS k WHERE k.tenant_id = a.tenant_id AND k.id = a.id)
    ORDER BY a.tenant_id, a.id
    RETURNING *
), audited AS (
    INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
    SELECT c.tenant_id, c.patient_id, c.requested_by, @operation::text
    FROM created AS c
    WHERE c.patient_id IS NOT NULL
)
SELECT sqlc.embed(pickups) FROM created AS pickups;

-- TransitionPickupsSkipLocked is TransitionPickups with SKIP LOCKED.
-- Written by cmd/variants: edit that statement, not this one.
-- name: TransitionPickupsSkipLocked :many
WITH asked AS (
    SELECT
        unnest(@tenant_ids::uuid[]) AS tenant_id,
        unnest(@ids::uuid[]) AS id,
        unnest(@viewer_ids::uuid[]) AS viewer_id,
        unnest(@viewer_roles::text[])::user_role AS viewer_role,
        unnest(@viewer_driver_ids::uuid[]) AS viewer_driver_id,
        unnest(@transitions::text[])::transition_name AS transition,
        unnest(@versions::bigint[]) AS version,
        unnest(@idempotency_keys::text[]) AS idempotency_key,
        unnest(@request_digests::bytea[]) AS request_digest,
        unnest(@move_ids::uuid[]) AS move_id,
        unnest(@driver_ids::uuid[]) AS named_driver_id,
        unnest(@reasons::text[]) AS reason
), locked AS MATERIALIZED (
    SELECT
        a.tenant_id, a.id, a.viewer_id, a.viewer_role, a.viewer_driver_id, a.transition, a.idempotency_key,
        a.request_digest, a.move_id, a.reason,
        t.after, t.slot, t.has_driver, t.money, t.text, t.auto_dispatch,
        p.account_id,
        CASE WHEN t.money = 'charge' AND a.viewer_role = 'staff' THEN p.facility_id END AS paying_facility_id,
        CASE t.slot WHEN 'take' THEN a.named_driver_id ELSE p.driver_id END AS driver_id,
        CASE t.money WHEN 'charge' THEN -p.price_cents WHEN 'refund' THEN p.charged_cents ELSE 0 END AS delta_cents
    FROM asked AS a
    JOIN pickup_transitions AS t ON t.transition = a.transition AND a.viewer_role = ANY (t.roles)
    JOIN pickups AS p ON p.tenant_id = a.tenant_id AND p.id = a.id
    WHERE p.status = ANY (t.before)
        AND (a.version = 0 OR p.version = a.version)
        AND (role_sees_pickup(a.viewer_role, p.status, p.driver_id, a.viewer_driver_id) OR a.viewer_role = 'staff'
            AND EXISTS (
            SELECT FROM facility_viewers AS v
            WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = a.viewer_id))
        -- A known replay is skipped early; the unique index decides.
        AND NOT EXISTS (
            SELECT FROM pickup_events AS e
            WHERE e.tenant_id = a.tenant_id AND e.pickup_id = a.id AND e.idempotency_key = a.idempotency_key)
    ORDER BY p.tenant_id, p.id
    FOR NO KEY UPDATE OF p SKIP LOCKED

), slots AS MATERIALIZED (
    -- To be freed, found only by the driver of the locked row. A condition on pickup_id would also be
    -- tested on the snapshot, and miss a slot taken by the assign that this statement waited for.
    SELECT l.*, s.driver_id AS slot_driver_id, CASE l.slot WHEN 'take' THEN l.id ELSE s.pickup_id END AS slot_pickup_id
    FROM locked AS l
    JOIN driver_slots AS s ON s.tenant_id = l.tenant_id AND s.driver_id = l.driver_id
    WHERE (l.slot = 'free' OR l.slot = 'take' AND s.pickup_id IS NULL)
    ORDER BY s.tenant_id, s.driver_id
    FOR UPDATE OF s
), ready AS MATERIALIZED (
    SELECT l.*, NULL::uuid AS slot_driver_id, NULL::uuid AS slot_pickup_id
    FROM locked AS l
    WHERE (l.slot = 'keep' OR l.slot = 'free' AND l.driver_id IS NULL)
    UNION ALL
    SELECT s.* FROM slots AS s
), listed AS MATERIALIZED (
    -- Staff charge accounts of the pickup's facility. If it is being taken from the account, that is waited for; if
    -- it is listed, it stays so until the charge is booked.
    SELECT r.move_id
    FROM ready AS r
    JOIN account_facilities AS f
        ON f.tenant_id = r.tenant_id AND f.account_id = r.account_id AND f.facility_id = r.paying_facility_id
    FOR KEY SHARE OF f
), funded AS MATERIALIZED (
    SELECT r.*, c.balance_cents, c.entered_at
    FROM ready AS r
    JOIN accounts AS c ON c.tenant_id = r.tenant_id AND c.id = r.account_id
    LEFT JOIN listed AS l ON l.move_id = r.move_id
    WHERE (r.delta_cents <> 0 OR r.money = 'charge')
        AND (c.all_facilities OR l.move_id IS NOT NULL OR r.paying_facility_id IS NULL)
    ORDER BY c.tenant_id, c.id, r.move_id
    FOR NO KEY UPDATE OF c
), booked AS MATERIALIZED (
    -- As in CreateLedgerEntries.
    SELECT greatest(clock_timestamp(), max(f.entered_at) + interval '1 microsecond')::timestamptz AS at
    FROM funded AS f
), paying AS (
    SELECT
        f.*,
        spend_in_order(f.balance_cents, f.delta_cents) OVER w AS balance_after,
        coalesce(
            spend_in_order(f.balance_cents, f.delta_cents) OVER (w ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
            f.balance_cents) AS balance_before
    FROM funded AS f
    WINDOW w AS (PARTITION BY f.tenant_id, f.account_id ORDER BY f.move_id)
), legal AS MATERIALIZED (
    SELECT
        r.*, 0::bigint AS balance_cents, NULL::timestamptz AS entered_at, 0::bigint AS balance_after,
        0::bigint AS balance_before
    FROM ready AS r
    WHERE r.delta_cents = 0 AND r.money IS DISTINCT FROM 'charge'
    UNION ALL
    SELECT y.*
    FROM paying AS y
    WHERE (y.delta_cents > 0 OR y.balance_after - y.balance_before = y.delta_cents)
), moved AS (
    UPDATE pickups AS p
    SET status = l.after,
        previous_status = p.status,
        driver_id = CASE WHEN l.has_driver THEN l.driver_id END,
        charged_cents = p.charged_cents - l.delta_cents,
        refunded_cents = p.refunded_cents + greatest(l.delta_cents, 0),
        cancel_reason = nullif(l.reason, ''),
        version = p.version + 1,
        updated_at = now()
    FROM legal AS l
    WHERE p.tenant_id = l.tenant_id AND p.id = l.id
    RETURNING p.*
), won AS MATERIALIZED (
    SELECT
        m.tenant_id, m.id, m.version, m.previous_status, m.status, m.requested_by, m.patient_id, m.account_id,
        m.facility_id,
        l.driver_id, l.transition, l.viewer_id, l.idempotency_key, l.request_digest, l.move_id, l.text,
        l.slot, l.slot_driver_id, l.slot_pickup_id, l.money, l.delta_cents, l.balance_cents, l.auto_dispatch,
        coalesce(l.viewer_role = 'staff' OR role_sees_pickup(l.viewer_role, m.status, m.driver_id,
            l.viewer_driver_id), false) AS seen
    FROM moved AS m
    JOIN legal AS l ON l.tenant_id = m.tenant_id AND l.id = m.id
), slot AS (
    UPDATE driver_slots AS s
    SET pickup_id = CASE w.slot WHEN 'take' THEN w.id END
    FROM won AS w
    WHERE s.tenant_id = w.tenant_id AND s.driver_id = w.slot_driver_id AND w.id = w.slot_pickup_id
), entry AS (
    INSERT INTO ledger_entries (
        tenant_id, id, account_id, kind, amount_cents, pickup_id, actor_id, request_digest, created_at,
        balance_before_cents)
    SELECT
        w.tenant_id, w.move_id, w.account_id, w.money, abs(w.delta_cents), w.id, w.viewer_id, w.request_digest,
        (SELECT b.at FROM booked AS b), w.balance_cents
    FROM won AS w
    WHERE w.delta_cents <> 0
), balance AS (
    UPDATE accounts AS c
    SET balance_cents = n.balance_cents + n.delta_cents,
        balance_version = c.balance_version + 1,
        entered_at = (SELECT b.at FROM booked AS b)
    FROM (
        SELECT w.tenant_id, w.account_id, w.balance_cents, sum(w.delta_cents)::bigint AS delta_cents
        FROM won AS w
        WHERE w.delta_cents <> 0
        GROUP BY w.tenant_id, w.account_id, w.balance_cents
    ) AS n
    WHERE c.tenant_id = n.tenant_id AND c.id = n.account_id
), dispatch_job AS (
    INSERT INTO river_job (kind, queue, args)
    SELECT 'dispatch_pickup', 'dispatches', jsonb_build_object('tenant_id', w.tenant_id, 'event_id', w.move_id)
    FROM won AS w
    JOIN flags AS f ON f.tenant_id = w.tenant_id
    WHERE f.name = 'auto_dispatch' AND f.enabled AND w.auto_dispatch
), event AS (
    INSERT INTO pickup_events (
        tenant_id, id, pickup_id, version, transition, actor_id, before, after, driver_id,
        idempotency_key, request_digest, facility_id)
    SELECT
        w.tenant_id, w.move_id, w.id, w.version, w.transition, w.viewer_id, w.previous_status, w.status, w.driver_id,
        nullif(w.idempotency_key, ''), w.request_digest, w.facility_id
    FROM won AS w
), audited AS (
    INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
    SELECT w.tenant_id, w.patient_id, w.viewer_id, w.transition::text || '-pickup'
    FROM won AS w
    WHERE w.patient_id IS NOT NULL AND w.seen
), owed AS (
    SELECT
        w.tenant_id, w.move_id, w.id AS pickup_id, w.text,
        (
            SELECT n.number
            FROM phone_numbers AS n
            WHERE n.tenant_id = w.tenant_id AND n.user_id = w.requested_by
            ORDER BY n.created_at, n.id
            LIMIT 1
        ) AS to_number
    FROM won AS w
    JOIN flags AS f ON f.tenant_id = w.tenant_id
    WHERE f.name = 'pickup_texts' AND f.enabled AND w.text IS NOT NULL
), message AS (
    INSERT INTO messages (tenant_id, id, pickup_id, event_id, to_number, body, status, reason)
    SELECT
        o.tenant_id, o.move_id, o.pickup_id, o.move_id, o.to_number, o.text,
        CASE WHEN o.to_number IS NULL THEN 'FAILED'::message_status ELSE 'QUEUED' END,
        CASE WHEN o.to_number IS NULL THEN 'no_number' END
    FROM owed AS o
), text_job AS (
    INSERT INTO river_job (kind, queue, args)
    SELECT 'send_text', 'texts', jsonb_build_object('tenant_id', o.tenant_id, 'message_id', o.move_id)
    FROM owed AS o
    WHERE o.to_number IS NOT NULL
)
SELECT
    sqlc.embed(pickups),
    s.seen::boolean AS seen,
    (SELECT count(w.text) FROM won AS w)::int AS texts_owed,
    (SELECT count(*) FROM owed)::int AS texts_enqueued
FROM moved AS pickups
JOIN won AS s ON s.tenant_id = pickups.tenant_id AND s.id = pickups.id;

-- TransitionPickupsSkipAnyLocked is TransitionPickups with SKIP LOCKED, and with SKIP LOCKED, and with SKIP LOCKED, and with SKIP LOCKED.
-- Written by cmd/variants: edit that statement, not this one.
-- name: TransitionPickupsSkipAnyLocked :many
WITH asked AS (
    SELECT
        unnest(@tenant_ids::uuid[]) AS tenant_id,
        unnest(@ids::uuid[]) AS id,
        unnest(@viewer_ids::uuid[]) AS viewer_id,
        unnest(@viewer_roles::text[])::user_role AS viewer_role,
        unnest(@viewer_driver_ids::uuid[]) AS viewer_driver_id,
        unnest(@transitions::text[])::transition_name AS transition,
        unnest(@versions::bigint[]) AS version,
        unnest(@idempotency_keys::text[]) AS idempotency_key,
        unnest(@request_digests::bytea[]) AS request_digest,
        unnest(@move_ids::uuid[]) AS move_id,
        unnest(@driver_ids::uuid[]) AS named_driver_id,
        unnest(@reasons::text[]) AS reason
), locked AS MATERIALIZED (
    SELECT
        a.tenant_id, a.id, a.viewer_id, a.viewer_role, a.viewer_driver_id, a.transition, a.idempotency_key,
        a.request_digest, a.move_id, a.reason,
        t.after, t.slot, t.has_driver, t.money, t.text, t.auto_dispatch,
        p.account_id,
        CASE WHEN t.money = 'charge' AND a.viewer_role = 'staff' THEN p.facility_id END AS paying_facility_id,
        CASE t.slot WHEN 'take' THEN a.named_driver_id ELSE p.driver_id END AS driver_id,
        CASE t.money WHEN 'charge' THEN -p.price_cents WHEN 'refund' THEN p.charged_cents ELSE 0 END AS delta_cents
    FROM asked AS a
    JOIN pickup_transitions AS t ON t.transition = a.transition AND a.viewer_role = ANY (t.roles)
    JOIN pickups AS p ON p.tenant_id = a.tenant_id AND p.id = a.id
    WHERE p.status = ANY (t.before)
        AND (a.version = 0 OR p.version = a.version)
        AND (role_sees_pickup(a.viewer_role, p.status, p.driver_id, a.viewer_driver_id) OR a.viewer_role = 'staff'
            AND EXISTS (
            SELECT FROM facility_viewers AS v
            WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = a.viewer_id))
        -- A known replay is skipped early; the unique index decides.
        AND NOT EXISTS (
            SELECT FROM pickup_events AS e
            WHERE e.tenant_id = a.tenant_id AND e.pickup_id = a.id AND e.idempotency_key = a.idempotency_key)
    ORDER BY p.tenant_id, p.id
    FOR NO KEY UPDATE OF p
        SKIP LOCKED
), slots AS MATERIALIZED (
    -- To be freed, found only by the driver of the locked row. A condition on pickup_id would also be
    -- tested on the snapshot, and miss a slot taken by the assign that this statement waited for.
    SELECT l.*, s.driver_id AS slot_driver_id, CASE l.slot WHEN 'take' THEN l.id ELSE s.pickup_id END AS slot_pickup_id
    FROM locked AS l
    JOIN driver_slots AS s ON s.tenant_id = l.tenant_id AND s.driver_id = l.driver_id
    WHERE (l.slot = 'free' OR l.slot = 'take' AND s.pickup_id IS NULL)
    ORDER BY s.tenant_id, s.driver_id
    FOR UPDATE OF s SKIP LOCKED
), ready AS MATERIALIZED (
    SELECT l.*, NULL::uuid AS slot_driver_id, NULL::uuid AS slot_pickup_id
    FROM locked AS l
    WHERE (l.slot = 'keep' OR l.slot = 'free' AND l.driver_id IS NULL)
    UNION ALL
    SELECT s.* FROM slots AS s
), listed AS MATERIALIZED (
    -- Staff charge accounts of the pickup's facility. If it is being taken from the account, that is waited for; if
    -- it is listed, it stays so until the charge is booked.
    SELECT r.move_id
    FROM ready AS r
    JOIN account_facilities AS f
        ON f.tenant_id = r.tenant_id AND f.account_id = r.account_id AND f.facility_id = r.paying_facility_id
    FOR KEY SHARE OF f SKIP LOCKED
), funded AS MATERIALIZED (
    SELECT r.*, c.balance_cents, c.entered_at
    FROM ready AS r
    JOIN accounts AS c ON c.tenant_id = r.tenant_id AND c.id = r.account_id
    LEFT JOIN listed AS l ON l.move_id = r.move_id
    WHERE (r.delta_cents <> 0 OR r.money = 'charge')
        AND (c.all_facilities OR l.move_id IS NOT NULL OR r.paying_facility_id IS NULL)
    ORDER BY c.tenant_id, c.id, r.move_id
    FOR NO KEY UPDATE OF c SKIP LOCKED
), booked AS MATERIALIZED (
    -- As in CreateLedgerEntries.
    SELECT greatest(clock_timestamp(), max(f.entered_at) + interval '1 microsecond')::timestamptz AS at
    FROM funded AS f
), paying AS (
    SELECT
        f.*,
        spend_in_order(f.balance_cents, f.delta_cents) OVER w AS balance_after,
        coalesce(
            spend_in_order(f.balance_cents, f.delta_cents) OVER (w ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
            f.balance_cents) AS balance_before
    FROM funded AS f
    WINDOW w AS (PARTITION BY f.tenant_id, f.account_id ORDER BY f.move_id)
), legal AS MATERIALIZED (
    SELECT
        r.*, 0::bigint AS balance_cents, NULL::timestamptz AS entered_at, 0::bigint AS balance_after,
        0::bigint AS balance_before
    FROM ready AS r
    WHERE r.delta_cents = 0 AND r.money IS DISTINCT FROM 'charge'
    UNION ALL
    SELECT y.*
    FROM paying AS y
    WHERE (y.delta_cents > 0 OR y.balance_after - y.balance_before = y.delta_cents)
), moved AS (
    UPDATE pickups AS p
    SET status = l.after,
        previous_status = p.status,
        driver_id = CASE WHEN l.has_driver THEN l.driver_id END,
        charged_cents = p.charged_cents - l.delta_cents,
        refunded_cents = p.refunded_cents + greatest(l.delta_cents, 0),
        cancel_reason = nullif(l.reason, ''),
        version = p.version + 1,
        updated_at = now()
    FROM legal AS l
    WHERE p.tenant_id = l.tenant_id AND p.id = l.id
    RETURNING p.*
), won AS MATERIALIZED (
    SELECT
        m.tenant_id, m.id, m.version, m.previous_status, m.status, m.requested_by, m.patient_id, m.account_id,
        m.facility_id,
        l.driver_id, l.transition, l.viewer_id, l.idempotency_key, l.request_digest, l.move_id, l.text,
        l.slot, l.slot_driver_id, l.slot_pickup_id, l.money, l.delta_cents, l.balance_cents, l.auto_dispatch,
        coalesce(l.viewer_role = 'staff' OR role_sees_pickup(l.viewer_role, m.status, m.driver_id,
            l.viewer_driver_id), false) AS seen
    FROM moved AS m
    JOIN legal AS l ON l.tenant_id = m.tenant_id AND l.id = m.id
), slot AS (
    UPDATE driver_slots AS s
    SET pickup_id = CASE w.slot WHEN 'take' THEN w.id END
    FROM won AS w
    WHERE s.tenant_id = w.tenant_id AND s.driver_id = w.slot_driver_id AND w.id = w.slot_pickup_id
), entry AS (
    INSERT INTO ledger_entries (
        tenant_id, id, account_id, kind, amount_cents, pickup_id, actor_id, request_digest, created_at,
        balance_before_cents)
    SELECT
        w.tenant_id, w.move_id, w.account_id, w.money, abs(w.delta_cents), w.id, w.viewer_id, w.request_digest,
        (SELECT b.at FROM booked AS b), w.balance_cents
    FROM won AS w
    WHERE w.delta_cents <> 0
), balance AS (
    UPDATE accounts AS c
    SET balance_cents = n.balance_cents + n.delta_cents,
        balance_version = c.balance_version + 1,
        entered_at = (SELECT b.at FROM booked AS b)
    FROM (
        SELECT w.tenant_id, w.account_id, w.balance_cents, sum(w.delta_cents)::bigint AS delta_cents
        FROM won AS w
        WHERE w.delta_cents <> 0
        GROUP BY w.tenant_id, w.account_id, w.balance_cents
    ) AS n
    WHERE c.tenant_id = n.tenant_id AND c.id = n.account_id
), dispatch_job AS (
    INSERT INTO river_job (kind, queue, args)
    SELECT 'dispatch_pickup', 'dispatches', jsonb_build_object('tenant_id', w.tenant_id, 'event_id', w.move_id)
    FROM won AS w
    JOIN flags AS f ON f.tenant_id = w.tenant_id
    WHERE f.name = 'auto_dispatch' AND f.enabled AND w.auto_dispatch
), event AS (
    INSERT INTO pickup_events (
        tenant_id, id, pickup_id, version, transition, actor_id, before, after, driver_id,
        idempotency_key, request_digest, facility_id)
    SELECT
        w.tenant_id, w.move_id, w.id, w.version, w.transition, w.viewer_id, w.previous_status, w.status, w.driver_id,
        nullif(w.idempotency_key, ''), w.request_digest, w.facility_id
    FROM won AS w
), audited AS (
    INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
    SELECT w.tenant_id, w.patient_id, w.viewer_id, w.transition::text || '-pickup'
    FROM won AS w
    WHERE w.patient_id IS NOT NULL AND w.seen
), owed AS (
    SELECT
        w.tenant_id, w.move_id, w.id AS pickup_id, w.text,
        (
            SELECT n.number
            FROM phone_numbers AS n
            WHERE n.tenant_id = w.tenant_id AND n.user_id = w.requested_by
            ORDER BY n.created_at, n.id
            LIMIT 1
        ) AS to_number
    FROM won AS w
    JOIN flags AS f ON f.tenant_id = w.tenant_id
    WHERE f.name = 'pickup_texts' AND f.enabled AND w.text IS NOT NULL
), message AS (
    INSERT INTO messages (tenant_id, id, pickup_id, event_id, to_number, body, status, reason)
    SELECT
        o.tenant_id, o.move_id, o.pickup_id, o.move_id, o.to_number, o.text,
        CASE WHEN o.to_number IS NULL THEN 'FAILED'::message_status ELSE 'QUEUED' END,
        CASE WHEN o.to_number IS NULL THEN 'no_number' END
    FROM owed AS o
), text_job AS (
    INSERT INTO river_job (kind, queue, args)
    SELECT 'send_text', 'texts', jsonb_build_object('tenant_id', o.tenant_id, 'message_id', o.move_id)
    FROM owed AS o
    WHERE o.to_number IS NOT NULL
)
SELECT
    sqlc.embed(pickups),
    s.seen::boolean AS seen,
    (SELECT count(w.text) FROM won AS w)::int AS texts_owed,
    (SELECT count(*) FROM owed)::int AS texts_enqueued
FROM moved AS pickups
JOIN won AS s ON s.tenant_id = pickups.tenant_id AND s.id = pickups.id;

