-- Declares a backfill and enqueues its job. Only the owner may run it.
-- Closes: a migration that runs again begins its backfill anew
-- name: DeclareBackfill :execrows
WITH declared AS (
    INSERT INTO backfills (name, table_name)
    VALUES (@name, @table_name)
    ON CONFLICT (name) DO NOTHING
    RETURNING name
)
INSERT INTO river_job (kind, queue, args)
SELECT 'backfill', 'backfills', jsonb_build_object('name', d.name)
FROM declared AS d;

-- Lists all backfills, the newest first.
-- name: ListBackfills :many
SELECT * FROM backfills
ORDER BY created_at DESC, name
LIMIT 1000;

-- name: GetBackfill :one
SELECT * FROM backfills WHERE name = @name;

-- Reports whether the application's role sees all rows of a table: no policy asks it for a viewer.
-- name: SeesAllRows :one
SELECT (c.oid IS NOT NULL AND NOT EXISTS (
    SELECT FROM pg_policy AS p
    WHERE p.polrelid = c.oid
        AND c.relrowsecurity
        AND coalesce(pg_get_expr(p.polqual, p.polrelid), 'true') <> 'true'))::boolean AS sees_all
FROM (SELECT to_regclass(@table_name::text) AS oid) AS t
LEFT JOIN pg_class AS c ON c.oid = t.oid;

-- Locks a running backfill until its next batch is committed, and returns where that begins. No row if it
-- was stopped or is done.
-- name: LockBackfill :one
SELECT position FROM backfills
WHERE name = @name AND state = 'RUNNING'
FOR NO KEY UPDATE;

-- Records a batch, in the transaction that has locked the backfill and run it. It is done if no position is left.
-- Closes: a batch of a stopped backfill is recorded
-- name: AdvanceBackfill :execrows
UPDATE backfills
SET
    position = coalesce(sqlc.narg('next')::jsonb, position),
    batches = batches + 1,
    rows_done = rows_done + @rows_changed::bigint,
    state = CASE WHEN sqlc.narg('next')::jsonb IS NULL THEN 'DONE' ELSE 'RUNNING' END,
    finished_at = CASE WHEN sqlc.narg('next')::jsonb IS NULL THEN now() END,
    held = '',
    updated_at = now()
WHERE name = @name AND state = 'RUNNING';

-- Records why no batch runs at present, in place of what was recorded before.
-- Closes: a backfill that is done says that it waits
-- Closes: a worker overwrites why another one waits
-- name: HoldBackfill :execrows
UPDATE backfills
SET held = @why, updated_at = now()
WHERE name = @name AND state = 'RUNNING' AND held = @held_before;

-- Closes: an operator stops a backfill that is done
-- name: StopBackfill :execrows
UPDATE backfills
SET state = 'STOPPED', updated_at = now()
WHERE name = @name AND state = 'RUNNING';

-- Closes: an operator resumes a backfill that is done
-- name: ResumeBackfill :execrows
UPDATE backfills
SET state = 'RUNNING', held = '', updated_at = now()
WHERE name = @name AND state = 'STOPPED';

-- Returns by how much the replica that is farthest behind lags, in bytes of WAL; is_hidden says that of one it cannot
-- be seen, which takes a role with pg_monitor. What only receives WAL, as an archive or a base backup does, replays
-- none, and does not lag.
-- name: GetReplicaLag :one
SELECT
    coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), r.replay_lsn)), 0)::bigint AS bytes,
    coalesce(bool_or(r.state IS NULL), false)::boolean AS is_hidden
FROM pg_stat_replication AS r;
