-- Patients of one facility, which can see them: p0, p1 and so on, $3 of them.
WITH made AS (
    INSERT INTO patients (tenant_id, id, facility_id, external_id, given_name, family_name, birth_date)
    SELECT $1::uuid, new_id(), $2::uuid, 'p' || n, 'Given' || n, 'Family' || n, '1990-05-17'
    FROM generate_series(0, $3::int - 1) AS n
    RETURNING *
)
INSERT INTO patient_facilities (tenant_id, patient_id, facility_id)
SELECT tenant_id, id, facility_id FROM made
