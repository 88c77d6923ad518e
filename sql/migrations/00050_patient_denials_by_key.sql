-- Whether a patient denies the facility of their records is looked up for the patient. PostgreSQL took all denials of
-- the tenant into a hash table, for one patient too, as long as its statistics knew of few: a patient was read in
-- 10,000 pages after 10,000 denials. OFFSET 0 keeps it from it.
-- +waybill compatible_from: 00039

-- +goose Up
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
                    AND d.facility_id = patients.facility_id
                OFFSET 0)
            OR EXISTS (
                SELECT FROM patient_viewers AS v
                WHERE v.tenant_id = (SELECT viewer_tenant_id())
                    AND v.patient_id = patients.id
                    AND v.user_id = (SELECT viewer_id())
                OFFSET 0)));

-- +goose Down
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
