-- Lists the appointments at a facility that overlap [from, to), with their patients: those who allow
-- this facility to see them, even if the viewer sees them through another one too. The longest
-- appointment (appointments_range_check) bounds the start on both sides, so that a late window reads no
-- more than an early one; each patient is looked up by key (LIMIT 1 keeps the LATERAL from becoming
-- another kind of join). There is a single lower bound on the start: of a row comparison and a plain
-- bound, PostgreSQL would use only the row comparison for the index. See waybill bench ranges.
-- name: ListAppointments :many
WITH found AS MATERIALIZED (
    SELECT a.*, p.given_name, p.family_name
    FROM appointments AS a
    CROSS JOIN LATERAL (
        SELECT k.given_name, k.family_name
        FROM patients AS k
        WHERE k.tenant_id = a.tenant_id
            AND k.id = a.patient_id
            AND EXISTS (
                SELECT FROM facility_patients AS f
                WHERE f.tenant_id = k.tenant_id
                    AND f.facility_id = a.facility_id
                    AND f.patient_id = k.id
                    AND f.allowed)
        LIMIT 1
    ) AS p
    WHERE EXISTS (
            SELECT FROM facility_viewers AS v
            WHERE v.tenant_id = @tenant_id AND v.facility_id = @facility_id AND v.user_id = @viewer_id::uuid)
        AND a.tenant_id = @tenant_id
        AND a.facility_id = @facility_id
        AND (a.starts_at, a.id) > (
            greatest(@after_starts_at::timestamptz, (@from_time::timestamptz) - longest_appointment()), @after_id::uuid)
        AND a.starts_at < @to_time::timestamptz
        AND a.ends_at > @from_time
        AND (sqlc.narg('status')::appointment_status IS NULL OR a.status = sqlc.narg('status'))
    ORDER BY a.starts_at, a.id
    LIMIT (SELECT 1 + @max_rows::int)
), shown AS MATERIALIZED (
    SELECT *
    FROM found AS f
    ORDER BY f.starts_at, f.id
    LIMIT @max_rows::int
), audited AS (
    INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
    SELECT DISTINCT s.tenant_id, s.patient_id, @viewer_id::uuid, 'list-appointments'
    FROM shown AS s
)
SELECT
    s.id, s.facility_id, s.patient_id, s.external_id, s.given_name, s.family_name,
    s.starts_at, s.ends_at, s.status, s.created_at, s.updated_at,
    ((SELECT count(*) FROM found) > @max_rows::int)::boolean AS more
FROM shown AS s
ORDER BY s.starts_at, s.id;

-- Lists the appointments of a patient that overlap [from, to), where the viewer sees the facility and the patient
-- allows it: a viewer who sees the patient through another facility is shown none of these. The longest appointment
-- bounds the start as in ListAppointments. The patient is audited if any is shown.
-- name: ListPatientAppointments :many
WITH found AS MATERIALIZED (
    SELECT a.*, p.given_name, p.family_name
    FROM appointments AS a
    CROSS JOIN LATERAL (
        SELECT k.given_name, k.family_name
        FROM patients AS k
        WHERE k.tenant_id = a.tenant_id
            AND k.id = a.patient_id
            AND EXISTS (
                SELECT FROM facility_patients AS f
                WHERE f.tenant_id = k.tenant_id
                    AND f.facility_id = a.facility_id
                    AND f.patient_id = k.id
                    AND f.allowed)
        LIMIT 1
    ) AS p
    WHERE a.tenant_id = @tenant_id
        AND a.patient_id = @patient_id
        AND EXISTS (
            SELECT FROM facility_viewers AS v
            WHERE v.tenant_id = a.tenant_id AND v.facility_id = a.facility_id AND v.user_id = @viewer_id::uuid)
        AND (a.starts_at, a.id) > (
            greatest(@after_starts_at::timestamptz, (@from_time::timestamptz) - longest_appointment()), @after_id::uuid)
        AND a.starts_at < @to_time::timestamptz
        AND a.ends_at > @from_time
        AND (sqlc.narg('status')::appointment_status IS NULL OR a.status = sqlc.narg('status'))
    ORDER BY a.starts_at, a.id
    LIMIT (SELECT 1 + @max_rows::int)
), shown AS MATERIALIZED (
    SELECT *
    FROM found AS f
    ORDER BY f.starts_at, f.id
    LIMIT @max_rows::int
), audited AS (
    INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
    SELECT DISTINCT s.tenant_id, s.patient_id, @viewer_id::uuid, 'list-patient-appointments'
    FROM shown AS s
)
SELECT
    s.id, s.facility_id, s.patient_id, s.external_id, s.given_name, s.family_name,
    s.starts_at, s.ends_at, s.status, s.created_at, s.updated_at,
    ((SELECT count(*) FROM found) > @max_rows::int)::boolean AS more
FROM shown AS s
ORDER BY s.starts_at, s.id;
