-- Opens a session for a user whose password was verified against password_hash.
-- Testing that hash again, on the locked row, is what makes it safe: a password
-- changed or a user deactivated in the meantime leaves nobody to insert for.
-- Closes: a login outlives the password it verified
-- Closes: a login outlives the deactivation of its user
-- name: CreateSession :one
WITH verified AS (
    SELECT * FROM users
    WHERE tenant_id = @tenant_id::uuid
        AND id = @user_id::uuid
        AND active
        AND password_hash = @password_hash::text
    FOR NO KEY UPDATE
), swept AS (
    -- Theirs that nobody can use any more: the table does not grow with the logins.
    DELETE FROM sessions AS s
    USING verified AS v
    WHERE s.tenant_id = v.tenant_id
        AND s.user_id = v.id
        AND s.expires_at < now()
), opened AS (
    INSERT INTO sessions (tenant_id, token_hash, user_id, password_epoch, expires_at)
    SELECT tenant_id, @token_hash::bytea, id, password_epoch, now() + @lifetime::interval
    FROM verified
    RETURNING expires_at
)
SELECT sqlc.embed(users), opened.expires_at
FROM verified AS users, opened;

-- Who calls, by the hashes of their tokens: nobody, unless the session, its user and
-- the password it was opened with are all still good. The driver is the one whose
-- login this is, else the nil uuid. Asked counts from 1.
-- name: GetSessions :many
SELECT
    a.asked::bigint AS asked,
    s.tenant_id,
    s.user_id,
    u.role,
    coalesce(d.id, '00000000-0000-0000-0000-000000000000')::uuid AS driver_id,
    t.digest_key,
    s.expires_at,
    (s.last_seen_at < now() - interval '1 minute')::boolean AS stale
FROM unnest(@tenant_ids::uuid[], @token_hashes::bytea[]) WITH ORDINALITY AS a (tenant_id, token_hash, asked)
JOIN sessions AS s ON s.tenant_id = a.tenant_id AND s.token_hash = a.token_hash
JOIN users AS u ON u.tenant_id = s.tenant_id AND u.id = s.user_id
JOIN tenants AS t ON t.id = s.tenant_id
LEFT JOIN drivers AS d ON d.tenant_id = s.tenant_id AND d.user_id = s.user_id
WHERE s.revoked_at IS NULL
    AND s.expires_at > now()
    AND s.last_seen_at > now() - @idle::interval
    AND s.password_epoch = u.password_epoch
    AND u.active;

-- Moves last_seen_at forward, at most once a minute: reads stay reads.
-- Closes: many requests of one session all write its last_seen_at
-- name: TouchSession :execrows
UPDATE sessions
SET last_seen_at = now()
WHERE tenant_id = @tenant_id
    AND token_hash = @token_hash
    AND last_seen_at < now() - interval '1 minute';

-- Closes: a token revoked twice
-- name: RevokeSession :execrows
UPDATE sessions
SET revoked_at = now()
WHERE tenant_id = @tenant_id
    AND token_hash = @token_hash
    AND revoked_at IS NULL;
