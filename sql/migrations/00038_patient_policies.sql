-- Whether the viewer sees a patient by any facility is looked up for the patient, and never by
-- reading all patients of all facilities of the viewer first, as PostgreSQL would for many
-- patients, or few: OFFSET 0 keeps it from it.

-- +goose NO TRANSACTION
-- +goose Up
-- Each by itself, so that no two tables are locked at once.
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
                    AND v.user_id = (SELECT viewer_id())
                OFFSET 0)));

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
                    AND v.user_id = (SELECT viewer_id())
                OFFSET 0)));

-- +goose Down
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
