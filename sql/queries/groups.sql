-- Closes: a retried request makes a second group
-- name: CreateGroup :one
INSERT INTO groups (tenant_id, id, name, request_digest)
VALUES (@tenant_id, @id, @name, @request_digest)
ON CONFLICT (tenant_id, id) DO NOTHING
RETURNING *;

-- name: GetGroup :one
SELECT * FROM groups WHERE tenant_id = @tenant_id AND id = @id;

-- name: ListGroups :many
SELECT * FROM groups
WHERE tenant_id = @tenant_id
    AND (created_at, id) < (@before_created_at::timestamptz, @before_id::uuid)
ORDER BY created_at DESC, id DESC
LIMIT @max_rows::int;

-- name: ListGroupMembers :many
SELECT * FROM group_members
WHERE tenant_id = @tenant_id AND group_id = @group_id AND user_id > @after_user_id::uuid
ORDER BY user_id
LIMIT @max_rows::int;

-- name: ListGroupFacilities :many
SELECT * FROM group_facilities
WHERE tenant_id = @tenant_id AND group_id = @group_id AND facility_id > @after_facility_id::uuid
ORDER BY facility_id
LIMIT @max_rows::int;

-- Closes: an edit overwrites an unseen edit
-- name: EditGroup :one
UPDATE groups
SET name = coalesce(sqlc.narg('name'), name),
    version = version + 1
WHERE tenant_id = @tenant_id AND id = @id AND version = @version
RETURNING *;

-- Closes: a member added twice
-- Closes: a membership of an unknown group or user
-- name: AddGroupMember :execrows
INSERT INTO group_members (tenant_id, group_id, user_id)
VALUES (@tenant_id, @group_id, @user_id)
ON CONFLICT (tenant_id, group_id, user_id) DO NOTHING;

-- Closes: a facility added to a group twice
-- Closes: a group shows an unknown facility
-- name: AddGroupFacility :execrows
INSERT INTO group_facilities (tenant_id, group_id, facility_id)
VALUES (@tenant_id, @group_id, @facility_id)
ON CONFLICT (tenant_id, group_id, facility_id) DO NOTHING;

-- Closes: a member removed twice
-- name: RemoveGroupMember :execrows
DELETE FROM group_members
WHERE tenant_id = @tenant_id AND group_id = @group_id AND user_id = @user_id;

-- Closes: a facility removed from a group twice
-- name: RemoveGroupFacility :execrows
DELETE FROM group_facilities
WHERE tenant_id = @tenant_id AND group_id = @group_id AND facility_id = @facility_id;
