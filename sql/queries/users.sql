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

-- Returns the user of a login.
-- name: GetLogin :one
SELECT id, password_hash FROM users
WHERE tenant_id = @tenant_id AND fold_case(email) = fold_case(@email::text) AND active;

-- Lists users, newest first. Of one email address, there is one, whom the index of addresses finds; of a role, or
-- of the active or deactivated ones, each combination has its place in the index, and at most a page of each is
-- read. Each is a range of the index, not two values: with these, the planner might read all users in the order of
-- their creation, as row level security hides from it how few a role has.
-- name: ListUsers :many
WITH kinds AS MATERIALIZED (
    SELECT r.role, a.active
    FROM unnest(enum_range(NULL::user_role)) AS r (role)
    CROSS JOIN unnest('{t,f}'::boolean[]) AS a (active)
    WHERE sqlc.narg('email')::text IS NULL
        AND (sqlc.narg('role')::user_role IS NOT NULL OR sqlc.narg('active')::boolean IS NOT NULL)
        AND r.role = coalesce(sqlc.narg('role'), r.role)
        AND a.active = coalesce(sqlc.narg('active'), a.active)
), found AS MATERIALIZED (
    (
        SELECT u.*
        FROM users AS u
        WHERE sqlc.narg('email') IS NULL
            AND sqlc.narg('role') IS NULL
            AND sqlc.narg('active') IS NULL
            AND u.tenant_id = @tenant_id
            AND (u.created_at, u.id) < (@before_created_at::timestamptz, @before_id::uuid)
        ORDER BY u.created_at DESC, u.id DESC
        LIMIT @max_rows::int
    )
    UNION ALL
    SELECT u.*
    FROM kinds AS k
    CROSS JOIN LATERAL (
        SELECT *
        FROM users AS u
        WHERE u.tenant_id = @tenant_id
            AND (u.role, u.active) >= (k.role, k.active)
            AND (u.role, u.active, u.created_at, u.id) < (k.role, k.active, @before_created_at, @before_id)
        ORDER BY u.role DESC, u.active DESC, u.created_at DESC, u.id DESC
        LIMIT @max_rows
    ) AS u
    UNION ALL
    SELECT u.*
    FROM users AS u
    WHERE sqlc.narg('email') IS NOT NULL -- else the addresses of all users might be folded, for nothing
        AND u.tenant_id = @tenant_id
        AND fold_case(u.email) = fold_case(sqlc.narg('email'))
        AND (u.created_at, u.id) < (@before_created_at, @before_id)
        AND (sqlc.narg('name')::text IS NULL OR name_matches(u.name, sqlc.narg('name')))
        AND (sqlc.narg('role') IS NULL OR u.role = sqlc.narg('role'))
        AND (sqlc.narg('active') IS NULL OR u.active = sqlc.narg('active'))
)
SELECT sqlc.embed(users)
FROM found AS users
WHERE @viewer_role::user_role IN ('admin', 'dispatcher') OR users.id = @viewer_id
ORDER BY users.created_at DESC, users.id DESC
LIMIT @max_rows;

-- Finds users by the beginnings of the words of their names, in the order of the word that begins with the longest
-- one asked for. It looks at no more than max_looks entries of user_terms. The last of them is returned too, although
-- it does not fit: the next call continues there. A user is found by the first of their words that fit.
-- name: FindUsers :many
WITH found AS MATERIALIZED (
    SELECT l.term, l.user_id, l.fits, l.is_last
    FROM asked_terms(@name::text, '{}') AS a
    CROSS JOIN LATERAL (
        -- In here, where the order of the index is known: outside, all that is looked at would be sorted first.
        SELECT k.term, k.user_id, k.fits, k.is_last
        FROM (
            SELECT
                e.term,
                e.user_id,
                e.terms LIKE ALL (a.patterns)
                    AND strpos(e.terms, chr(31) || a.first) = strpos(e.terms, chr(31) || e.term || chr(31))
                    AND (sqlc.narg('role')::user_role IS NULL OR e.role = sqlc.narg('role'))
                    AND (sqlc.narg('active')::boolean IS NULL OR e.active = sqlc.narg('active')) AS fits,
                row_number() OVER (ORDER BY e.term, e.user_id) = @max_looks::int AS is_last
            FROM (
                SELECT *
                FROM user_terms AS e
                WHERE e.tenant_id = @tenant_id
                    AND (@viewer_role::user_role IN ('admin', 'dispatcher') OR e.user_id = @viewer_id)
                    AND (e.term, e.user_id) > (greatest(a.first COLLATE "C", @after_term::text), @after_id::uuid)
                    AND e.term < a.past
                ORDER BY e.term, e.user_id
                LIMIT @max_looks
            ) AS e
        ) AS k
        WHERE k.fits OR k.is_last
        ORDER BY k.term, k.user_id
        LIMIT @max_rows::int
    ) AS l
)
SELECT sqlc.embed(u), f.term::text AS term, f.fits::boolean AS fits, f.is_last::boolean AS is_last
FROM found AS f
CROSS JOIN LATERAL (
    SELECT *
    FROM users AS u
    WHERE u.tenant_id = @tenant_id AND u.id = f.user_id
    LIMIT 1
) AS u
ORDER BY f.term, f.user_id;

