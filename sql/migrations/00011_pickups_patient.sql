-- A pickup may be for a patient. Whose driver it is reads their name while they have it.

-- +goose Up
ALTER TABLE pickups
    ADD COLUMN patient_id uuid,
    ADD CONSTRAINT pickups_patient_fkey FOREIGN KEY (tenant_id, patient_id) REFERENCES patients;

CREATE INDEX pickups_patient_idx ON pickups (tenant_id, patient_id) WHERE patient_id IS NOT NULL;

CREATE POLICY patients_drivers ON patients FOR SELECT TO waybill_app
    USING (
        tenant_id = (SELECT viewer_tenant_id())
        AND EXISTS (
            SELECT FROM pickups AS p
            JOIN drivers AS d ON d.tenant_id = p.tenant_id AND d.id = p.driver_id
            WHERE p.tenant_id = (SELECT viewer_tenant_id())
                AND p.patient_id = patients.id
                AND p.status <> 'DELIVERED'
                AND d.user_id = (SELECT viewer_id())));

-- +goose Down
DROP POLICY patients_drivers ON patients;
DROP INDEX pickups_patient_idx;
ALTER TABLE pickups DROP COLUMN patient_id;
