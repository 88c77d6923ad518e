-- A patient's appointments are listed in the order of their start, and who reads patients by the reader.

-- +goose NO TRANSACTION
-- +goose Up
-- In place of one without the order, which serves the foreign key as well. An index that a kill left behind is not
-- valid, and would stay so.
DROP INDEX CONCURRENTLY IF EXISTS appointments_of_patient_idx;
CREATE INDEX CONCURRENTLY appointments_of_patient_idx ON appointments (tenant_id, patient_id, starts_at, id);
DROP INDEX CONCURRENTLY IF EXISTS appointments_patient_idx;

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS appointments_patient_idx;
CREATE INDEX CONCURRENTLY appointments_patient_idx ON appointments (tenant_id, patient_id);
DROP INDEX CONCURRENTLY IF EXISTS appointments_of_patient_idx;
