-- Fewer and narrower indexes: the audit has one in place of two, and what an operator looks at, few rows among
-- all, has one of its own.

-- +goose NO TRANSACTION
-- +goose Up
-- Each patient that a page shows costs one index entry less. Nothing looks an audit row up by its id alone,
-- which is made by the database, and nothing refers to it.
-- An index that a kill left behind is not valid, and would stay so.
DROP INDEX CONCURRENTLY IF EXISTS phi_reads_patient_key;
CREATE UNIQUE INDEX CONCURRENTLY phi_reads_patient_key ON phi_reads (tenant_id, patient_id, created_at, id);
ALTER TABLE phi_reads
    DROP CONSTRAINT IF EXISTS phi_reads_pkey,
    ADD CONSTRAINT phi_reads_pkey PRIMARY KEY USING INDEX phi_reads_patient_key;
DROP INDEX CONCURRENTLY IF EXISTS phi_reads_patient_idx;

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
DROP INDEX CONCURRENTLY IF EXISTS phi_reads_patient_idx;
CREATE INDEX CONCURRENTLY phi_reads_patient_idx ON phi_reads (tenant_id, patient_id, created_at, id);
DROP INDEX CONCURRENTLY IF EXISTS phi_reads_id_key;
CREATE UNIQUE INDEX CONCURRENTLY phi_reads_id_key ON phi_reads (tenant_id, id);
ALTER TABLE phi_reads
    DROP CONSTRAINT IF EXISTS phi_reads_pkey,
    ADD CONSTRAINT phi_reads_pkey PRIMARY KEY USING INDEX phi_reads_id_key;
