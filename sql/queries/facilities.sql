-- Closes: a retried request makes a second facility
-- name: CreateFacility :one
INSERT INTO facilities (tenant_id, id, name, address, latitude, longitude, request_digest)
VALUES (@tenant_id, @id, @name, @address, @latitude, @longitude, @request_digest)
ON CONFLICT (tenant_id, id) DO NOTHING
RETURNING *;

-- name: GetFacility :one
SELECT * FROM facilities AS f
WHERE f.tenant_id = @tenant_id
    AND f.id = @id
    AND CASE @viewer_role::user_role
        WHEN 'admin' THEN true
        WHEN 'dispatcher' THEN true
        WHEN 'driver' THEN f.id IN (
            SELECT p.facility_id
            FROM pickups AS p
            WHERE p.tenant_id = @tenant_id AND role_sees_pickup('driver', p.status, p.driver_id,
                @viewer_driver_id::uuid))
        ELSE EXISTS (
            SELECT FROM facility_viewers AS v
            WHERE v.tenant_id = f.tenant_id AND v.facility_id = f.id AND v.user_id = @viewer_id)
    END;

-- name: ListFacilities :many
SELECT * FROM facilities AS f
WHERE f.tenant_id = @tenant_id
    AND CASE @viewer_role::user_role
        WHEN 'admin' THEN true
        WHEN 'dispatcher' THEN true
        WHEN 'driver' THEN f.id IN (
            SELECT p.facility_id
            FROM pickups AS p
            WHERE p.tenant_id = @tenant_id AND role_sees_pickup('driver', p.status, p.driver_id,
                @viewer_driver_id::uuid))
        ELSE EXISTS (
            SELECT FROM facility_viewers AS v
            WHERE v.tenant_id = f.tenant_id AND v.facility_id = f.id AND v.user_id = @viewer_id)
    END
    AND (f.created_at, f.id) < (@before_created_at::timestamptz, @before_id::uuid)
ORDER BY f.created_at DESC, f.id DESC
LIMIT @max_rows::int;

-- Returns whether the viewer sees the facility through one of their groups, which access to patient
-- data requires whatever the role.
-- name: SeesFacility :one
SELECT EXISTS (
    SELECT FROM facility_viewers AS v
    WHERE v.tenant_id = @tenant_id AND v.facility_id = @facility_id AND v.user_id = @viewer_id);

-- Raises an error if the viewer does not see the facility any more, because they were removed from the
-- group during the transaction.
-- name: ConfirmFacility :exec
SELECT refuse_authority('WB003')
WHERE NOT EXISTS (
    SELECT FROM facility_viewers AS v
    WHERE v.tenant_id = @tenant_id AND v.facility_id = @facility_id AND v.user_id = @viewer_id);

-- Closes: an edit clobbers another that it has not seen
-- name: EditFacility :one
UPDATE facilities
SET name = coalesce(sqlc.narg('name'), name),
    address = coalesce(sqlc.narg('address'), address),
    latitude = coalesce(sqlc.narg('latitude'), latitude),
    longitude = coalesce(sqlc.narg('longitude'), longitude),
    max_cancel_share = coalesce(sqlc.narg('max_cancel_share'), max_cancel_share),
    version = version + 1
WHERE tenant_id = @tenant_id AND id = @id AND version = @version
RETURNING *;
