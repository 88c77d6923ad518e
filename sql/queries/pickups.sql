-- Creates all or none of a batch of drafts: if one has a facility or a patient that its requester does
-- not see, an account that is unknown or, for staff, not one of its facility, or an id of another request, none is
-- inserted, and a fresh read shows which. Pickups of an earlier try of the same request are left as they
-- are. Absent values are the zero of their type: '', NaN, the year 1, the nil UUID. Shown patients are audited.
-- Closes: a retried request makes a second pickup
-- Closes: a batch is partly created
-- Closes: two batches deadlock on the same ids
-- name: CreatePickups :many
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
    /* CreatePickupsSkipLocked: FOR KEY SHARE OF f SKIP LOCKED */
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

-- Returns the outcome of each requested pickup, in order: the row if there is one, and whether the
-- references of a new one exist. It is a fresh read after a create that returned too few rows.
-- name: ExplainCreatePickups :many
SELECT
    (a.ord - 1)::int AS item,
    (p.id IS NOT NULL)::boolean AS known,
    coalesce(p.request_digest = a.request_digest, false)::boolean AS same_request,
    (f.id IS NOT NULL)::boolean AS facility_found,
    (c.id IS NOT NULL AND (@viewer_role::user_role = 'dispatcher' OR c.all_facilities OR EXISTS (
        SELECT FROM account_viewers AS v
        WHERE v.tenant_id = c.tenant_id AND v.account_id = c.id AND v.user_id = @viewer_id
    )))::boolean AS account_found,
    (@viewer_role::user_role = 'dispatcher' OR coalesce(c.all_facilities, false) OR EXISTS (
        SELECT FROM account_facilities AS l
        WHERE l.tenant_id = c.tenant_id AND l.account_id = c.id AND l.facility_id = f.id
    ))::boolean AS account_fits,
    (a.patient_id = '00000000-0000-0000-0000-000000000000' OR EXISTS (
        SELECT FROM patient_viewers AS v
        WHERE v.tenant_id = @tenant_id AND v.patient_id = a.patient_id AND v.user_id = @viewer_id
    ))::boolean AS patient_found
FROM (
    SELECT u.*, row_number() OVER () AS ord
    FROM (
        SELECT
            unnest(@ids::uuid[]) AS id,
            unnest(@facility_ids::uuid[]) AS facility_id,
            unnest(@account_ids::uuid[]) AS account_id,
            unnest(@patient_ids::uuid[]) AS patient_id,
            unnest(@request_digests::bytea[]) AS request_digest
    ) AS u
) AS a
LEFT JOIN pickups AS p ON p.tenant_id = @tenant_id AND p.id = a.id
LEFT JOIN facilities AS f ON f.tenant_id = @tenant_id AND f.id = a.facility_id
    AND (@viewer_role::user_role = 'dispatcher' OR EXISTS (
        SELECT FROM facility_viewers AS v
        WHERE v.tenant_id = f.tenant_id AND v.facility_id = f.id AND v.user_id = @viewer_id))
LEFT JOIN accounts AS c ON c.tenant_id = @tenant_id AND c.id = a.account_id
ORDER BY a.ord;

-- Returns pickups by key, each for its own viewer: one that the viewer may not see is not found. If an
-- operation shows the pickup and it has a patient, that is audited. Asked counts from 1. The columns
-- are those of pickups: reading the rows again for sqlc.embed would take half as long again. The arrays get
-- their names by position: unnested side by side in the select list, a batch of 256 takes 11 to 20 % longer.
-- name: GetPickups :many
WITH seen AS MATERIALIZED (
    SELECT p.*, a.asked, a.viewer_id, a.operation
    FROM (
        SELECT *
        FROM unnest(
            @tenant_ids::uuid[],
            @ids::uuid[],
            @viewer_ids::uuid[],
            (@viewer_roles::text[])::user_role[],
            @viewer_driver_ids::uuid[],
            @operations::text[]
        ) WITH ORDINALITY AS u (tenant_id, id, viewer_id, viewer_role, viewer_driver_id, operation, asked)
        LIMIT cardinality(@tenant_ids::uuid[]) -- see GetSessions
    ) AS a
    JOIN pickups AS p ON p.tenant_id = a.tenant_id AND p.id = a.id
    WHERE (role_sees_pickup(a.viewer_role, p.status, p.driver_id, a.viewer_driver_id) OR a.viewer_role = 'staff'
        AND EXISTS (
        SELECT FROM facility_viewers AS v
        WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = a.viewer_id))
), audited AS (
    INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
    SELECT s.tenant_id, s.patient_id, s.viewer_id, s.operation
    FROM seen AS s
    WHERE s.patient_id IS NOT NULL AND s.operation <> ''
)
SELECT
    s.tenant_id, s.id, s.status, s.previous_status, s.facility_id, s.account_id, s.requested_by,
    s.driver_id, s.price_cents, s.charged_cents, s.refunded_cents, s.pickup_address, s.pickup_latitude,
    s.pickup_longitude, s.dropoff_address, s.window_start, s.window_end, s.note, s.cancel_reason, s.version,
    s.request_digest, s.created_at, s.updated_at, s.patient_id, s.submitted_at,
    s.asked::bigint AS asked
