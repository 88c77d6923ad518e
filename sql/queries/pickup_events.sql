-- name: GetPickupEvent :one
SELECT * FROM pickup_events WHERE tenant_id = @tenant_id AND id = @id;

-- Returns the version of the pickup that an event moved, if no event has moved it since: changes of its charge raise
-- the version, and leave the status.
-- name: GetVersionSince :one
SELECT p.version
FROM pickups AS p
WHERE p.tenant_id = @tenant_id
    AND p.id = @pickup_id
    AND NOT EXISTS (
        SELECT FROM pickup_events AS e
        WHERE e.tenant_id = p.tenant_id
            AND e.pickup_id = p.id
            AND e.version > @version::bigint
            AND e.before <> e.after);

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
    AND (sqlc.narg('actor_id')::uuid IS NULL OR e.actor_id = sqlc.narg('actor_id'))
    AND e.created_at >= coalesce(sqlc.narg('from_time')::timestamptz, '-infinity')
    AND e.created_at < coalesce(sqlc.narg('to_time')::timestamptz, 'infinity')
    AND (role_sees_pickup(@viewer_role::user_role, p.status, p.driver_id, @viewer_driver_id::uuid)
        OR @viewer_role::user_role = 'staff' AND EXISTS (
        SELECT FROM facility_viewers AS v
        WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = @viewer_id))
    AND (@viewer_role = 'staff' OR role_sees_event(@viewer_role, e.transition, e.after, e.driver_id, @viewer_driver_id))
    AND (@viewer_role <> 'driver' OR e.created_at >= (
        SELECT d.user_since FROM drivers AS d
        WHERE d.tenant_id = @tenant_id AND d.id = @viewer_driver_id AND d.user_id = @viewer_id))
ORDER BY e.version
LIMIT @max_rows::int;

-- Returns who moved a pickup to the status that it has at a version, and when, if the viewer may see that event: see
-- ListPickupEvents. If they may not, an earlier one is no answer either.
-- name: GetLastMove :one
SELECT e.actor_id, e.created_at
FROM (
    SELECT x.pickup_id, x.actor_id, x.transition, x.after, x.driver_id, x.created_at
    FROM pickup_events AS x
    WHERE x.tenant_id = @tenant_id
        AND x.pickup_id = @pickup_id
        AND x.version <= @version
        AND x.before <> x.after -- an adjustment moves nothing
    ORDER BY x.version DESC
    LIMIT 1
) AS e
JOIN pickups AS p ON p.tenant_id = @tenant_id AND p.id = e.pickup_id
WHERE (role_sees_pickup(@viewer_role::user_role, p.status, p.driver_id, @viewer_driver_id::uuid)
        OR @viewer_role::user_role = 'staff' AND EXISTS (
        SELECT FROM facility_viewers AS v
        WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = @viewer_id))
    AND (@viewer_role = 'staff' OR role_sees_event(@viewer_role, e.transition, e.after, e.driver_id, @viewer_driver_id))
    AND (@viewer_role <> 'driver' OR e.created_at >= (
        SELECT d.user_since FROM drivers AS d
        WHERE d.tenant_id = @tenant_id AND d.id = @viewer_driver_id AND d.user_id = @viewer_id::uuid));

