-- What millions of rows are loaded faster without; keys_make.sql, in the same transaction.
ALTER TABLE appointments
    DROP CONSTRAINT appointments_facility_fkey,
    DROP CONSTRAINT appointments_patient_fkey,
    DROP CONSTRAINT appointments_external_id_key;
DROP INDEX appointments_facility_idx;
DROP INDEX appointments_patient_idx;
