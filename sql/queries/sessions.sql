-- Creates a session for a user whose password was verified against password_hash. That hash is tested
-- again on the locked row: after a change of the password or a deactivation no row matches.
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
    -- Their expired sessions: the table does not grow with the number of logins.
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

-- Returns the viewers of tokens by their hashes: no row unless the session, its user and the password
-- that it was opened with are all still valid (live_sessions). The driver is the one whose login this
-- is, or the nil UUID. Asked counts from 1. Fresh_for is the time until last_seen_at must be updated: see
-- TouchSession.
--
-- LIMIT removes no rows. With it, the generic plan expects one row instead of ten from unnest;
-- otherwise it seems more expensive than planning anew for each request, which took 0.15 of the 0.28 ms
-- of ConfirmSessions. The same holds wherever one array names rows by key.
-- name: GetSessions :many
SELECT
    a.asked::bigint AS asked,
    s.tenant_id,
    s.user_id,
    s.role,
    s.driver_id,
    t.digest_key,
    s.expires_at,
    (s.last_seen_at + interval '1 minute' - now())::interval AS fresh_for
FROM (
    SELECT *
    FROM unnest(@tenant_ids::uuid[], @token_hashes::bytea[]) WITH ORDINALITY AS u (tenant_id, token_hash, asked)
    LIMIT cardinality(@tenant_ids::uuid[])
) AS a
JOIN live_sessions AS s ON s.tenant_id = a.tenant_id AND s.token_hash = a.token_hash
JOIN tenants AS t ON t.id = s.tenant_id
WHERE s.last_seen_at > now() - @idle::interval;

-- Raises an error if the session of a request is not as the process has cached it: it has ended or
-- was unused for too long, its user has another role or driver, or last_seen_at must be updated. It is
-- the first statement of the transaction, and keeps the next ones from running. Those have snapshots
-- of their own: a session that ends in between was valid after the request arrived, and a write is
-- confirmed again after it has its locks.
-- name: RequireSessions :exec
SELECT refuse_authority('WB004')
FROM (
    SELECT *
    FROM unnest(
        @tenant_ids::uuid[], @token_hashes::bytea[], @user_ids::uuid[], @roles::text[], @driver_ids::uuid[],
        @expires_ats::timestamptz[])
        AS u (tenant_id, token_hash, user_id, role, driver_id, expires_at)
    LIMIT cardinality(@tenant_ids::uuid[])
) AS a
LEFT JOIN LATERAL (
    SELECT s.user_id, s.role, s.driver_id, s.expires_at
    FROM live_sessions AS s
    WHERE s.tenant_id = a.tenant_id
        AND s.token_hash = a.token_hash
        AND s.last_seen_at > now() - least(@idle::interval, interval '1 minute')
    LIMIT 1
) AS l ON true
WHERE (l.user_id, l.role, l.driver_id, l.expires_at)
    IS DISTINCT FROM (a.user_id, a.role::user_role, a.driver_id, a.expires_at);

-- Raises an error if the session of a write has changed since the request was admitted: it has ended,
-- or its user has another role or driver. It is the last statement, so it reads a new snapshot after
-- the write has its locks. It locks nothing: only the moment until the commit remains. LIMIT 1 makes
-- each a lookup by key, whatever the planner expects.
-- name: ConfirmSessions :exec
SELECT refuse_authority(CASE WHEN l.role IS NULL THEN 'WB001' ELSE 'WB002' END)
FROM (
    SELECT *
    FROM unnest(@tenant_ids::uuid[], @token_hashes::bytea[], @roles::text[], @driver_ids::uuid[])
        AS u (tenant_id, token_hash, role, driver_id)
    LIMIT cardinality(@tenant_ids::uuid[])
) AS a
LEFT JOIN LATERAL (
    SELECT s.role, s.driver_id
    FROM live_sessions AS s
    WHERE s.tenant_id = a.tenant_id AND s.token_hash = a.token_hash
    LIMIT 1
) AS l ON true
WHERE (l.role, l.driver_id) IS DISTINCT FROM (a.role::user_role, a.driver_id);

-- The same for a write that may end its own session. What has ended it does not count if this transaction wrote the row
-- that says so: the session that is revoked, the user who is not active or has another role or password, the driver
-- whose login it is or was. That it wrote one of these rows for another reason, such as a driver's own edit, counts for
-- nothing. The earlier state must be confirmed by its first statement.
-- name: ConfirmSessionOrItsEnd :exec
SELECT refuse_authority(
    CASE
        WHEN EXISTS (SELECT FROM live_sessions AS l WHERE l.tenant_id = a.tenant_id AND l.token_hash = a.token_hash)
            THEN 'WB002'
        ELSE 'WB001'
    END)
FROM (
    SELECT *
    FROM unnest(@tenant_ids::uuid[], @token_hashes::bytea[], @roles::text[], @driver_ids::uuid[])
        AS u (tenant_id, token_hash, role, driver_id)
    LIMIT cardinality(@tenant_ids::uuid[])
) AS a
LEFT JOIN LATERAL (
    SELECT true AS is_good
    FROM sessions AS s
    CROSS JOIN (SELECT pg_current_xact_id_if_assigned()::xid AS id) AS own
    JOIN users AS u ON u.tenant_id = s.tenant_id AND u.id = s.user_id
    WHERE s.tenant_id = a.tenant_id
        AND s.token_hash = a.token_hash
        AND s.expires_at > statement_timestamp()
        AND (s.revoked_at IS NULL OR s.xmin = own.id)
        AND (u.active AND u.role = a.role::user_role AND u.password_epoch = s.password_epoch OR u.xmin = own.id)
        AND NOT EXISTS (
            SELECT FROM drivers AS d -- whose login it was
            WHERE d.tenant_id = s.tenant_id
                AND d.id = a.driver_id
                AND d.user_id IS DISTINCT FROM s.user_id
                AND d.xmin IS DISTINCT FROM own.id)
        AND NOT EXISTS (
            SELECT FROM drivers AS d -- whose login it has become
            WHERE d.tenant_id = s.tenant_id
                AND d.user_id = s.user_id
                AND d.id <> a.driver_id
                AND d.xmin IS DISTINCT FROM own.id)
    LIMIT 1
) AS k ON true
WHERE k.is_good IS NULL;

-- Advances last_seen_at at most once a minute: reads stay reads.
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
