-- A driver with an empty slot.
-- Closes: a retried request makes a second driver
-- Closes: two drivers share one login
-- name: CreateDriver :one
WITH driver AS (
    INSERT INTO drivers (tenant_id, id, user_id, name, on_duty, latitude, longitude, located_at, request_digest)
    VALUES (
        @tenant_id::uuid, @id::uuid, sqlc.narg('user_id')::uuid, @name::text, @on_duty::boolean,
        sqlc.narg('latitude')::float8, sqlc.narg('longitude')::float8,
        CASE WHEN sqlc.narg('latitude')::float8 IS NOT NULL THEN now() END,
        @request_digest::bytea)
    ON CONFLICT (tenant_id, id) DO NOTHING
    RETURNING *
), slot AS (
    INSERT INTO driver_slots (tenant_id, driver_id)
    SELECT tenant_id, id FROM driver
)
SELECT sqlc.embed(drivers) FROM driver AS drivers;

-- name: GetDriver :one
SELECT * FROM drivers
WHERE tenant_id = @tenant_id
    AND id = @id
    AND (@viewer_role::user_role <> 'driver' OR id = @viewer_driver_id::uuid);

-- name: ListDrivers :many
SELECT * FROM drivers
WHERE tenant_id = @tenant_id
    AND (@viewer_role::user_role <> 'driver' OR id = @viewer_driver_id::uuid)
    AND (created_at, id) < (@before_created_at::timestamptz, @before_id::uuid)
ORDER BY created_at DESC, id DESC
LIMIT @max_rows::int;

-- Closes: an edit clobbers another that it has not seen
-- name: EditDriver :one
UPDATE drivers
SET name = coalesce(sqlc.narg('name'), name),
    user_id = CASE WHEN @set_user_id::boolean THEN sqlc.narg('user_id')::uuid ELSE user_id END,
    on_duty = coalesce(sqlc.narg('on_duty'), on_duty),
    latitude = coalesce(sqlc.narg('latitude'), latitude),
    longitude = coalesce(sqlc.narg('longitude'), longitude),
    located_at = CASE WHEN sqlc.narg('latitude')::float8 IS NULL THEN located_at ELSE now() END,
    version = version + 1
WHERE tenant_id = @tenant_id
    AND id = @id
    AND version = @version
    AND (@viewer_role::user_role <> 'driver' OR id = @viewer_driver_id::uuid)
RETURNING *;

-- The newest observation wins, in whatever order they come. Nothing that edits
-- compare moves: a fleet under way does not fail every edit.
-- Closes: a late location overwrites a newer one
-- name: LocateDriver :one
UPDATE drivers
SET latitude = @latitude::float8,
    longitude = @longitude::float8,
    located_at = @located_at::timestamptz,
    location_version = location_version + 1
WHERE tenant_id = @tenant_id
    AND id = @id
    AND coalesce(located_at, '-infinity') < @located_at
    AND (@viewer_role::user_role <> 'driver' OR id = @viewer_driver_id::uuid)
RETURNING *;
