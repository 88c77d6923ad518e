-- Closes: a retried request makes a second user
-- Closes: two users of a tenant share one email address
-- name: CreateUser :one
INSERT INTO users (tenant_id, id, email, name, role, password_hash, request_digest)
VALUES (@tenant_id, @id, @email, @name, @role, @password_hash, @request_digest)
ON CONFLICT (tenant_id, id) DO NOTHING
RETURNING *;

-- name: GetUser :one
SELECT * FROM users
WHERE tenant_id = @tenant_id
    AND id = @id
    AND (@viewer_role::user_role IN ('admin', 'dispatcher') OR id = @viewer_id);

-- Whose password a login is about.
-- name: GetLogin :one
SELECT id, password_hash FROM users
WHERE tenant_id = @tenant_id AND fold_case(email) = fold_case(@email::text) AND active;

-- name: ListUsers :many
SELECT * FROM users
WHERE tenant_id = @tenant_id
    AND (@viewer_role::user_role IN ('admin', 'dispatcher') OR id = @viewer_id)
    AND (created_at, id) < (@before_created_at::timestamptz, @before_id::uuid)
ORDER BY created_at DESC, id DESC
LIMIT @max_rows::int;

-- Closes: an edit clobbers another that it has not seen
-- name: EditUser :one
UPDATE users
SET email = coalesce(sqlc.narg('email'), email),
    name = coalesce(sqlc.narg('name'), name),
    role = coalesce(sqlc.narg('role'), role),
    version = version + 1
WHERE tenant_id = @tenant_id
    AND id = @id
    AND version = @version
    AND (@viewer_role::user_role = 'admin' OR id = @viewer_id)
RETURNING *;

-- Sets a password in the place of the one of that epoch; every session opened with that
-- one is over. A hash that was renewed meanwhile is the same password's.
-- Closes: two password changes both succeed with the old password
-- Closes: a deactivated user sets a password
-- name: ChangePassword :one
UPDATE users
SET password_hash = @new_password_hash,
    password_epoch = password_epoch + 1
WHERE tenant_id = @tenant_id
    AND id = @id
    AND active
    AND password_epoch = @password_epoch
RETURNING *;

-- Stores another hash of the same password: of a higher cost, or of its prepared form. No
-- session ends.
-- Closes: a renewed hash brings back a password that was changed
-- name: RenewPasswordHash :execrows
UPDATE users
SET password_hash = @new_password_hash
WHERE tenant_id = @tenant_id
    AND id = @id
    AND password_hash = @password_hash;

-- Deactivates a user and ends their sessions. The raised epoch ends those too that
-- are being opened right now.
-- Closes: a deactivated user keeps a session
-- Closes: a user is deactivated twice
-- name: DeactivateUser :one
WITH deactivated AS (
    UPDATE users
    SET active = false,
        password_epoch = password_epoch + 1,
        version = version + 1
    WHERE tenant_id = @tenant_id::uuid
        AND id = @id::uuid
        AND active
    RETURNING *
), ended AS (
    UPDATE sessions AS s
    SET revoked_at = now()
    FROM deactivated AS d
    WHERE s.tenant_id = d.tenant_id
        AND s.user_id = d.id
        AND s.revoked_at IS NULL
)
SELECT sqlc.embed(users) FROM deactivated AS users;