-- Returns the horizon of the stream: all transactions that wrote an event below it have ended. Above it
-- an earlier event may still be committed, since neither transaction ids nor sequence numbers follow
-- the commit order. Newest is the horizon if no transaction were running.
--
-- A transaction that writes an event gets an id, then locks 20561 and its process id, and then writes the
-- event at a position that is neither below its id nor below the xmax of a snapshot under the lock
-- (late_event_position). This statement's snapshot is taken before pg_locks is read, which shows locks
-- and ids at one moment. So a running writer that it shows is not passed: its id is among those that run, or
-- beyond the xmax here. One that it does not show yet writes at that xmax or above. Other transactions do not
-- matter, however long they run or wait: those that write events neither, until they write the first.
--
-- Events must be read by a later statement: its snapshot includes all writers that had ended here.
--
-- Ids are comparable within one history only. It is '' if it has not begun: see BeginEventHistory. After a crash the
-- server gives out once more the ids of which nothing had reached its disk: a horizon holds until then, and is no
-- position to remember. Recovery tells one run from the next: the statistics are reset when the server recovers.
-- name: GetStreamHorizon :one
WITH locks AS MATERIALIZED (
    SELECT l.virtualtransaction, l.locktype, l.transactionid
    FROM pg_locks AS l
    WHERE (l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock')
        OR (l.locktype = 'advisory'
            AND l.classid = 20561
            AND l.objsubid = 2
            AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()))
), history AS MATERIALIZED (
    SELECT h.id, h.first_seq FROM event_histories AS h WHERE h.id = current_event_history()
)
SELECT
    least(
        pg_snapshot_xmax(pg_current_snapshot()),
        (
            SELECT x.xid
            FROM pg_snapshot_xip(pg_current_snapshot()) AS x (xid)
            JOIN locks AS l ON l.transactionid = x.xid::xid
            WHERE l.virtualtransaction IN (SELECT w.virtualtransaction FROM locks AS w WHERE w.locktype = 'advisory')
            ORDER BY x.xid
            LIMIT 1
        )
    )::text AS xid,
    pg_snapshot_xmax(pg_current_snapshot())::text AS newest_xid,
    coalesce((SELECT h.id FROM history AS h), '')::text AS history,
    coalesce((SELECT h.first_seq FROM history AS h), 0)::bigint AS first_seq,
    coalesce(extract(EPOCH FROM pg_stat_get_bgwriter_stat_reset_time()), 0)::text AS recovery;

-- Returns the last event of a tenant below a horizon, whoever sees it. Its commit is on the disk, so that its position
-- holds after a crash, too.
-- name: GetLastStreamEvent :one
SELECT e.xid, e.seq
FROM pickup_events AS e
WHERE e.tenant_id = @tenant_id
    AND e.xid < (@horizon::text)::xid8
    AND e.seq > @first_seq::bigint
ORDER BY e.xid DESC, e.seq DESC
LIMIT 1;

-- Begins the history of events that the server writes now, unless it has begun.
-- Closes: two processes begin one history twice
-- name: BeginEventHistory :exec
SELECT begin_event_history();

-- Ends the transaction unless the server writes this history, and has not recovered from a crash since, if that is not
-- ''. It goes in one round trip with the statement that it is for.
-- name: RequireEventHistory :exec
SELECT require_event_history(
    CASE
        WHEN @recovery::text IN ('', coalesce(extract(EPOCH FROM pg_stat_get_bgwriter_stat_reset_time()), 0)::text)
            THEN @history::text
        ELSE ''
    END);

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

