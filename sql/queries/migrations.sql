-- What "waybill migrate" asks, as the owner of the schema.

-- Returns the session that holds the lock of all migrators, and for how long it has been connected.
-- name: GetMigrator :one
SELECT
    a.pid, a.application_name,
    extract(epoch FROM clock_timestamp() - a.backend_start)::float8 AS connected_seconds
FROM pg_locks AS l
JOIN pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'advisory'
    AND l.granted
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND (l.classid::bigint << 32) | l.objid::bigint = @key::bigint
    AND l.objsubid = 1
LIMIT 1;

-- Bounds each wait for a lock and each statement that follow in the session, or in the transaction alone.
-- name: SetMigrationLimits :exec
SELECT
    set_config('lock_timeout', @lock_timeout::text, @is_local::boolean),
    set_config('statement_timeout', @statement_timeout::text, @is_local::boolean);

-- Lists the migrations that are applied, as goose has recorded them.
-- name: ListAppliedMigrations :many
SELECT version_id AS version, (max(tstamp) AT TIME ZONE current_setting('TimeZone'))::timestamptz AS applied_at
FROM goose_db_version
WHERE version_id > 0 AND is_applied
GROUP BY version_id
ORDER BY version_id
LIMIT 100000;

-- name: ListMigrationFiles :many
SELECT version, name, checksum, compatible_from, found, begun_at, applied_at
FROM migration_files
ORDER BY version
LIMIT 100000;

-- Records that a migration begins. One that was begun before, and was interrupted, stays as it is.
-- Closes: a migration that begins again forgets when it first began
-- name: BeginMigration :execrows
INSERT INTO migration_files (version, name, checksum, compatible_from)
VALUES (@version, @name, @checksum, sqlc.narg('compatible_from'))
ON CONFLICT (version) DO NOTHING;

-- Records that a migration was applied, and what its file was. What is recorded already stays.
-- Closes: a changed file is recorded over the one that was applied
-- name: FinishMigration :execrows
UPDATE migration_files
SET
    applied_at = clock_timestamp(),
    name = @name,
    checksum = @checksum,
    compatible_from = sqlc.narg('compatible_from')
WHERE version = @version AND applied_at IS NULL;

-- Records a migration that was applied before files were recorded, with its file as it is now.
-- Closes: a changed file is found over the one that was applied
-- name: FindMigration :execrows
INSERT INTO migration_files (version, name, checksum, compatible_from, found, applied_at)
VALUES (@version, @name, @checksum, sqlc.narg('compatible_from'), true, clock_timestamp())
ON CONFLICT (version) DO NOTHING;

-- Forgets the files of migrations that were reverted.
-- Closes: a migration that is applied is forgotten
-- name: ForgetMigrations :execrows
DELETE FROM migration_files
WHERE applied_at IS NOT NULL AND version <> ALL (@applied::bigint[]);

-- Lists the indexes that an interrupted CREATE or REINDEX INDEX CONCURRENTLY left invalid, except
-- those that a session is building now: no query uses them, and every write maintains them. Each
-- comes with the statements that drop it and that make it anew. One that REINDEX has left over
-- beside the index that it was to replace is only to be dropped.
-- name: ListInvalidIndexes :many
SELECT
    c.relname::text AS name,
    t.relname::text AS table_name,
    (c.relname ~ '_cc(new|old)[0-9]*$')::boolean AS is_leftover,
    format('DROP INDEX CONCURRENTLY IF EXISTS %I.%I', n.nspname, c.relname)::text AS drop_statement,
    format('REINDEX INDEX CONCURRENTLY %I.%I', n.nspname, c.relname)::text AS reindex_statement
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
JOIN pg_class AS t ON t.oid = i.indrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid
    AND c.relkind = 'i'
    AND n.nspname = 'public'
    AND NOT EXISTS (
        SELECT FROM pg_stat_progress_create_index AS p
        WHERE p.datname = current_database() AND p.relid = i.indrelid)
ORDER BY c.relname
LIMIT 1000;

-- Lists the tables on which a session holds a lock that others wait for, seen by another session,
-- which does not see the tables that the first one is making: nobody else waits for those.
-- name: ListHeldLocks :many
SELECT c.relname::text AS table_name, l.mode::text AS mode
FROM pg_locks AS l
JOIN pg_class AS c ON c.oid = l.relation
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE l.pid = @pid::int
    AND l.granted
    AND l.locktype = 'relation'
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND c.relkind IN ('r', 'p', 'm', 'v')
    AND n.nspname = 'public'
    AND l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')
ORDER BY c.relname, l.mode
LIMIT 1000;

-- Lists the sessions that a session waits for, with what they do since when. What they send may hold
-- patients' data, and is left out.
-- name: ListBlockers :many
SELECT
    a.pid, a.application_name, a.state,
    extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS open_seconds
FROM unnest(pg_blocking_pids(@pid::int)) AS b (pid)
JOIN pg_stat_activity AS a ON a.pid = b.pid
ORDER BY a.xact_start, a.pid
LIMIT 3;

-- Returns how far the session is that builds an index: no row if it builds none.
-- name: GetIndexProgress :one
SELECT
    phase::text AS phase,
    (CASE
        WHEN blocks_total > 0 THEN 100 * blocks_done / blocks_total
        WHEN tuples_total > 0 THEN 100 * tuples_done / tuples_total
        ELSE 0
    END)::int AS percent
FROM pg_stat_progress_create_index
WHERE pid = @pid::int;

-- Estimates how many rows tables have. One that does not exist has no row.
-- name: EstimateRows :many
SELECT
    c.relname::text AS table_name,
    greatest(c.reltuples, coalesce(s.n_live_tup, 0), 0)::bigint AS row_count
FROM pg_class AS c
LEFT JOIN pg_stat_user_tables AS s ON s.relid = c.oid
WHERE c.relnamespace = 'public'::regnamespace
    AND c.relkind IN ('r', 'p')
    AND c.relname = ANY (@tables::text[])
ORDER BY c.relname
LIMIT 1000;