FROM seen AS s;

-- Lists the newest pickups that the viewer sees, in some statuses or in any, and whether there are more. Shown
-- patients are audited.
--
-- The cost depends on the size of the page only, for any viewer and filters. The list merges the newest
-- pickups (newest_pickups) of each of the viewer's facilities and of each status visible to the role.
-- For staff with many facilities it first reads the newest pickups of the tenant, or of the driver, and keeps
-- those of the viewer's facilities; it merges only if these are fewer than a page. Stored rows decide
-- between the two, not the planner: one generic plan serves all arguments.
-- name: ListPickups :many
WITH asked AS MATERIALIZED (
    SELECT
        @tenant_id::uuid AS tenant_id,
        @viewer_id::uuid AS viewer_id,
        @viewer_role::user_role AS viewer_role,
        @viewer_driver_id::uuid AS viewer_driver_id,
        coalesce((@statuses::text[])::pickup_status[], '{}') AS statuses,
        sqlc.narg('facility_id')::uuid AS facility_id,
        CASE WHEN @viewer_role = 'driver' THEN @viewer_driver_id ELSE sqlc.narg('driver_id')::uuid END AS driver_id,
        coalesce(sqlc.narg('driver_id') = @viewer_driver_id, true) OR @viewer_role <> 'driver' AS is_own,
        @created_from::timestamptz AS since,
        least(@before_created_at::timestamptz, @created_to::timestamptz) AS created_at,
        CASE
            WHEN @before_created_at < @created_to THEN @before_id::uuid
            ELSE '00000000-0000-0000-0000-000000000000'
        END AS id,
        1 + @max_rows::int AS most
), every AS MATERIALIZED (
    SELECT s.status FROM unnest(enum_range(NULL::pickup_status)) AS s (status)
), listed AS MATERIALIZED (
    SELECT s.status
    FROM asked AS a
    CROSS JOIN every AS s
    WHERE (a.viewer_role = 'staff' OR role_sees_pickup(a.viewer_role, s.status, a.driver_id, a.viewer_driver_id))
        AND (cardinality(a.statuses) = 0 OR s.status = ANY (a.statuses))
        AND a.is_own
), statuses AS MATERIALIZED (
    -- A single NULL if all statuses are listed.
    SELECT DISTINCT
        CASE
            WHEN a.driver_id IS NOT NULL OR (SELECT count(*) FROM listed) < (SELECT count(*) FROM every) THEN l.status
        END AS status
    FROM asked AS a
    CROSS JOIN listed AS l
), mine AS MATERIALIZED (
    SELECT DISTINCT v.facility_id
    FROM asked AS a
    JOIN facility_viewers AS v ON v.tenant_id = a.tenant_id AND v.user_id = a.viewer_id
    WHERE a.viewer_role = 'staff' AND v.facility_id = coalesce(a.facility_id, v.facility_id)
), wide AS MATERIALIZED (
    SELECT
        CASE
            WHEN (SELECT count(*) FROM mine) * (SELECT count(*) FROM statuses)
                > CASE WHEN a.driver_id IS NULL THEN 50 ELSE 10 END
                THEN 2 * a.most
            ELSE 0
        END AS most
    FROM asked AS a
), newest AS MATERIALIZED (
    SELECT
        s.status, n.created_at, n.id,
        n.facility_id IN (SELECT m.facility_id FROM mine AS m) AS is_theirs,
        row_number() OVER (PARTITION BY s.status ORDER BY n.created_at DESC, n.id DESC) AS place
    FROM asked AS a
    CROSS JOIN wide AS w
    CROSS JOIN statuses AS s
    -- The arguments are columns: with a subselect as argument, the function would not be inlined.
    CROSS JOIN LATERAL newest_pickups(
        a.tenant_id, NULL, a.driver_id, s.status, a.since, a.created_at, a.id, w.most
    ) AS n (created_at, id, facility_id)
), wider AS MATERIALIZED (
    -- How many more rows are read of each status if too few are the viewer's: no more pages than an index
    -- lookup for each facility costs, and 500 at most.
    SELECT
        CASE
            WHEN count(n.id) FILTER (WHERE n.is_theirs) < a.most
                THEN least(10 * a.most, 500, 3 * (SELECT count(*) FROM mine))::int
            ELSE 0
        END AS most
    FROM asked AS a
    LEFT JOIN newest AS n ON true
    GROUP BY a.most
), older AS MATERIALIZED (
    SELECT
        l.status, n.created_at, n.id,
        n.facility_id IN (SELECT m.facility_id FROM mine AS m) AS is_theirs,
        row_number() OVER (PARTITION BY l.status ORDER BY n.created_at DESC, n.id DESC) AS place
    FROM asked AS a
    CROSS JOIN wide AS w
    CROSS JOIN wider AS x
    CROSS JOIN newest AS l
    CROSS JOIN LATERAL newest_pickups(
        a.tenant_id, NULL, a.driver_id, l.status, a.since, l.created_at, l.id, x.most
    ) AS n (created_at, id, facility_id)
    WHERE l.place = w.most
), theirs AS MATERIALIZED (
    SELECT n.created_at, n.id FROM newest AS n WHERE n.is_theirs
    UNION ALL
    SELECT o.created_at, o.id FROM older AS o WHERE o.is_theirs
), ends AS MATERIALIZED (
    -- Where reading stopped: a status that has more rows may have some of the viewer's below its last one.
    SELECT e.created_at, e.id
    FROM wide AS w
    CROSS JOIN wider AS x
    CROSS JOIN LATERAL (
        SELECT n.created_at, n.id FROM newest AS n WHERE n.place = w.most AND x.most = 0
        UNION ALL
        SELECT o.created_at, o.id FROM older AS o WHERE o.place = x.most
    ) AS e
    ORDER BY e.created_at DESC, e.id DESC
    LIMIT 1
), tried AS MATERIALIZED (
    SELECT
        w.most > 0 AND (
            NOT EXISTS (SELECT FROM ends)
            OR a.most <= (
                SELECT count(*)
                FROM theirs AS n
                JOIN ends AS e ON (n.created_at, n.id) >= (e.created_at, e.id))
        ) AS is_enough
    FROM asked AS a
    CROSS JOIN wide AS w
), spots AS MATERIALIZED (
    SELECT f.facility_id, s.status, count(*) OVER () AS spots
    FROM statuses AS s
    CROSS JOIN (
        SELECT b.facility_id FROM asked AS b WHERE b.viewer_role <> 'staff'
        UNION ALL
        SELECT m.facility_id FROM mine AS m
    ) AS f
    WHERE NOT (SELECT t.is_enough FROM tried AS t)
), places AS MATERIALIZED (
    -- Facilities and statuses to merge, in the order of their newest pickups; up to fifty in any order.
    SELECT s.facility_id, s.status, 1 AS place
    FROM spots AS s
    WHERE s.spots <= 50
    UNION ALL
    SELECT s.facility_id, s.status, row_number() OVER (ORDER BY n.created_at DESC, n.id DESC) AS place
    FROM asked AS a
    CROSS JOIN spots AS s
    CROSS JOIN LATERAL newest_pickups(
        a.tenant_id, s.facility_id, a.driver_id, s.status, a.since, a.created_at, a.id, 1
    ) AS n (created_at, id, facility_id)
    WHERE s.spots > 50
), found AS MATERIALIZED (
    SELECT u.created_at, u.id
    FROM (
        SELECT n.created_at, n.id
        FROM theirs AS n
        WHERE (SELECT t.is_enough FROM tried AS t)
        UNION ALL
        SELECT n.created_at, n.id
        FROM asked AS a
        CROSS JOIN places AS p
        -- Each earlier place has at least one newer pickup, so that a later place contributes fewer rows.
        CROSS JOIN LATERAL newest_pickups(
            a.tenant_id, p.facility_id, a.driver_id, p.status, a.since, a.created_at, a.id, (1 + a.most - p.place)::int
        ) AS n (created_at, id, facility_id)
        WHERE p.place <= a.most
    ) AS u
    ORDER BY u.created_at DESC, u.id DESC
    LIMIT (SELECT a.most FROM asked AS a)
), shown AS MATERIALIZED (
    SELECT p.*
    FROM asked AS a
    CROSS JOIN (
        SELECT f.id
        FROM found AS f
        ORDER BY f.created_at DESC, f.id DESC
        LIMIT (SELECT b.most - 1 FROM asked AS b)
    ) AS f
    CROSS JOIN LATERAL (
        SELECT *
        FROM pickups AS k
        WHERE k.tenant_id = a.tenant_id
            AND k.id = f.id
        LIMIT 1
    ) AS p
), audited AS (
    INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
    SELECT DISTINCT s.tenant_id, s.patient_id, @viewer_id::uuid, 'list-pickups'
    FROM shown AS s
    WHERE s.patient_id IS NOT NULL
)
SELECT sqlc.embed(pickups), ((SELECT count(*) FROM found) > @max_rows::int)::boolean AS more
FROM shown AS pickups
ORDER BY pickups.created_at DESC, pickups.id DESC;

