-- name: GetPickupEvent :one
SELECT * FROM pickup_events WHERE tenant_id = @tenant_id AND id = @id;

-- Returns the result of an event: the current pickup, and whether the event's actor still sees it. The
-- caller knows the event's id only if they made it or tried to. Shown patients are audited.
-- name: GetMovedPickup :one
WITH told AS MATERIALIZED (
    SELECT
        p.tenant_id,
        p.id,
        p.patient_id,
        coalesce(role_sees_pickup(@viewer_role::user_role, p.status, p.driver_id, @viewer_driver_id::uuid)
            OR @viewer_role = 'staff' AND EXISTS (
                SELECT FROM facility_viewers AS v
                WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = @viewer_id),
                    false) AS seen,
        e.transition,
        e.after AS event_after,
        e.version AS event_version,
        e.created_at AS event_created_at
    FROM pickup_events AS e
    JOIN pickups AS p ON p.tenant_id = e.tenant_id AND p.id = e.pickup_id
    WHERE e.tenant_id = @tenant_id
        AND e.id = @event_id
        AND e.actor_id = @viewer_id::uuid
), audited AS (
    INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
    SELECT t.tenant_id, t.patient_id, @viewer_id, t.transition::text || '-pickup'
    FROM told AS t
    WHERE t.patient_id IS NOT NULL AND t.seen
)
SELECT
    sqlc.embed(p),
    t.seen::boolean AS seen,
    t.event_after::pickup_status AS event_after,
    t.event_version::bigint AS event_version,
    t.event_created_at::timestamptz AS event_created_at
FROM told AS t
JOIN pickups AS p ON p.tenant_id = t.tenant_id AND p.id = t.id;

-- Lists the events of a pickup that the viewer may see: those visible to their role, and for a driver
-- those since their login was linked. Versions are comparable within one history only, which is returned
-- with them; it is '' if it has not begun: see BeginEventHistory.
-- name: ListPickupEvents :many
WITH history AS MATERIALIZED (
    SELECT h.id FROM event_histories AS h WHERE h.id = current_event_history()
)
SELECT
    sqlc.embed(e),
    coalesce((SELECT h.id FROM history AS h), '')::text AS history
FROM pickup_events AS e
JOIN pickups AS p ON p.tenant_id = e.tenant_id AND p.id = e.pickup_id
WHERE e.tenant_id = @tenant_id
    AND e.pickup_id = @pickup_id
    AND e.version > @after_version::bigint
    AND (role_sees_pickup(@viewer_role::user_role, p.status, p.driver_id, @viewer_driver_id::uuid)
        OR @viewer_role::user_role = 'staff' AND EXISTS (
        SELECT FROM facility_viewers AS v
        WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = @viewer_id))
    AND (@viewer_role = 'staff' OR role_sees_event(@viewer_role, e.after, e.driver_id, @viewer_driver_id))
    AND (@viewer_role <> 'driver' OR e.created_at >= (
        SELECT d.user_since FROM drivers AS d
        WHERE d.tenant_id = @tenant_id AND d.id = @viewer_driver_id AND d.user_id = @viewer_id))
ORDER BY e.version
LIMIT @max_rows::int;

-- Returns the horizon of the stream: all transactions that wrote an event below it have ended. Above it
-- an earlier event may still be committed, since neither transaction ids nor sequence numbers follow
-- the commit order. Newest is the horizon if no transaction were running.
--
-- A transaction that writes events locks their table, ROW EXCLUSIVE, and then writes them at positions
-- that are not below its id, nor below the xmax of a snapshot under the lock (late_event_position). The
-- statement's snapshot is taken first: every id below its xmax had been assigned by then, and a running
-- writer among them still shows its lock in pg_locks, which is read live, in one call; one that does not
-- show it yet writes at the xmax or above. A writer whose id is not in pg_locks may have just got it, before
-- the lock on the id: any running id that is not shown could be its. Other transactions do not matter,
-- however long they run, nor do locks of VACUUM, pg_dump or CREATE INDEX.
--
-- Events must be read by a later statement: its snapshot includes all writers that had ended here.
--
-- Ids are comparable within one history only. It is '' if it has not begun: see BeginEventHistory.
-- name: GetStreamHorizon :one
WITH locks AS MATERIALIZED (
    SELECT l.virtualtransaction, l.transactionid, l.relation
    FROM pg_locks AS l
    WHERE (l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock')
        OR (l.locktype = 'relation'
            AND l.mode = 'RowExclusiveLock'
            AND l.relation = 'pickup_events'::regclass
            AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()))
), writers AS (
    SELECT l.virtualtransaction, count(l.transactionid) > 0 AS has_xid
    FROM locks AS l
    GROUP BY l.virtualtransaction
    HAVING count(l.relation) > 0
), running AS (
    SELECT x.xid, l.virtualtransaction
    FROM pg_snapshot_xip(pg_current_snapshot()) AS x (xid)
    LEFT JOIN locks AS l ON l.transactionid = x.xid::xid
), history AS MATERIALIZED (
    SELECT h.id, h.first_seq FROM event_histories AS h WHERE h.id = current_event_history()
)
SELECT
    least(
        pg_snapshot_xmax(pg_current_snapshot()),
        (
            SELECT r.xid
            FROM running AS r
            WHERE r.virtualtransaction IN (SELECT w.virtualtransaction FROM writers AS w)
                OR (r.virtualtransaction IS NULL AND EXISTS (SELECT FROM writers AS w WHERE NOT w.has_xid))
            ORDER BY r.xid
            LIMIT 1
        )
    )::text AS xid,
    pg_snapshot_xmax(pg_current_snapshot())::text AS newest_xid,
    coalesce((SELECT h.id FROM history AS h), '')::text AS history,
    coalesce((SELECT h.first_seq FROM history AS h), 0)::bigint AS first_seq;

