-- Records that a patient allows a facility to see them; the viewer must see the patient, but not
-- necessarily the facility. No row: the facility was already allowed, or the patient does not exist for
-- this viewer. The consent's number is taken under the lock of the patient's row, and its time after
-- that.
-- Closes: a facility allowed twice
-- Closes: a consent to an unknown facility
-- Closes: events of consents are out of order
-- name: AllowFacility :execrows
WITH seen AS MATERIALIZED (
    SELECT v.tenant_id, v.patient_id
    FROM patient_viewers AS v
    WHERE v.tenant_id = @tenant_id AND v.patient_id = @patient_id AND v.user_id = @viewer_id::uuid
    LIMIT 1
), allowed AS (
    INSERT INTO patient_facilities AS f (tenant_id, patient_id, facility_id)
    SELECT s.tenant_id, s.patient_id, @facility_id::uuid
    FROM seen AS s
    ON CONFLICT (tenant_id, patient_id, facility_id) DO UPDATE
    SET allowed = true, version = f.version + 1
    WHERE NOT f.allowed
    RETURNING f.*
), counted AS (
    UPDATE patients AS p
    SET allowed_facilities = coalesce(p.allowed_facilities, 0) + 1,
        consents = p.consents + 1
    FROM allowed AS a
    WHERE p.tenant_id = a.tenant_id AND p.id = a.patient_id
    RETURNING a.*, p.consents
)
INSERT INTO patient_consents (tenant_id, patient_id, facility_id, allowed, actor_id, seq, created_at)
SELECT c.tenant_id, c.patient_id, c.facility_id, c.allowed, @viewer_id, c.consents, clock_timestamp()
FROM counted AS c;

-- name: ListConsents :many
SELECT * FROM patient_consents
WHERE tenant_id = @tenant_id AND patient_id = @patient_id AND seq < @before_seq
ORDER BY seq DESC
LIMIT @max_rows::int;

-- Records that a patient does not allow a facility to see them, whether or not it was allowed before:
-- the stored denial also applies to the facility's feeds. A row of version 1 is new: it removes no
-- access. patients_allowed_facilities_check rejects it if no facility would see the patient any more.
-- That is tested on the locked row, since the snapshot may be older than a consent that this statement
-- has waited for.
-- Closes: a facility disallowed twice
-- Closes: the last two facilities of a patient are disallowed at once
-- Closes: events of consents are out of order
-- name: DisallowFacility :execrows
WITH seen AS MATERIALIZED (
    SELECT v.tenant_id, v.patient_id
    FROM patient_viewers AS v
    WHERE v.tenant_id = @tenant_id AND v.patient_id = @patient_id AND v.user_id = @viewer_id::uuid
    LIMIT 1
), denied AS (
    INSERT INTO patient_facilities AS f (tenant_id, patient_id, facility_id, allowed)
    SELECT s.tenant_id, s.patient_id, @facility_id::uuid, false
    FROM seen AS s
    ON CONFLICT (tenant_id, patient_id, facility_id) DO UPDATE
    SET allowed = false, version = f.version + 1
    WHERE f.allowed
    RETURNING f.*
), locked AS MATERIALIZED (
    SELECT d.*, p.allowed_facilities, p.consents AS consents_before
    FROM denied AS d
    JOIN patients AS p ON p.tenant_id = d.tenant_id AND p.id = d.patient_id
    FOR NO KEY UPDATE OF p
), counted AS (
    UPDATE patients AS p
    SET allowed_facilities = l.allowed_facilities - CASE WHEN l.version = 1 THEN 0 ELSE 1 END,
        consents = l.consents_before + 1
    FROM locked AS l
    WHERE p.tenant_id = l.tenant_id AND p.id = l.patient_id
    RETURNING l.*, p.consents
)
INSERT INTO patient_consents (tenant_id, patient_id, facility_id, allowed, actor_id, seq, created_at)
SELECT c.tenant_id, c.patient_id, c.facility_id, c.allowed, @viewer_id, c.consents, clock_timestamp()
FROM counted AS c;
