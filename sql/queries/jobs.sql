-- How many jobs wait in each queue, by state, and since when the oldest of them has
-- existed. Counted from the index that River fetches by: what is completed costs nothing.
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

-- The jobs that somebody may have to look at: those that have failed, that wait for
-- another try, or that have been running for longer than any should.
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

-- The table that all jobs go through: how many dead rows it carries along, as far as
-- PostgreSQL knows, and how large it and its indexes are.
-- name: GetJobTable :one
SELECT
    pg_stat_get_live_tuples(c.oid) AS live_rows,
    pg_stat_get_dead_tuples(c.oid) AS dead_rows,
    pg_relation_size(c.oid) AS table_bytes,
    pg_indexes_size(c.oid) AS index_bytes
FROM pg_class AS c
WHERE c.oid = 'river_job'::regclass;

-- The queues that somebody paused, in River's own table, with what waits in each. Nothing
-- of a paused queue is worked, by any process.
-- name: ListPausedQueues :many
SELECT
    q.name, q.paused_at::timestamptz AS paused_at,
    (SELECT count(*) FROM river_job AS j WHERE j.queue = q.name AND j.state = 'available') AS waiting
FROM river_queue AS q
WHERE q.paused_at IS NOT NULL
ORDER BY q.name
LIMIT 100;
