-- Counts the unfinished jobs in each queue by state, with the creation time of the oldest: of each, the next
-- 100,000 in the order in which River fetches them. It finds queues and states, and the jobs, by the index
-- that River fetches by: completed jobs cost nothing, and a queue that grows without end no more.
-- name: CountJobs :many
WITH RECURSIVE found AS (
    (
        SELECT j.state, j.queue
        FROM river_job AS j
        ORDER BY j.state, j.queue
        LIMIT 1
    )
    UNION ALL
    SELECT n.state, n.queue
    FROM found AS f
    CROSS JOIN LATERAL (
        SELECT j.state, j.queue
        FROM river_job AS j
        WHERE (j.state, j.queue) > (f.state, f.queue)
        ORDER BY j.state, j.queue
        LIMIT 1
    ) AS n
)
SELECT
    f.queue, f.state::text AS state, w.jobs::bigint AS jobs,
    extract(epoch FROM now() - j.created_at)::float8 AS oldest_seconds
FROM found AS f
CROSS JOIN LATERAL (
    SELECT count(*) AS jobs, min(n.id) AS oldest
    FROM (
        SELECT j.id
        FROM river_job AS j
        WHERE j.state = f.state AND j.queue = f.queue
        ORDER BY j.priority, j.scheduled_at, j.id
        LIMIT 100000
    ) AS n
) AS w
JOIN river_job AS j ON j.id = w.oldest
WHERE f.state <> 'completed'
ORDER BY f.queue, f.state::text
LIMIT 100;

-- Lists the jobs that may need attention: failed jobs, jobs waiting for a retry, and jobs that have
-- been running for too long.
-- name: ListTroubledJobs :many
SELECT
    j.id, j.kind, j.state::text AS state, j.args, j.attempt, j.max_attempts, j.created_at, j.scheduled_at,
    coalesce((j.metadata ->> 'snoozes')::int, 0)::int AS snoozes,
    coalesce(j.errors[cardinality(j.errors)] ->> 'error', '')::text AS last_error
FROM (
    (
        SELECT t.id
        FROM river_job AS t
        WHERE t.state IN ('cancelled', 'discarded', 'retryable', 'scheduled') AND t.id > @after_id
        ORDER BY t.id
        LIMIT @max_rows::int
    )
    UNION ALL
    SELECT r.id
    FROM river_job AS r
    WHERE r.state = 'running' AND r.attempted_at < now() - @stuck_after::interval AND r.id > @after_id
) AS t
JOIN river_job AS j ON j.id = t.id
ORDER BY j.id
LIMIT @max_rows;

-- Lists the jobs of a tenant that do not get done, newest first: those that have ended without success, and those that
-- wait for another try after three. They are found by river_job_stuck_idx: other jobs cost nothing, and what a job is
-- for is looked up for those of the page alone. A pickup is named where the viewer sees it. The error is told by its
-- class alone, since its text may have values.
-- name: ListStuckJobs :many
SELECT
    j.id, j.kind, coalesce(p.id, '00000000-0000-0000-0000-000000000000')::uuid AS pickup_id,
    (j.state IN ('cancelled', 'discarded'))::boolean AS has_ended,
    (j.attempt + coalesce((j.metadata ->> 'snoozes')::int, 0))::int AS tries,
    j.created_at, j.attempted_at,
    CASE WHEN j.finalized_at IS NULL THEN j.scheduled_at END AS next_try_at,
    CASE
        WHEN j.errors IS NULL THEN ''
        WHEN j.errors[cardinality(j.errors)] ->> 'trace' <> '' THEN 'panic'
        WHEN j.state = 'cancelled' THEN 'canceled'
        ELSE 'failed'
    END::text AS last_error
FROM (
    SELECT *
    FROM river_job AS s
    WHERE s.args ->> 'tenant_id' = (@tenant_id::uuid)::text
        AND (s.state IN ('cancelled', 'discarded')
            OR s.state IN ('retryable', 'scheduled') AND (s.attempt >= 3 OR s.metadata -> 'snoozes' >= '3'))
        AND s.id < @before_id
    ORDER BY s.id DESC
    LIMIT @max_rows::int
) AS j
-- A text has the id of the event that it tells of.
LEFT JOIN pickup_events AS e ON e.tenant_id = @tenant_id::uuid
    AND e.id = CASE
        WHEN coalesce(j.args ->> 'message_id', j.args ->> 'event_id') ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
            THEN coalesce(j.args ->> 'message_id', j.args ->> 'event_id')::uuid
    END
LEFT JOIN pickups AS p ON p.tenant_id = e.tenant_id
    AND p.id = e.pickup_id
    AND role_sees_pickup(@viewer_role::user_role, p.status, p.driver_id, NULL)
ORDER BY j.id DESC;

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

-- Lists the paused queues in River's own table, with the number of waiting jobs, 100,000 at most. No process
-- works the jobs of a paused queue.
-- name: ListPausedQueues :many
SELECT
    q.name, q.paused_at::timestamptz AS paused_at,
    (
        SELECT count(*)
        FROM (SELECT FROM river_job AS j WHERE j.queue = q.name AND j.state = 'available' LIMIT 100000) AS j
    ) AS waiting
FROM river_queue AS q
WHERE q.paused_at IS NOT NULL
ORDER BY q.name
LIMIT 100;