-- Edits a user, and keeps an active admin in the tenant: if an admin is demoted, the other admins are
-- locked in key order and read in their current state. Otherwise no admin is read or locked.
-- Closes: an edit overwrites an unseen edit
-- Closes: two admins demote each other
-- name: EditUser :one
WITH admins AS MATERIALIZED (
    SELECT u.id FROM users AS u
    WHERE u.tenant_id = @tenant_id::uuid
        AND u.role = 'admin'
        AND u.active
    ORDER BY u.id
    FOR NO KEY UPDATE
)
UPDATE users
SET email = coalesce(sqlc.narg('email')::text, email),
    name = coalesce(sqlc.narg('name')::text, name),
    role = coalesce(sqlc.narg('role')::user_role, role),
    version = version + 1
WHERE tenant_id = @tenant_id::uuid
    AND id = @id::uuid
    AND version = @version::bigint
    AND (@viewer_role::user_role = 'admin' OR id = @viewer_id::uuid)
    AND (
        coalesce(sqlc.narg('role')::user_role, 'admin') = 'admin'
        OR role <> 'admin'
        OR NOT active
        OR EXISTS (SELECT FROM admins AS a WHERE a.id <> @id::uuid)
    )
RETURNING *;

-- Replaces the password of the given epoch, and ends every session opened with it. A hash that was
-- renewed meanwhile is of the same password.
-- Closes: two password changes both succeed with the old password
-- Closes: a deactivated user sets a password
-- name: ChangePassword :one
UPDATE users
SET password_hash = @new_password_hash,
    password_epoch = password_epoch + 1,
    version = version + 1
WHERE tenant_id = @tenant_id
    AND id = @id
    AND active
    AND password_epoch = @password_epoch
RETURNING *;

-- Stores another hash of the same password: with a higher cost, or of its canonical form. No session
-- ends.
-- Closes: a rehash restores an old password
-- name: RenewPasswordHash :execrows
UPDATE users
SET password_hash = @new_password_hash
WHERE tenant_id = @tenant_id
    AND id = @id
    AND password_hash = @password_hash;

-- Deactivates a user and ends their sessions. The incremented epoch also ends sessions that are being
-- created concurrently. The tenant keeps an admin, as in EditUser.
-- Closes: a deactivated user keeps a session
-- Closes: a user is deactivated twice
-- Closes: two admins deactivate each other
-- name: DeactivateUser :one
WITH admins AS MATERIALIZED (
    SELECT u.id FROM users AS u
    WHERE u.tenant_id = @tenant_id::uuid
        AND u.role = 'admin'
        AND u.active
    ORDER BY u.id
    FOR NO KEY UPDATE
), deactivated AS (
    UPDATE users
    SET active = false,
        password_epoch = password_epoch + 1,
        version = version + 1
    WHERE tenant_id = @tenant_id::uuid
        AND id = @id::uuid
        AND active
        AND (role <> 'admin' OR EXISTS (SELECT FROM admins AS a WHERE a.id <> @id::uuid))
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

-- Lets a deactivated user log in again. Earlier sessions stay ended.
-- Closes: a user is reactivated twice
-- name: ReactivateUser :one
UPDATE users
SET active = true,
    version = version + 1
WHERE tenant_id = @tenant_id
    AND id = @id
    AND NOT active
RETURNING *;

-- Returns the password epoch of the user with this address, 0 if there is none, for MakeAdmin. No row:
-- the tenant does not exist.
-- name: GetPasswordEpoch :one
SELECT coalesce(u.password_epoch, 0)::bigint AS password_epoch
FROM tenants AS t
LEFT JOIN users AS u ON u.tenant_id = t.id AND fold_case(u.email) = fold_case(@email::text)
WHERE t.slug = @slug;

-- Makes the user with this address an admin of the tenant with a new password, whether or not they are
-- deactivated, or creates one: the way back in if no admin can log in. All their sessions end. Run by
-- the owner of the schema. No row: the password has changed since the operator looked it up.
-- Closes: two operators make two admins of one address
-- Closes: two operators both set the password of one admin
-- name: MakeAdmin :one
INSERT INTO users AS u (tenant_id, id, email, name, role, password_hash, request_digest)
SELECT t.id, @id::uuid, @email::text, @email::text, 'admin', @password_hash::text, @request_digest::bytea
FROM tenants AS t
WHERE t.slug = @slug::text
ON CONFLICT (tenant_id, fold_case(email)) DO UPDATE
SET role = 'admin',
    active = true,
    password_hash = excluded.password_hash,
    password_epoch = u.password_epoch + 1,
    version = u.version + 1
WHERE u.password_epoch = @password_epoch::bigint
RETURNING *;
