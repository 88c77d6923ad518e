-- An hour of a patient's at the facility whose records know them.
INSERT INTO appointments (tenant_id, id, facility_id, patient_id, external_id, starts_at, ends_at, status)
SELECT p.tenant_id, $2::uuid, p.facility_id, p.id, $4::text, $5::timestamptz, $5::timestamptz + interval '1 hour',
    'BOOKED'
FROM patients AS p
WHERE p.tenant_id = $1::uuid AND p.id = $3::uuid
