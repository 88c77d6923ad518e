-- Patients of one facility, which sees them: p0 to p9999.
WITH made AS (
    INSERT INTO patients (tenant_id, id, facility_id, external_id, given_name, family_name, birth_date)
    SELECT $1::uuid, new_id(), $2::uuid, 'p' || n, 'Given' || n, 'Family' || n, '1990-05-17'
    FROM generate_series(0, 9999) AS n
    RETURNING *
)
INSERT INTO patient_facilities (tenant_id, patient_id, facility_id)
SELECT tenant_id, id, facility_id FROM made
