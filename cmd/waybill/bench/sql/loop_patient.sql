-- The feed as a loop: a record's patient.
INSERT INTO patients (tenant_id, id, facility_id, external_id, given_name, family_name, birth_date)
VALUES ($1, new_id(), $2, $3, $4, $5, $6)
ON CONFLICT (tenant_id, facility_id, external_id) DO UPDATE
SET given_name = excluded.given_name, family_name = excluded.family_name, birth_date = excluded.birth_date
RETURNING id
