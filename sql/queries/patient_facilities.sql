-- A patient allows a facility to see them, told by who sees them; the facility may be
-- one that the viewer does not see. No row: they were allowed already, or are not
-- there for this viewer.
-- Closes: a facility allowed twice
-- Closes: a consent to a facility that does not exist
-- name: AllowFacility :execrows
WITH allowed AS (
    INSERT INTO patient_facilities (tenant_id, patient_id, facility_id)
    SELECT v.tenant_id, v.patient_id, @facility_id::uuid
    FROM patient_viewers AS v
    WHERE v.tenant_id = @tenant_id AND v.patient_id = @patient_id AND v.user_id = @viewer_id::uuid
    LIMIT 1
    ON CONFLICT (tenant_id, patient_id, facility_id) DO NOTHING
    RETURNING *
)
INSERT INTO patient_consents (tenant_id, patient_id, facility_id, allowed, actor_id)
SELECT a.tenant_id, a.patient_id, a.facility_id, true, @viewer_id
FROM allowed AS a;

-- name: ListConsents :many
SELECT * FROM patient_consents
WHERE tenant_id = @tenant_id
    AND patient_id = @patient_id
    AND (created_at, id) < (@before_created_at::timestamptz, @before_id::uuid)
ORDER BY created_at DESC, id DESC
LIMIT @max_rows::int;

-- Closes: a facility disallowed twice
-- name: DisallowFacility :execrows
WITH removed AS (
    DELETE FROM patient_facilities AS f
    WHERE f.tenant_id = @tenant_id
        AND f.patient_id = @patient_id
        AND f.facility_id = @facility_id
        AND EXISTS (
            SELECT FROM patient_viewers AS v
            WHERE v.tenant_id = f.tenant_id AND v.patient_id = f.patient_id AND v.user_id = @viewer_id::uuid)
    RETURNING *
)
INSERT INTO patient_consents (tenant_id, patient_id, facility_id, allowed, actor_id)
SELECT r.tenant_id, r.patient_id, r.facility_id, false, @viewer_id
FROM removed AS r;
