-- name: GetPickupEvent :one
SELECT * FROM pickup_events WHERE tenant_id = @tenant_id AND id = @id;

-- What an event did: the pickup that it moved, as it is now, and whether its maker still
-- sees it. Whoever knows the event's id made it, or tried to: they learn whether they did.
-- What it shows of a patient is recorded.
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

-- A pickup's events, for who may see the pickup: those that their role is told of, and a
-- driver's login those since it was linked to them.
-- name: ListPickupEvents :many
SELECT e.*
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

-- How far the stream can be told: whoever wrote an event below this place has ended. What is
-- above may still get a predecessor, since neither a transaction's id nor a number says when
-- it commits. Newest is how far it could be told if nobody were writing.
--
-- Whoever writes events locks their table, ROW EXCLUSIVE, before its transaction has an id
-- (the place of one that does not is mended by the column's default). The statement's snapshot
-- comes first: every id below its xmax was given out by then, and the writer among them that
-- has not ended still shows its lock in pg_locks, which is read now, as it is, by one call.
-- A writer whose id pg_locks does not show may have got it a moment ago, ahead of the lock on
-- the id: any running one that nobody shows can be its. Other transactions do not matter,
-- however long they take, nor do locks of VACUUM, pg_dump or an index that is being made.
--
-- Read the events by another statement, after this one: its snapshot has those of all writers
-- that had ended here.
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
    pg_snapshot_xmax(pg_current_snapshot())::text AS newest_xid;

-- The first event of each of some tenants, where there is one since a place of its own: one
-- look for all open streams. LIMIT and the order keep it a look into the index for each
-- tenant, since mostly there is nothing to find.
-- name: FindNewEvents :many
SELECT t.tenant_id::uuid AS tenant_id, e.xid
FROM unnest(@tenant_ids::uuid[], @since_xids::text[]) AS t (tenant_id, since_xid)
CROSS JOIN LATERAL (
    SELECT e.xid
    FROM pickup_events AS e
    WHERE e.tenant_id = t.tenant_id AND e.xid >= t.since_xid::xid8
    ORDER BY e.xid, e.seq
    LIMIT 1
) AS e;

-- Moves the horizon on by a transaction that does nothing. An event whose place its column's
-- default mended may stand where the horizon comes only when another transaction ends: where
-- nobody writes, that is this one.
-- name: MoveStreamHorizon :one
SELECT pg_current_xact_id()::text AS xid;

-- What happened after one place in the stream and before a horizon, for one viewer.
-- A driver is told of what is given to them and what is taken away, since this login is
-- theirs. What an admin, a dispatcher or a hub is told goes by their role alone: their
-- streams read together.
-- name: StreamPickupEvents :many
SELECT e.*
FROM pickup_events AS e
JOIN pickups AS p ON p.tenant_id = e.tenant_id AND p.id = e.pickup_id
WHERE e.tenant_id = @tenant_id
    AND (e.xid, e.seq) > ((@after_xid::text)::xid8, @after_seq::bigint)
    AND e.xid < (@horizon::text)::xid8
    AND (role_sees_event(@viewer_role::user_role, e.after, e.driver_id, @viewer_driver_id::uuid)
        OR @viewer_role = 'staff' AND EXISTS (
        SELECT FROM facility_viewers AS v
        WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = @viewer_id))
    AND (@viewer_role <> 'driver' OR e.created_at >= (
        SELECT d.user_since FROM drivers AS d
        WHERE d.tenant_id = @tenant_id AND d.id = @viewer_driver_id AND d.user_id = @viewer_id))
ORDER BY e.xid, e.seq
LIMIT @max_rows::int;

