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

-- How long a user has to wait for the next login.
-- name: GetLoginWait :one
SELECT (next_login_at - now())::interval AS wait
FROM users
WHERE tenant_id = @tenant_id AND lower(email) = lower(@email::text) AND active;

-- name: ListUsers :many
SELECT * FROM users
WHERE tenant_id = @tenant_id
    AND (@viewer_role::user_role IN ('admin', 'dispatcher') OR id = @viewer_id)
    AND (created_at, id) < (@before_created_at::timestamptz, @before_id::uuid)
ORDER BY created_at DESC, id DESC
LIMIT @max_rows::int;

-- Counts a login before its password is looked at, so that guesses sent at once
-- are all counted. The fourth failure in a row makes the next one wait a second,
-- each further one twice as long, a quarter of an hour at most. A login that
-- succeeds (CreateSession) sets all of it back.
-- Closes: parallel guesses go uncounted
-- name: CountLoginAttempt :one
UPDATE users
SET failed_logins = failed_logins + 1,
    next_login_at = CASE
        WHEN failed_logins < 3 THEN next_login_at
        ELSE now() + least(interval '1 second' * 2 ^ least(failed_logins - 3, 20), interval '15 minutes')
    END
WHERE tenant_id = @tenant_id
    AND lower(email) = lower(@email::text)
    AND active
    AND next_login_at <= now()
RETURNING id, password_hash;

-- Sets the count back for who gave the right password without opening a session.
-- Closes: a password that is no longer good clears the count of guesses
-- name: ClearLoginAttempts :execrows
UPDATE users
SET failed_logins = 0, next_login_at = 'epoch'
WHERE tenant_id = @tenant_id AND id = @id AND password_hash = @password_hash;

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

-- Sets a password in the place of the one whose hash was verified; every session
-- opened with that one is over.
-- Closes: two password changes both succeed with the old password
-- Closes: a deactivated user sets a password
-- name: ChangePassword :one
UPDATE users
SET password_hash = @new_password_hash,
    password_epoch = password_epoch + 1,
    failed_logins = 0,
    next_login_at = 'epoch'
WHERE tenant_id = @tenant_id
    AND id = @id
    AND active
    AND password_hash = @password_hash
RETURNING *;

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
