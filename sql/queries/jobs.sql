-- Counts the unfinished jobs in each queue by state, with the creation time of the oldest. It uses the
-- index that River fetches by, so that completed jobs cost nothing.
-- name: CountJobs :many
SELECT
    w.queue, w.state::text AS state, w.jobs,
    extract(epoch FROM now() - j.created_at)::float8 AS oldest_seconds
FROM (
    SELECT queue, state, count(*) AS jobs, min(id) AS oldest
    FROM river_job
    WHERE state IN ('available', 'cancelled', 'discarded', 'pending', 'retryable', 'running', 'scheduled')
    GROUP BY queue, state
) AS w
JOIN river_job AS j ON j.id = w.oldest
ORDER BY w.queue, w.state
LIMIT 100;

-- Lists the jobs that may need attention: failed jobs, jobs waiting for a retry, and jobs that have
-- been running for too long.
-- name: ListTroubledJobs :many
SELECT
    id, kind, state::text AS state, args, attempt, max_attempts, created_at, scheduled_at,
    coalesce((metadata ->> 'snoozes')::int, 0)::int AS snoozes,
    coalesce(errors[cardinality(errors)] ->> 'error', '')::text AS last_error
FROM river_job
WHERE state IN ('cancelled', 'discarded', 'retryable', 'running', 'scheduled')
    AND (state <> 'running' OR attempted_at < @stuck_since::timestamptz)
    AND id > @after_id
ORDER BY id
LIMIT @max_rows::int;

-- Returns the size of the jobs table and its indexes, and its number of dead rows as estimated by
-- PostgreSQL.
-- name: GetJobTable :one
SELECT
    pg_stat_get_live_tuples(c.oid) AS live_rows,
    pg_stat_get_dead_tuples(c.oid) AS dead_rows,
    pg_relation_size(c.oid) AS table_bytes,
    pg_indexes_size(c.oid) AS index_bytes
FROM pg_class AS c
WHERE c.oid = 'river_job'::regclass;

-- Lists the paused queues in River's own table, with the number of waiting jobs. No process works the
-- jobs of a paused queue.
-- name: ListPausedQueues :many
SELECT
    q.name, q.paused_at::timestamptz AS paused_at,
    (SELECT count(*) FROM river_job AS j WHERE j.queue = q.name AND j.state = 'available') AS waiting
FROM river_queue AS q
WHERE q.paused_at IS NOT NULL
ORDER BY q.name
LIMIT 100;
