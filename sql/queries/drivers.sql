-- Creates a driver; a trigger adds an empty slot (drivers_keep_slot).
-- Closes: a retried request makes a second driver
-- Closes: two drivers share one login
-- name: CreateDriver :one
INSERT INTO drivers (tenant_id, id, user_id, name, on_duty, latitude, longitude, located_at, request_digest)
VALUES (
    @tenant_id, @id, sqlc.narg('user_id'), @name, @on_duty,
    sqlc.narg('latitude'), sqlc.narg('longitude'),
    CASE WHEN sqlc.narg('latitude')::float8 IS NOT NULL THEN now() END,
    @request_digest)
ON CONFLICT (tenant_id, id) DO NOTHING
RETURNING *;

-- name: GetDriver :one
SELECT * FROM drivers
WHERE tenant_id = @tenant_id
    AND id = @id
    AND (@viewer_role::user_role <> 'driver' OR id = @viewer_driver_id::uuid);

-- Returns the driver whose login is a user.
-- name: GetDriverOfUser :one
SELECT id FROM drivers
WHERE tenant_id = @tenant_id
    AND user_id = @user_id::uuid
    AND (@viewer_role::user_role <> 'driver' OR id = @viewer_driver_id::uuid);

-- Lists drivers, newest first. Who does what is read from the slots of the tenant, and only if it is asked for.
-- name: ListDrivers :many
WITH doing AS MATERIALIZED (
    SELECT s.driver_id
    FROM driver_slots AS s
    WHERE s.tenant_id = @tenant_id::uuid AND driver_state(s.on_duty, s.pickup_id) = sqlc.narg('state')::text
)
SELECT d.*
FROM drivers AS d
WHERE d.tenant_id = @tenant_id::uuid
    AND (@viewer_role::user_role <> 'driver' OR d.id = @viewer_driver_id::uuid)
    -- IS TRUE keeps the planner from a join, which would read all drivers.
    AND (sqlc.narg('state')::text IS NULL OR (d.id IN (SELECT s.driver_id FROM doing AS s)) IS TRUE)
    AND (d.created_at, d.id) < (@before_created_at::timestamptz, @before_id::uuid)
ORDER BY d.created_at DESC, d.id DESC
LIMIT @max_rows::int;

-- Lists drivers by their distance from a point, those without a location last. It reads the drivers and slots of the
-- tenant, as dispatch does: an index of places would be written with each move.
-- name: ListNearestDrivers :many
WITH doing AS MATERIALIZED (
    SELECT s.driver_id
    FROM driver_slots AS s
    WHERE s.tenant_id = @tenant_id::uuid AND driver_state(s.on_duty, s.pickup_id) = sqlc.narg('state')::text
), placed AS MATERIALIZED (
    SELECT
        d.id,
        coalesce(
            distance_meters(d.latitude, d.longitude, @near_latitude::float8, @near_longitude::float8),
            'Infinity') AS distance
    FROM drivers AS d
    WHERE d.tenant_id = @tenant_id
        AND (@viewer_role::user_role <> 'driver' OR d.id = @viewer_driver_id::uuid)
        -- IS TRUE keeps the planner from a join.
        AND (sqlc.narg('state')::text IS NULL OR (d.id IN (SELECT s.driver_id FROM doing AS s)) IS TRUE)
), page AS MATERIALIZED (
    SELECT p.id, p.distance
    FROM placed AS p
    WHERE (p.distance, p.id) > (@after_distance::float8, @after_id::uuid)
    ORDER BY p.distance, p.id
    LIMIT @max_rows::int
)
SELECT sqlc.embed(d), p.distance::float8 AS distance
FROM page AS p
CROSS JOIN LATERAL (
    SELECT *
    FROM drivers AS d
    WHERE d.tenant_id = @tenant_id AND d.id = p.id
    LIMIT 1
) AS d
ORDER BY p.distance, p.id;

-- Closes: an edit overwrites an unseen edit
-- Closes: an edit and an assign of one driver wait for each other
-- name: EditDriver :one
WITH slot AS MATERIALIZED (
    -- Locks the slot before the driver, in the lock order of dispatch.
    SELECT s.tenant_id, s.driver_id
    FROM driver_slots AS s
    WHERE s.tenant_id = @tenant_id AND s.driver_id = @id
    FOR NO KEY UPDATE OF s
)
UPDATE drivers AS d
SET name = coalesce(sqlc.narg('name'), d.name),
    user_id = CASE WHEN @set_user_id::boolean THEN sqlc.narg('user_id')::uuid ELSE d.user_id END,
    on_duty = coalesce(sqlc.narg('on_duty'), d.on_duty),
    latitude = coalesce(sqlc.narg('latitude'), d.latitude),
    longitude = coalesce(sqlc.narg('longitude'), d.longitude),
    -- Never decreases: an older observation came too late.
    located_at = CASE
        WHEN sqlc.narg('latitude')::float8 IS NULL THEN d.located_at
        ELSE greatest(d.located_at, clock_timestamp())
    END,
    version = d.version + 1
FROM slot AS s
WHERE d.tenant_id = s.tenant_id
    AND d.id = s.driver_id
    AND d.version = @version
    AND (@viewer_role::user_role <> 'driver' OR d.id = @viewer_driver_id::uuid)
RETURNING d.*;

-- The newest observation wins, whatever the order of arrival. It does not change the version that edits
-- compare, so that a moving fleet does not fail every edit.
-- Closes: a late location overwrites a newer one
-- Closes: two batches deadlock on drivers
-- name: LocateDrivers :many
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
    FOR NO KEY UPDATE OF d /* LocateDriversSkipLocked: SKIP LOCKED */
)
UPDATE drivers AS d
SET latitude = l.latitude,
    longitude = l.longitude,
    located_at = l.located_at,
    location_version = d.location_version + 1
FROM locked AS l
WHERE d.tenant_id = l.tenant_id AND d.id = l.id
RETURNING d.*;
