-- The feed as a loop: a record's appointment.
INSERT INTO appointments (tenant_id, facility_id, patient_id, external_id, starts_at, ends_at, status)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (tenant_id, facility_id, external_id) DO UPDATE
SET patient_id = excluded.patient_id, starts_at = excluded.starts_at, ends_at = excluded.ends_at,
    status = excluded.status, updated_at = now()