-- Looks at the next events after a position and below a horizon, and returns those that the viewer sees, and
-- the last one in any case: its position is where to continue, also if nothing was seen. A call reads no more
-- than its share, however far back it resumes and whatever the viewer sees.
-- If staff of up to fifty facilities see few of the next events, the call merges those of each facility instead,
-- up to where one of them has more. A merge costs an index lookup for each facility, which is more than what
-- many facilities save. Stored rows decide between the two, not the planner.
-- For staff, an event tells its facility. Where it does not (it is from before migration 00043), its pickup is
-- looked up, once a call and by its key. A driver sees the events that assign a pickup to them or remove it,
-- since their login was linked. What admins, dispatchers and hubs see depends only on their role: their
-- streams share reads.
-- name: StreamPickupEvents :many
WITH mine AS MATERIALIZED (
    SELECT DISTINCT v.facility_id
    FROM facility_viewers AS v
    WHERE v.tenant_id = @tenant_id AND v.user_id = @viewer_id AND @viewer_role::user_role = 'staff'
), near AS MATERIALIZED (
    SELECT e.*
    FROM pickup_events AS e
    WHERE e.tenant_id = @tenant_id
        AND (e.xid, e.seq) > ((@after_xid::text)::xid8, @after_seq::bigint)
        AND e.xid < (@horizon::text)::xid8
        AND e.seq > @first_seq::bigint
    ORDER BY e.xid, e.seq
    LIMIT @max_rows::int
), sparse AS MATERIALIZED (
    -- One row if facilities are merged: how many events of each are read.
    SELECT greatest(4, (@max_rows::int) / greatest(1, count(*)))::int AS most
    FROM mine
    HAVING @viewer_role = 'staff'
        AND count(*) <= 50
        AND (SELECT count(*) FROM near) = @max_rows::int
        AND (20 + count(*)) * (
            SELECT count(*) FROM near AS e
            WHERE e.facility_id IN (SELECT m.facility_id FROM mine AS m)) < @max_rows::int
), merged AS MATERIALIZED (
    SELECT e.*
    FROM sparse AS s
    CROSS JOIN mine AS m
    CROSS JOIN LATERAL (
        -- Compared and sorted by all columns of the index after the tenant, so that no other one seems to do as
        -- well, whatever the statistics say: see newest_pickups.
        SELECT k.*
        FROM (
            SELECT e.*
            FROM pickup_events AS e
            WHERE e.tenant_id = @tenant_id
                AND (e.facility_id, e.xid, e.seq) > (m.facility_id, (@after_xid::text)::xid8, @after_seq::bigint)
                AND (e.facility_id, e.xid, e.seq) < (m.facility_id, (@horizon::text)::xid8, 0::bigint)
                AND e.seq > @first_seq::bigint
            ORDER BY e.facility_id, e.xid, e.seq
            LIMIT 1000
        ) AS k
        ORDER BY k.facility_id, k.xid, k.seq
        LIMIT s.most
    ) AS e
    UNION ALL
    SELECT e.*
    FROM sparse AS s
    CROSS JOIN LATERAL (
        SELECT e.*
        FROM pickup_events AS e
        WHERE e.tenant_id = @tenant_id
            AND e.facility_id IS NULL
            AND (e.xid, e.seq) > ((@after_xid::text)::xid8, @after_seq::bigint)
            AND e.xid < (@horizon::text)::xid8
            AND e.seq > @first_seq::bigint
        ORDER BY e.facility_id, e.xid, e.seq -- the index's order: PostgreSQL does not see that there is one facility_id
        LIMIT s.most
    ) AS e
), ends AS MATERIALIZED (
    -- Where the first facility that may have more was read to.
    SELECT p.xid, p.seq
    FROM sparse AS s
    CROSS JOIN (
        SELECT e.xid, e.seq, row_number() OVER (PARTITION BY e.facility_id ORDER BY e.xid, e.seq) AS place
        FROM merged AS e
    ) AS p
    WHERE p.place = s.most
    ORDER BY p.xid, p.seq
    LIMIT 1
), page AS MATERIALIZED (
    SELECT n.* FROM near AS n WHERE NOT EXISTS (SELECT FROM sparse)
    UNION ALL
    SELECT e.* FROM merged AS e WHERE NOT EXISTS (SELECT FROM ends AS z WHERE (e.xid, e.seq) > (z.xid, z.seq))
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
            (role_sees_event(
                @viewer_role::user_role, e.transition, e.after, e.driver_id, @viewer_driver_id::uuid)
                OR @viewer_role = 'staff' AND (
                    e.facility_id IN (SELECT m.facility_id FROM mine AS m)
                    OR e.pickup_id IN (SELECT s.id FROM staffs AS s)))
            AND (@viewer_role <> 'driver' OR e.created_at >= (
                SELECT d.user_since FROM drivers AS d
                WHERE d.tenant_id = @tenant_id AND d.id = @viewer_driver_id AND d.user_id = @viewer_id)),
            false) AS seen,
        row_number() OVER (ORDER BY e.xid DESC, e.seq DESC) = 1 AS is_last
    FROM page AS e
)
SELECT
    j.tenant_id, j.id, j.pickup_id, j.version, j.transition, j.actor_id, j.before, j.after, j.driver_id,
    j.idempotency_key, j.request_digest, j.created_at, j.xid, j.seq, j.facility_id,
    j.seen::boolean AS seen,
    CASE
        WHEN EXISTS (SELECT FROM sparse) THEN EXISTS (SELECT FROM ends)
        ELSE (SELECT count(*) FROM near) = @max_rows::int
    END::boolean AS more
FROM judged AS j
WHERE (j.seen OR j.is_last)
ORDER BY j.xid, j.seq;
