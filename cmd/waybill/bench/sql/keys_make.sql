ALTER TABLE appointments
    ADD CONSTRAINT appointments_external_id_key UNIQUE (tenant_id, facility_id, external_id),
    ADD CONSTRAINT appointments_facility_fkey FOREIGN KEY (tenant_id, facility_id) REFERENCES facilities,
    ADD CONSTRAINT appointments_patient_fkey FOREIGN KEY (tenant_id, patient_id) REFERENCES patients;
CREATE INDEX appointments_facility_idx ON appointments (tenant_id, facility_id, starts_at, id);
CREATE INDEX appointments_patient_idx ON appointments (tenant_id, patient_id);
