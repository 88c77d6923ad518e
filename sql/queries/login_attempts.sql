-- Returns the state of the tries under a key: whether the user has logged in from there, and how long
-- the next try must wait.
-- name: GetLoginAttempt :one
SELECT
    (known AND expires_at > now())::boolean AS known,
    (next_at - now())::interval AS wait
FROM login_attempts
WHERE key = @key;

-- Counts a try before the password is checked, so that concurrent guesses are all counted. The fourth
-- consecutive failure makes the next try wait a second, each further one twice as long, at most a
-- quarter of an hour. Failures expire an hour after the last one.
-- Closes: parallel guesses go uncounted
-- name: CountLoginAttempt :one
INSERT INTO login_attempts AS a (key, failures, expires_at)
VALUES (@key, 1, now() + interval '1 hour')
ON CONFLICT (key) DO UPDATE
SET failures = a.failures + 1,
    next_at = CASE
        WHEN a.failures < 3 THEN a.next_at
        ELSE now() + least(interval '1 second' * 2 ^ least(a.failures - 3, 20), interval '15 minutes')
    END,
    expires_at = greatest(a.expires_at, excluded.expires_at)
WHERE a.next_at <= now()
RETURNING failures;

-- Records a successful login under a key, and deletes the failures before it.
-- Closes: logins at once are not all recorded
-- name: RememberLogin :one
INSERT INTO login_attempts AS a (key, known, expires_at)
VALUES (@key, true, now() + @known_for::interval)
ON CONFLICT (key) DO UPDATE
SET failures = 0,
    next_at = 'epoch',
    known = true,
    expires_at = greatest(a.expires_at, excluded.expires_at)
RETURNING expires_at;

-- Deletes the tries under a key after a correct password.
-- Closes: the tries of a session are forgotten twice
-- name: ForgetLoginAttempts :execrows
DELETE FROM login_attempts WHERE key = @key;

-- Deletes a few expired rows: more than a login adds. Locked rows are skipped, since they are being
-- counted.
-- Closes: a try that is being counted is swept away
-- name: SweepLoginAttempts :execrows
WITH expired AS MATERIALIZED (
    SELECT key FROM login_attempts
    WHERE expires_at < now()
    ORDER BY expires_at
    LIMIT 8
    FOR UPDATE SKIP LOCKED
)
DELETE FROM login_attempts AS a
USING expired AS e
WHERE a.key = e.key;
