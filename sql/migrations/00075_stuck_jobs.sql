-- The jobs of a tenant that have failed, or that wait for yet another try, are found without a look at others. A job
-- that waits, runs and is done, as nearly all do, is never in the index. The number of snoozes is compared as it is
-- stored: a cast could fail, and with it the write of a job.
-- +waybill compatible_from: 00049

-- +goose NO TRANSACTION
-- +goose Up
-- An index that a kill left behind is not valid, and would stay so.
DROP INDEX CONCURRENTLY IF EXISTS river_job_stuck_idx;
CREATE INDEX CONCURRENTLY river_job_stuck_idx ON river_job ((args ->> 'tenant_id'), id)
    WHERE state IN ('cancelled', 'discarded')
        OR state IN ('retryable', 'scheduled') AND (attempt >= 3 OR metadata -> 'snoozes' >= '3');

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS river_job_stuck_idx;
