-- What an operator looks at, few rows among all, has an index of its own: jobs that may need attention, and
-- texts that the gateway refused.

-- +goose NO TRANSACTION
-- +goose Up
-- A job that waits, runs and is done, as nearly all do, is never in it. Those that run are found by the index
-- that River fetches by. An index that a kill left behind is not valid, and would stay so.
DROP INDEX CONCURRENTLY IF EXISTS river_job_troubled_idx;
CREATE INDEX CONCURRENTLY river_job_troubled_idx ON river_job (id)
    WHERE state IN ('cancelled', 'discarded', 'retryable', 'scheduled');

-- With the reason, in place of one without: the list reads nothing else.
DROP INDEX CONCURRENTLY IF EXISTS messages_refused_reason_idx;
CREATE INDEX CONCURRENTLY messages_refused_reason_idx ON messages (tenant_id, created_at, id) INCLUDE (reason)
    WHERE status = 'FAILED' AND reason <> 'no_number';
DROP INDEX CONCURRENTLY IF EXISTS messages_refused_idx;

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS messages_refused_idx;
CREATE INDEX CONCURRENTLY messages_refused_idx ON messages (tenant_id, created_at, id)
    WHERE status = 'FAILED' AND reason <> 'no_number';
DROP INDEX CONCURRENTLY IF EXISTS messages_refused_reason_idx;
DROP INDEX CONCURRENTLY IF EXISTS river_job_troubled_idx;
