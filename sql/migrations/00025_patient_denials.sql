-- A consent taken back is a row, and no longer the lack of one: a feed that names the
-- patient again finds it. Consents are numbered in the order in which they took effect,
-- and a patient keeps at least one facility that sees them.

-- +goose Up
ALTER TABLE patient_facilities
    -- False once the patient took it back, or never allowed it: the facility does not see them.
    ADD COLUMN allowed boolean NOT NULL DEFAULT true,
    -- Counts the changes of allowed, from 1.
    ADD COLUMN version bigint NOT NULL DEFAULT 1;

ALTER TABLE patients
    -- How many facilities see the patient. NULL for none, as there may be from before.
    ADD COLUMN allowed_facilities integer DEFAULT 1,
    -- How many consents were written down: the seq of the newest.
    ADD COLUMN consents bigint NOT NULL DEFAULT 0;

ALTER TABLE patient_consents ADD COLUMN seq bigint;

UPDATE patient_consents AS c
SET seq = n.seq
FROM (
    SELECT tenant_id, id, row_number() OVER (PARTITION BY tenant_id, patient_id ORDER BY created_at, id) AS seq
    FROM patient_consents
) AS n
WHERE n.tenant_id = c.tenant_id AND n.id = c.id;

ALTER TABLE patient_consents
    ALTER COLUMN seq SET NOT NULL,
    ADD CONSTRAINT patient_consents_seq_key UNIQUE (tenant_id, patient_id, seq);
DROP INDEX patient_consents_patient_idx;

-- What was taken back, be it that a feed has undone it since.
INSERT INTO patient_facilities (tenant_id, patient_id, facility_id, allowed)
SELECT c.tenant_id, c.patient_id, c.facility_id, false
FROM (
    SELECT DISTINCT ON (tenant_id, patient_id, facility_id) *
    FROM patient_consents
    ORDER BY tenant_id, patient_id, facility_id, seq DESC
) AS c
WHERE NOT c.allowed
ON CONFLICT (tenant_id, patient_id, facility_id) DO UPDATE
SET allowed = false, version = patient_facilities.version + 1;

-- A facility that lost the patients of its own records unrecorded does not get them back.
INSERT INTO patient_facilities (tenant_id, patient_id, facility_id, allowed)
SELECT p.tenant_id, p.id, p.facility_id, false
FROM patients AS p
WHERE NOT EXISTS (
    SELECT FROM patient_facilities AS f
    WHERE f.tenant_id = p.tenant_id AND f.patient_id = p.id AND f.facility_id = p.facility_id);

UPDATE patients AS p
SET allowed_facilities = nullif(f.allowed, 0)
FROM (
    SELECT tenant_id, patient_id, count(*) FILTER (WHERE allowed) AS allowed
    FROM patient_facilities
    GROUP BY tenant_id, patient_id
) AS f
WHERE p.tenant_id = f.tenant_id AND p.id = f.patient_id AND f.allowed <> 1;

UPDATE patients AS p
SET consents = c.newest
FROM (SELECT tenant_id, patient_id, max(seq) AS newest FROM patient_consents GROUP BY tenant_id, patient_id) AS c
WHERE p.tenant_id = c.tenant_id AND p.id = c.patient_id;

-- Every row is as it says by now: the scan takes a lock that lets requests pass.
ALTER TABLE patients ADD CONSTRAINT patients_allowed_facilities_check CHECK (allowed_facilities > 0) NOT VALID;
ALTER TABLE patients VALIDATE CONSTRAINT patients_allowed_facilities_check;

CREATE OR REPLACE VIEW patient_viewers AS
SELECT v.tenant_id, v.user_id, v.facility_id, p.patient_id
FROM facility_viewers AS v
JOIN patient_facilities AS p ON p.tenant_id = v.tenant_id AND p.facility_id = v.facility_id
WHERE p.allowed;

-- Whom a facility may not see, whatever its records say. Ids alone.
CREATE VIEW patient_denials AS
SELECT f.tenant_id, f.patient_id, f.facility_id
FROM patient_facilities AS f
WHERE NOT f.allowed;

-- The patients of a facility's own records that do not allow it to see them: for its
-- feed, which brings them by these ids again and again. Ids alone, and to who sees the
-- facility alone, since no policy holds for a view's owner.
CREATE VIEW denied_feed_patients AS
SELECT d.tenant_id, d.facility_id, d.patient_id, p.external_id
FROM patient_denials AS d
JOIN patients AS p ON p.tenant_id = d.tenant_id AND p.id = d.patient_id AND p.facility_id = d.facility_id
WHERE d.tenant_id = (SELECT viewer_tenant_id())
    AND EXISTS (
        SELECT FROM facility_viewers AS v
        WHERE v.tenant_id = d.tenant_id AND v.facility_id = d.facility_id AND v.user_id = (SELECT viewer_id()));