-- Begins the history of events that the server writes now, unless it has begun.
-- Closes: two processes begin one history twice
-- name: BeginEventHistory :exec
SELECT begin_event_history();

-- Ends the transaction unless the server writes this history. It goes in one round trip with the statement that
-- it is for.
-- name: RequireEventHistory :exec
SELECT require_event_history(@history::text);

-- Returns the first new event of each of several tenants, after a position per tenant: one poll for all
-- open streams. LIMIT and the order keep it an index lookup per tenant, since usually there is nothing
-- to find. Restored events may have ids that this cluster has not reached.
-- name: FindNewEvents :many
SELECT t.tenant_id::uuid AS tenant_id, e.xid
FROM unnest(@tenant_ids::uuid[], @since_xids::text[]) AS t (tenant_id, since_xid)
CROSS JOIN LATERAL (
    SELECT e.xid
    FROM pickup_events AS e
    WHERE e.tenant_id = t.tenant_id
        AND e.xid >= t.since_xid::xid8
        AND e.xid <= pg_snapshot_xmax(pg_current_snapshot())
        AND e.seq > @first_seq::bigint
    ORDER BY e.xid, e.seq
    LIMIT 1
) AS e;

-- Advances the horizon by an empty transaction. An event that stands behind a transaction with a higher id
-- than its own may stay at the horizon until another transaction ends: if nobody writes, this is the one.
-- name: MoveStreamHorizon :one
SELECT pg_current_xact_id()::text AS xid;

-- Looks at the next events after a position and below a horizon, max_rows at most, and returns those that
-- the viewer sees, and the last one in any case: its position is where to continue, also if nothing was
-- seen. So a call reads no more than its window, however far back it resumes and whatever the viewer sees.
-- For staff, an event tells its facility. Where it does not (it is from before migration 00043), its pickup is
-- looked up, once a window and by its key. A driver sees the events that assign a pickup to them or remove it,
-- since their login was linked. What admins, dispatchers and hubs see depends only on their role: their
-- streams share reads.
-- name: StreamPickupEvents :many
WITH page AS MATERIALIZED (
    SELECT e.*
    FROM pickup_events AS e
    WHERE e.tenant_id = @tenant_id
        AND (e.xid, e.seq) > ((@after_xid::text)::xid8, @after_seq::bigint)
        AND e.xid < (@horizon::text)::xid8
        AND e.seq > @first_seq::bigint
    ORDER BY e.xid, e.seq
    LIMIT @max_rows::int
), mine AS MATERIALIZED (
    SELECT DISTINCT v.facility_id
    FROM facility_viewers AS v
    WHERE v.tenant_id = @tenant_id AND v.user_id = @viewer_id AND @viewer_role::user_role = 'staff'
), staffs AS MATERIALIZED (
    SELECT p.id
    FROM (SELECT DISTINCT e.pickup_id FROM page AS e WHERE e.facility_id IS NULL) AS k
    CROSS JOIN LATERAL (
        SELECT p.id
        FROM pickups AS p
        WHERE p.tenant_id = @tenant_id AND p.id = k.pickup_id
            AND (p.facility_id IN (SELECT m.facility_id FROM mine AS m)) IS TRUE
        LIMIT 1
    ) AS p
    WHERE @viewer_role = 'staff'
), judged AS MATERIALIZED (
    SELECT
        e.*,
        coalesce(
            (role_sees_event(@viewer_role::user_role, e.after, e.driver_id, @viewer_driver_id::uuid)
                OR @viewer_role = 'staff' AND (
                    e.facility_id IN (SELECT m.facility_id FROM mine AS m)
                    OR e.pickup_id IN (SELECT s.id FROM staffs AS s)))
            AND (@viewer_role <> 'driver' OR e.created_at >= (
                SELECT d.user_since FROM drivers AS d
                WHERE d.tenant_id = @tenant_id AND d.id = @viewer_driver_id AND d.user_id = @viewer_id)),
            false) AS seen,
        row_number() OVER (ORDER BY e.xid, e.seq) AS place,
        count(*) OVER () AS page_rows
    FROM page AS e
)
SELECT
    j.tenant_id, j.id, j.pickup_id, j.version, j.transition, j.actor_id, j.before, j.after, j.driver_id,
    j.idempotency_key, j.request_digest, j.created_at, j.xid, j.seq, j.facility_id,
    j.seen::boolean AS seen,
    j.page_rows::bigint AS page_rows
FROM judged AS j
WHERE (j.seen OR j.place = j.page_rows)
ORDER BY j.xid, j.seq;
