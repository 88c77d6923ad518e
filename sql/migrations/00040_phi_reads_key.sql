-- The audit has one index in place of two: each patient that a page shows costs one entry less. Nothing
-- looks a read up by its id alone, which is made by the database, and nothing refers to it.

-- +goose NO TRANSACTION
-- +goose Up
-- An index that a kill left behind is not valid, and would stay so.
DROP INDEX CONCURRENTLY IF EXISTS phi_reads_patient_key;
CREATE UNIQUE INDEX CONCURRENTLY phi_reads_patient_key ON phi_reads (tenant_id, patient_id, created_at, id);
ALTER TABLE phi_reads
    DROP CONSTRAINT IF EXISTS phi_reads_pkey,
    ADD CONSTRAINT phi_reads_pkey PRIMARY KEY USING INDEX phi_reads_patient_key;
DROP INDEX CONCURRENTLY IF EXISTS phi_reads_patient_idx;

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS phi_reads_patient_idx;
CREATE INDEX CONCURRENTLY phi_reads_patient_idx ON phi_reads (tenant_id, patient_id, created_at, id);
DROP INDEX CONCURRENTLY IF EXISTS phi_reads_id_key;
CREATE UNIQUE INDEX CONCURRENTLY phi_reads_id_key ON phi_reads (tenant_id, id);
ALTER TABLE phi_reads
    DROP CONSTRAINT IF EXISTS phi_reads_pkey,
    ADD CONSTRAINT phi_reads_pkey PRIMARY KEY USING INDEX phi_reads_id_key;
