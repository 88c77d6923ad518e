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
    AND (state <> 'running' OR attempted_at < now() - @stuck_after::interval)
    AND id > @after_id
ORDER BY id
LIMIT @max_rows::int;

-- Makes the jobs of killed workers available again: those that have been running for longer than a job may, by
-- the database's clock. River's own rescue goes by the clock of the process that happens to be its leader: one
-- that is ahead takes jobs from workers that run them, and one that is behind leaves them where they are. A job
-- whose attempts are used up is discarded. Jobs that somebody holds wait for the next call.
-- Closes: a job that finishes meanwhile is rescued
-- name: RescueJobs :execrows
WITH stuck AS MATERIALIZED (
    SELECT id
    FROM river_job
    WHERE state = 'running' AND attempted_at < now() - @stuck_after::interval
    LIMIT 1000
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE river_job AS j
SET state = CASE WHEN j.attempt < j.max_attempts THEN 'available' ELSE 'discarded' END::river_job_state,
    scheduled_at = now(),
    finalized_at = CASE WHEN j.attempt < j.max_attempts THEN NULL ELSE now() END
FROM stuck AS s
WHERE j.id = s.id;

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
