-- name: GetPickupEvent :one
SELECT * FROM pickup_events WHERE tenant_id = @tenant_id AND id = @id;

-- What an event did: the pickup that it moved, as it is now, and whether its maker still
-- sees it. Whoever knows the event's id made it, or tried to: they learn whether they did.
-- name: GetMovedPickup :one
SELECT
    sqlc.embed(p),
    coalesce(role_sees_pickup(@viewer_role::user_role, p.status, p.driver_id, @viewer_driver_id::uuid)
        OR @viewer_role = 'staff' AND EXISTS (
            SELECT FROM facility_viewers AS v
            WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = @viewer_id), false)::boolean AS seen,
    e.after AS event_after,
    e.version AS event_version,
    e.created_at AS event_created_at
FROM pickup_events AS e
JOIN pickups AS p ON p.tenant_id = e.tenant_id AND p.id = e.pickup_id
WHERE e.tenant_id = @tenant_id
    AND e.id = @event_id
    AND e.actor_id = @viewer_id::uuid;

-- A pickup's events, for who may see the pickup: those that their role is told of, and a
-- driver's login those since it was linked to them.
-- name: ListPickupEvents :many
SELECT e.*
FROM pickup_events AS e
JOIN pickups AS p ON p.tenant_id = e.tenant_id AND p.id = e.pickup_id
WHERE e.tenant_id = @tenant_id
    AND e.pickup_id = @pickup_id
    AND e.version > @after_version::bigint
    AND (role_sees_pickup(@viewer_role::user_role, p.status, p.driver_id, @viewer_driver_id::uuid) OR @viewer_role::user_role = 'staff' AND EXISTS (
        SELECT FROM facility_viewers AS v
        WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = @viewer_id))
    AND (@viewer_role = 'staff' OR role_sees_event(@viewer_role, e.after, e.driver_id, @viewer_driver_id))
    AND (@viewer_role <> 'driver' OR e.created_at >= (
        SELECT d.user_since FROM drivers AS d
        WHERE d.tenant_id = @tenant_id AND d.id = @viewer_driver_id AND d.user_id = @viewer_id))
ORDER BY e.version
LIMIT @max_rows::int;

-- How far the stream can be told: every transaction below this id has ended. What is
-- younger may still get a predecessor, since neither a transaction's id nor a number
-- says when it commits.
-- name: GetStreamHorizon :one
SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS xid;

-- Which of some tenants have events that can be told, each since a horizon of its own, and
-- the horizon of now: one look for all open streams. LIMIT and the order keep it a look
-- into the index for each tenant, since mostly there is nothing to find.
-- name: FindTenantsWithNewEvents :one
SELECT
    pg_snapshot_xmin(pg_current_snapshot())::text AS horizon,
    ARRAY(
        SELECT t.tenant_id
        FROM unnest(@tenant_ids::uuid[], @since_xids::text[]) AS t (tenant_id, since_xid)
        CROSS JOIN LATERAL (
            SELECT FROM pickup_events AS e
            WHERE e.tenant_id = t.tenant_id
                AND e.xid >= t.since_xid::xid8
                AND e.xid < pg_snapshot_xmin(pg_current_snapshot())
            ORDER BY e.xid, e.seq
            LIMIT 1
        ) AS e
    )::uuid[] AS tenant_ids;

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
    AND (role_sees_event(@viewer_role::user_role, e.after, e.driver_id, @viewer_driver_id::uuid) OR @viewer_role = 'staff' AND EXISTS (
        SELECT FROM facility_viewers AS v
        WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = @viewer_id))
    AND (@viewer_role <> 'driver' OR e.created_at >= (
        SELECT d.user_since FROM drivers AS d
        WHERE d.tenant_id = @tenant_id AND d.id = @viewer_driver_id AND d.user_id = @viewer_id))
ORDER BY e.xid, e.seq
LIMIT @max_rows::int;