-- The facility whose records know them sees a patient without a row in
-- patient_facilities, so that the statement that makes both can return the patient; it
-- does not, once the row says no.
ALTER POLICY patients_viewers ON patients
    USING (
        tenant_id = (SELECT viewer_tenant_id())
        AND (
            EXISTS (
                SELECT FROM facility_viewers AS v
                WHERE v.tenant_id = (SELECT viewer_tenant_id())
                    AND v.facility_id = patients.facility_id
                    AND v.user_id = (SELECT viewer_id()))
            AND NOT EXISTS (
                SELECT FROM patient_denials AS d
                WHERE d.tenant_id = (SELECT viewer_tenant_id())
                    AND d.patient_id = patients.id
                    AND d.facility_id = patients.facility_id)
            OR EXISTS (
                SELECT FROM patient_viewers AS v
                WHERE v.tenant_id = (SELECT viewer_tenant_id())
                    AND v.patient_id = patients.id
                    AND v.user_id = (SELECT viewer_id()))));

ALTER POLICY patient_facilities_viewers ON patient_facilities
    USING (
        tenant_id = (SELECT viewer_tenant_id())
        AND (
            allowed AND EXISTS (
                SELECT FROM facility_viewers AS v
                WHERE v.tenant_id = (SELECT viewer_tenant_id())
                    AND v.facility_id = patient_facilities.facility_id
                    AND v.user_id = (SELECT viewer_id()))
            OR EXISTS (
                SELECT FROM patient_viewers AS v
                WHERE v.tenant_id = (SELECT viewer_tenant_id())
                    AND v.patient_id = patient_facilities.patient_id
                    AND v.user_id = (SELECT viewer_id()))));

-- What was denied can be allowed, and cannot be forgotten.
REVOKE DELETE ON patient_facilities FROM waybill_app;
GRANT UPDATE (allowed, version) ON patient_facilities TO waybill_app;
GRANT SELECT ON patient_denials, denied_feed_patients TO waybill_app;

-- +goose Down
REVOKE UPDATE (allowed, version) ON patient_facilities FROM waybill_app;
GRANT DELETE ON patient_facilities TO waybill_app;
ALTER POLICY patient_facilities_viewers ON patient_facilities
    USING (
        tenant_id = (SELECT viewer_tenant_id())
        AND (
            EXISTS (
                SELECT FROM facility_viewers AS v
                WHERE v.tenant_id = (SELECT viewer_tenant_id())
                    AND v.facility_id = patient_facilities.facility_id
                    AND v.user_id = (SELECT viewer_id()))
            OR EXISTS (
                SELECT FROM patient_viewers AS v
                WHERE v.tenant_id = (SELECT viewer_tenant_id())
                    AND v.patient_id = patient_facilities.patient_id
                    AND v.user_id = (SELECT viewer_id()))));
ALTER POLICY patients_viewers ON patients
    USING (
        tenant_id = (SELECT viewer_tenant_id())
        AND (
            EXISTS (
                SELECT FROM facility_viewers AS v
                WHERE v.tenant_id = (SELECT viewer_tenant_id())
                    AND v.facility_id = patients.facility_id
                    AND v.user_id = (SELECT viewer_id()))
            OR EXISTS (
                SELECT FROM patient_viewers AS v
                WHERE v.tenant_id = (SELECT viewer_tenant_id())
                    AND v.patient_id = patients.id
                    AND v.user_id = (SELECT viewer_id()))));
DROP VIEW denied_feed_patients;
DROP VIEW patient_denials;
CREATE OR REPLACE VIEW patient_viewers AS
SELECT v.tenant_id, v.user_id, v.facility_id, p.patient_id
FROM facility_viewers AS v
JOIN patient_facilities AS p ON p.tenant_id = v.tenant_id AND p.facility_id = v.facility_id;
DELETE FROM patient_facilities WHERE NOT allowed;
CREATE INDEX patient_consents_patient_idx ON patient_consents (tenant_id, patient_id, created_at, id);
ALTER TABLE patient_consents DROP COLUMN seq;
ALTER TABLE patients DROP COLUMN allowed_facilities, DROP COLUMN consents;
ALTER TABLE patient_facilities DROP COLUMN allowed, DROP COLUMN version;
