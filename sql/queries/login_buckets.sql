-- Takes a token from a bucket, which gets another one in each refill interval. No row if the bucket is empty:
-- then it would take longer than @drained to become full.
-- Closes: parallel guesses take one token together
-- name: TakeLoginToken :one
INSERT INTO login_buckets AS b (key, full_at)
VALUES (@key, now() + @refill::interval)
ON CONFLICT (key) DO UPDATE
SET full_at = greatest(b.full_at, now()) + (excluded.full_at - now())
WHERE b.full_at <= now() + @drained::interval
RETURNING full_at;

-- Returns the time until the next token.
-- name: GetLoginTokenWait :one
SELECT (full_at - now() - @drained::interval)::interval AS wait
FROM login_buckets
WHERE key = @key;

-- Returns a token after a correct password; failures of others stay counted.
-- Closes: tokens given back at once count as one
-- name: ReturnLoginToken :execrows
UPDATE login_buckets
SET full_at = full_at - @refill::interval
WHERE key = @key;

-- Deletes a few full buckets: a full bucket is equivalent to none.
-- Closes: a bucket that is being drained is swept away
-- name: SweepLoginBuckets :execrows
WITH filled AS MATERIALIZED (
    SELECT key FROM login_buckets
    WHERE full_at < now()
    ORDER BY full_at
    LIMIT 8
    FOR UPDATE SKIP LOCKED
)
DELETE FROM login_buckets AS b
USING filled AS f
WHERE b.key = f.key;