-- name: ListTransitions :many
SELECT transition, before::text[] AS from_statuses, after AS to_status, roles::text[] AS roles, has_driver,
    coalesce(money::text, '')::text AS money, slot, auto_dispatch, coalesce(text, '')::text AS text
FROM pickup_transitions
ORDER BY transition
LIMIT 100;

-- Makes transitions of any kind, as declared in the dictionary: from and to which status, by which
-- role, what it charges or refunds, whose slot it takes or frees, whether the driver stays, the text
-- and the dispatch that it owes. Pickups, slots, facilities of accounts and accounts are locked in this order,
-- each by key. A slot to be taken must be free; charges are applied in the order of the moves' ids, which is their
-- order of arrival, while each account's balance lasts. All effects depend on the rows that moved. A
-- move's id, generated by its caller, keys its event, its ledger entry and its text.
--
-- A batch uses the variant that skips locked pickups: waiting for one of them would delay the other
-- requests of the batch, and the batches behind it. For slots and accounts, which many moves need, it
-- waits briefly. If that was in vain, somebody holds one of them, and the variant that skips any locked row
-- is used for a while. A move that was skipped is retried, in the end unbatched, by the statement that
-- waits.
-- Closes: two callers submit one pickup
-- Closes: a charge that waited is dated before the one that it waited for
-- Closes: a submit and a cancel at once leave a wrong balance
-- Closes: submits at once take more than the balance
-- Closes: a submit pays a price that its caller has not seen
-- Closes: staff charge an account from which their facility was taken meanwhile
-- Closes: staff charge an account that was closed to their facility meanwhile
-- Closes: two dispatchers assign one driver
-- Closes: two dispatchers assign one pickup
-- Closes: a late duplicate assigns a pickup again after its release
-- Closes: a release and an assign of one driver share a batch
-- Closes: two callers cancel one pickup
-- Closes: a pickup skips a status
-- Closes: a driver collects what was given to another
-- Closes: a refund misses the charge that it waited for
-- Closes: a cancel misses the driver that it waited for
-- Closes: a late duplicate moves a later round
-- Closes: two batches deadlock on rows
-- Closes: two batches deadlock on slots and accounts
-- Closes: two callers of a submit owe two texts
-- Closes: two callers of an assign owe two texts
-- Closes: two callers of a deliver owe two texts
-- name: TransitionPickups :many
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
    FOR NO KEY UPDATE OF p /* TransitionPickupsSkipLocked: SKIP LOCKED */
        /* TransitionPickupsSkipAnyLocked: SKIP LOCKED */
), slots AS MATERIALIZED (
    -- To be freed, found only by the driver of the locked row. A condition on pickup_id would also be
    -- tested on the snapshot, and miss a slot taken by the assign that this statement waited for.
    SELECT l.*, s.driver_id AS slot_driver_id, CASE l.slot WHEN 'take' THEN l.id ELSE s.pickup_id END AS slot_pickup_id
    FROM locked AS l
    JOIN driver_slots AS s ON s.tenant_id = l.tenant_id AND s.driver_id = l.driver_id
    WHERE (l.slot = 'free' OR l.slot = 'take' AND s.pickup_id IS NULL)
    ORDER BY s.tenant_id, s.driver_id
    FOR UPDATE OF s /* TransitionPickupsSkipAnyLocked: SKIP LOCKED */
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
    FOR KEY SHARE OF f /* TransitionPickupsSkipAnyLocked: SKIP LOCKED */
), funded AS MATERIALIZED (
    SELECT r.*, c.balance_cents, c.entered_at
    FROM ready AS r
    JOIN accounts AS c ON c.tenant_id = r.tenant_id AND c.id = r.account_id
    LEFT JOIN listed AS l ON l.move_id = r.move_id
    WHERE (r.delta_cents <> 0 OR r.money = 'charge')
        AND (c.all_facilities OR l.move_id IS NOT NULL OR r.paying_facility_id IS NULL)
    ORDER BY c.tenant_id, c.id, r.move_id
    FOR NO KEY UPDATE OF c /* TransitionPickupsSkipAnyLocked: SKIP LOCKED */
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

-- Assigns one pickup the nearest driver who is free, on duty and has a known location, by great-circle
-- distance. Slots that others are taking are skipped, so that two concurrent calls get two drivers. It
-- is never batched: a statement does not skip its own locks, and would take one driver twice.
-- Closes: two pickups get the same nearest driver
-- Closes: a driver is dispatched who has gone off duty
-- Closes: two dispatchers dispatch one pickup
-- Closes: a late duplicate dispatches a pickup again after its release
-- Closes: a driver whose location moves is passed over
-- Closes: two callers of a dispatch owe two texts
-- name: DispatchPickup :many
WITH locked AS MATERIALIZED (
    SELECT
        p.tenant_id, p.id, t.transition, t.after, t.text,
        coalesce(p.pickup_latitude, f.latitude) AS latitude,
        coalesce(p.pickup_longitude, f.longitude) AS longitude
    FROM pickups AS p
    JOIN facilities AS f ON f.tenant_id = p.tenant_id AND f.id = p.facility_id
    JOIN pickup_transitions AS t ON t.transition = 'dispatch' AND @viewer_role::user_role = ANY (t.roles)
    WHERE p.tenant_id = @tenant_id
        AND p.id = @id
        AND p.status = ANY (t.before)
        AND (@version::bigint = 0 OR p.version = @version)
        AND NOT EXISTS (
            SELECT FROM pickup_events AS e
            WHERE e.tenant_id = p.tenant_id AND e.pickup_id = p.id AND e.idempotency_key = @idempotency_key::text)
    FOR NO KEY UPDATE OF p
), nearest AS MATERIALIZED (
    SELECT s.tenant_id, s.driver_id
    FROM locked AS l
    JOIN driver_slots AS s ON s.tenant_id = l.tenant_id
    JOIN drivers AS d ON d.tenant_id = s.tenant_id AND d.id = s.driver_id
    WHERE s.pickup_id IS NULL
        AND s.on_duty
        AND d.located_at IS NOT NULL
    ORDER BY
        -- The haversine: monotonic in the distance, and precise for short ones.
        sin(radians(d.latitude - l.latitude) / 2) ^ 2
            + cos(radians(l.latitude)) * cos(radians(d.latitude)) * sin(radians(d.longitude - l.longitude) / 2) ^ 2,
        d.id
    LIMIT 1
    FOR UPDATE OF s SKIP LOCKED
), moved AS (
    UPDATE pickups AS p
    SET status = l.after,
        previous_status = p.status,
        driver_id = n.driver_id,
        version = p.version + 1,
        updated_at = now()
    FROM locked AS l
    JOIN nearest AS n ON n.tenant_id = l.tenant_id
    WHERE p.tenant_id = l.tenant_id AND p.id = l.id
    RETURNING p.*
), won AS MATERIALIZED (
    SELECT
        m.tenant_id, m.id, m.version, m.previous_status, m.status, m.driver_id, m.requested_by, m.patient_id,
        m.facility_id,
        l.transition, @viewer_id::uuid AS viewer_id, @idempotency_key::text AS idempotency_key,
        @request_digest::bytea AS request_digest, @move_id::uuid AS move_id, l.text,
        coalesce(role_sees_pickup(@viewer_role::user_role, m.status, m.driver_id, NULL), false) AS seen
    FROM moved AS m
    JOIN locked AS l ON l.tenant_id = m.tenant_id AND l.id = m.id
), taken AS (
    UPDATE driver_slots AS s
    SET pickup_id = w.id
    FROM won AS w
    WHERE s.tenant_id = w.tenant_id AND s.driver_id = w.driver_id
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

-- Returns why a transition did not move a pickup, by a fresh read, after which it may change again. The
-- event is the one that used this Idempotency-Key before. No row: the pickup does not exist for this
-- viewer, and there is no event of theirs for this request. If there is only such an event, because the
-- pickup is not visible to them any more, seen is false: they get the result of the event again. Shown
-- patients are audited.
-- name: ExplainTransition :one
WITH now AS MATERIALIZED (
    SELECT
        p.tenant_id,
        p.id,
        p.patient_id,
        coalesce(role_sees_pickup(@viewer_role::user_role, p.status, p.driver_id, @viewer_driver_id::uuid)
            OR v.user_id IS NOT NULL, false) AS seen,
        coalesce(e.after, p.status) AS event_after,
        coalesce(e.version, p.version) AS event_version,
        coalesce(e.created_at, p.updated_at) AS event_created_at,
        @viewer_role = ANY (t.roles) AS role_may,
        p.status = ANY (t.before) AS legal_now,
        CASE t.money WHEN 'charge' THEN greatest(p.price_cents - c.balance_cents, 0) ELSE 0 END AS missing_cents,
        (t.money IS DISTINCT FROM 'charge' OR @viewer_role::user_role <> 'staff' OR c.all_facilities OR EXISTS (
            SELECT FROM account_facilities AS l
            WHERE l.tenant_id = p.tenant_id AND l.account_id = p.account_id AND l.facility_id = p.facility_id
        )) AS account_fits_now,
        e.id IS NOT NULL AS key_used,
        coalesce(e.transition = t.transition AND e.request_digest = @request_digest::bytea, false) AS same_request
    FROM pickups AS p
    JOIN accounts AS c ON c.tenant_id = p.tenant_id AND c.id = p.account_id
    JOIN pickup_transitions AS t ON t.transition = @transition::transition_name
    LEFT JOIN pickup_events AS e
        ON e.tenant_id = p.tenant_id AND e.pickup_id = p.id AND e.idempotency_key = @idempotency_key::text
    LEFT JOIN LATERAL (
        SELECT w.user_id
        FROM facility_viewers AS w
        WHERE @viewer_role::user_role = 'staff' AND w.tenant_id = p.tenant_id AND w.facility_id = p.facility_id
            AND w.user_id = @viewer_id::uuid
        LIMIT 1
    ) AS v ON true
    WHERE p.tenant_id = @tenant_id
        AND p.id = @id
        AND (role_sees_pickup(@viewer_role, p.status, p.driver_id, @viewer_driver_id) OR v.user_id IS NOT NULL
            OR e.actor_id = @viewer_id AND e.transition = t.transition AND e.request_digest = @request_digest)
), audited AS (
    INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
    SELECT n.tenant_id, n.patient_id, @viewer_id, (@transition::transition_name)::text || '-pickup'
    FROM now AS n
    WHERE n.patient_id IS NOT NULL AND n.role_may AND n.same_request AND n.seen
)
SELECT
    sqlc.embed(p),
    s.seen::boolean AS seen,
    s.event_after::pickup_status AS event_after,
    s.event_version::bigint AS event_version,
    s.event_created_at::timestamptz AS event_created_at,
    s.role_may::boolean AS role_may,
    s.legal_now::boolean AS legal_now,
    s.missing_cents::bigint AS missing_cents,
    s.account_fits_now::boolean AS account_fits_now,
    ARRAY(
        SELECT n.transition::text
        FROM pickup_transitions AS n
        WHERE p.status = ANY (n.before) AND @viewer_role::user_role = ANY (n.roles)
        ORDER BY n.transition
    )::text[] AS allowed,
    s.key_used::boolean AS key_used,
    s.same_request::boolean AS same_request
FROM now AS s
JOIN pickups AS p ON p.tenant_id = s.tenant_id AND p.id = s.id;

-- Returns why a driver was not assigned: unknown, or busy with another pickup, which is told if the viewer sees it.
-- name: ExplainDriver :one
SELECT
    (s.pickup_id IS NOT NULL)::boolean AS busy,
    p.id AS pickup_id
FROM driver_slots AS s
LEFT JOIN pickups AS p
    ON p.tenant_id = s.tenant_id
    AND p.id = s.pickup_id
    AND (role_sees_pickup(@viewer_role::user_role, p.status, p.driver_id, @viewer_driver_id::uuid)
        OR @viewer_role::user_role = 'staff' AND EXISTS (
        SELECT FROM facility_viewers AS v
        WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = @viewer_id::uuid))
WHERE s.tenant_id = @tenant_id AND s.driver_id = @driver_id;

-- Returns whether dispatch would find a driver now.
-- name: HasFreeDriver :one
SELECT EXISTS (
    SELECT FROM driver_slots AS s
    JOIN drivers AS d ON d.tenant_id = s.tenant_id AND d.id = s.driver_id
    WHERE s.tenant_id = @tenant_id
        AND s.pickup_id IS NULL
        AND s.on_duty
        AND d.located_at IS NOT NULL
);

-- Reads what an edit that matched no row is compared with, without patient data.
-- name: ExplainEditPickup :one
SELECT
    p.version,
    p.status,
    ((CASE WHEN @set_window_start::boolean THEN sqlc.narg('window_start')::timestamptz ELSE p.window_start END
        < CASE WHEN @set_window_end::boolean THEN sqlc.narg('window_end')::timestamptz
            ELSE p.window_end END) IS NOT FALSE)::boolean AS window_fits,
    (num_nulls(
        CASE WHEN @set_pickup_latitude::boolean THEN sqlc.narg('pickup_latitude')::float8 ELSE p.pickup_latitude END,
        CASE WHEN @set_pickup_longitude::boolean THEN sqlc.narg('pickup_longitude')::float8
            ELSE p.pickup_longitude END) <> 1)::boolean AS point_fits,
    (sqlc.narg('facility_id')::uuid IS NULL OR EXISTS (
        SELECT FROM facility_viewers AS v
        WHERE v.tenant_id = p.tenant_id AND v.facility_id = sqlc.narg('facility_id')
            AND v.user_id = @viewer_id))::boolean AS facility_found,
    (sqlc.narg('patient_id')::uuid IS NULL OR EXISTS (
        SELECT FROM patient_viewers AS v
        WHERE v.tenant_id = p.tenant_id AND v.patient_id = sqlc.narg('patient_id')
            AND v.user_id = @viewer_id))::boolean AS patient_found,
    (sqlc.narg('account_id')::uuid IS NULL OR c.id IS NOT NULL AND (c.all_facilities OR EXISTS (
        SELECT FROM account_viewers AS v
        WHERE v.tenant_id = c.tenant_id AND v.account_id = c.id AND v.user_id = @viewer_id)))::boolean AS account_found,
    (num_nonnulls(sqlc.narg('account_id')::uuid, sqlc.narg('facility_id')::uuid) = 0
        OR coalesce(c.all_facilities, false) OR EXISTS (
        SELECT FROM account_facilities AS l
        WHERE l.tenant_id = c.tenant_id AND l.account_id = c.id
            AND l.facility_id = coalesce(sqlc.narg('facility_id'), p.facility_id)))::boolean AS account_fits
FROM pickups AS p
LEFT JOIN accounts AS c
    ON c.tenant_id = p.tenant_id AND c.id = coalesce(sqlc.narg('account_id')::uuid, p.account_id)
WHERE p.tenant_id = @tenant_id
    AND p.id = @id
    AND EXISTS (
        SELECT FROM facility_viewers AS v
        WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = @viewer_id::uuid);

-- Closes: an edit overwrites an unseen edit
-- Closes: a pickup is edited after it was submitted
-- name: EditPickup :one
WITH edited AS (
    UPDATE pickups AS p
    SET facility_id = coalesce(sqlc.narg('facility_id'), p.facility_id),
        account_id = coalesce(sqlc.narg('account_id'), p.account_id),
        patient_id = CASE WHEN @set_patient_id::boolean THEN sqlc.narg('patient_id') ELSE p.patient_id END,
        price_cents = coalesce(sqlc.narg('price_cents'), p.price_cents),
        pickup_address = coalesce(sqlc.narg('pickup_address'), p.pickup_address),
        pickup_latitude = CASE WHEN @set_pickup_latitude::boolean THEN sqlc.narg('pickup_latitude')
            ELSE p.pickup_latitude END,
        pickup_longitude = CASE WHEN @set_pickup_longitude::boolean THEN sqlc.narg('pickup_longitude')
            ELSE p.pickup_longitude END,
        dropoff_address = coalesce(sqlc.narg('dropoff_address'), p.dropoff_address),
        window_start = CASE WHEN @set_window_start::boolean THEN sqlc.narg('window_start')::timestamptz
            ELSE p.window_start END,
        window_end = CASE WHEN @set_window_end::boolean THEN sqlc.narg('window_end')::timestamptz ELSE p.window_end END,
        note = CASE WHEN @set_note::boolean THEN sqlc.narg('note') ELSE p.note END,
        version = p.version + 1,
        updated_at = now()
    WHERE p.tenant_id = @tenant_id
        AND p.id = @id
        AND p.version = @version
        AND p.status = 'DRAFT'
        -- As in the row's constraints, whose violation would write an error to the server's log.
        AND (CASE WHEN @set_window_start::boolean THEN sqlc.narg('window_start')::timestamptz ELSE p.window_start END
            < CASE WHEN @set_window_end::boolean THEN sqlc.narg('window_end')::timestamptz
                ELSE p.window_end END) IS NOT FALSE
        AND num_nulls(
            CASE WHEN @set_pickup_latitude::boolean THEN sqlc.narg('pickup_latitude')::float8
                ELSE p.pickup_latitude END,
            CASE WHEN @set_pickup_longitude::boolean THEN sqlc.narg('pickup_longitude')::float8
                ELSE p.pickup_longitude END) <> 1
        AND EXISTS (
            SELECT FROM facility_viewers AS v
            WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = @viewer_id)
        -- A facility or patient that the editor does not see is treated as not found.
        AND (sqlc.narg('facility_id')::uuid IS NULL OR EXISTS (
            SELECT FROM facility_viewers AS v
            WHERE v.tenant_id = p.tenant_id AND v.facility_id = sqlc.narg('facility_id') AND v.user_id = @viewer_id))
        AND (sqlc.narg('patient_id')::uuid IS NULL OR EXISTS (
            SELECT FROM patient_viewers AS v
            WHERE v.tenant_id = p.tenant_id AND v.patient_id = sqlc.narg('patient_id') AND v.user_id = @viewer_id))
        -- So is an account; TransitionPickups decides whether it is charged.
        AND (num_nonnulls(sqlc.narg('account_id')::uuid, sqlc.narg('facility_id')::uuid) = 0 OR EXISTS (
            SELECT FROM accounts AS c
            WHERE c.tenant_id = p.tenant_id
                AND c.id = coalesce(sqlc.narg('account_id'), p.account_id)
                AND (c.all_facilities OR EXISTS (
                    SELECT FROM account_facilities AS l
                    WHERE l.tenant_id = c.tenant_id AND l.account_id = c.id
                        AND l.facility_id = coalesce(sqlc.narg('facility_id'), p.facility_id)))))
    RETURNING p.*
), audited AS (
    INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
    SELECT e.tenant_id, e.patient_id, @viewer_id, 'edit-pickup'
    FROM edited AS e
    WHERE e.patient_id IS NOT NULL
)
SELECT sqlc.embed(pickups) FROM edited AS pickups;

-- Raises an error if staff do not see the facility of the written pickups any more on the current
-- snapshot, because they were removed from the group while the write waited. Pickups that the
-- transaction did not write are ignored: they are explained like any loss. LIMIT 1 makes each a lookup
-- by key, whatever the planner expects.
-- name: ConfirmPickups :exec
SELECT refuse_authority('WB003')
FROM (
    SELECT DISTINCT a.tenant_id, a.viewer_id, p.facility_id
    FROM (
        SELECT *
        FROM unnest(@tenant_ids::uuid[], @ids::uuid[], @viewer_ids::uuid[]) AS u (tenant_id, id, viewer_id)
        LIMIT cardinality(@tenant_ids::uuid[]) -- see GetSessions
    ) AS a
    CROSS JOIN LATERAL (
        SELECT w.facility_id
        FROM pickups AS w
        WHERE w.tenant_id = a.tenant_id AND w.id = a.id AND w.xmin = pg_current_xact_id_if_assigned()::xid
        LIMIT 1
    ) AS p
) AS wrote
LEFT JOIN LATERAL (
    SELECT v.facility_id
    FROM facility_viewers AS v
    WHERE v.tenant_id = wrote.tenant_id AND v.facility_id = wrote.facility_id AND v.user_id = wrote.viewer_id
    LIMIT 1
) AS seen ON true
WHERE seen.facility_id IS NULL;
