-- The patients of a facility in the order of their list, found by an index that has nothing else.

-- +goose NO TRANSACTION
-- +goose Up
-- In place of one that also has those who do not allow the facility, so that each had to be looked up.
-- An index that a kill left behind is not valid, and would stay so.
DROP INDEX CONCURRENTLY IF EXISTS patient_facilities_allowed_idx;
CREATE INDEX CONCURRENTLY patient_facilities_allowed_idx ON patient_facilities (tenant_id, facility_id, patient_id)
    WHERE allowed;
DROP INDEX CONCURRENTLY IF EXISTS patient_facilities_facility_idx;

-- The key tells it too: without looking rows up, reading it in its order is the best of all plans, whatever
-- the statistics say of a tenant.
DROP INDEX CONCURRENTLY IF EXISTS patient_facilities_key;
CREATE UNIQUE INDEX CONCURRENTLY patient_facilities_key ON patient_facilities (tenant_id, patient_id, facility_id)
    INCLUDE (allowed);
ALTER TABLE patient_facilities
    DROP CONSTRAINT IF EXISTS patient_facilities_pkey,
    ADD CONSTRAINT patient_facilities_pkey PRIMARY KEY USING INDEX patient_facilities_key;

-- Which facilities a patient had to do with, and whether the patient allows them. Ids alone, like
-- patient_viewers: a list of patients finds here whose rows it asks for, and of these the policies decide.
-- With the policies here too, a look at the next thousand of a tenant would become one at all of them.
CREATE OR REPLACE VIEW facility_patients AS
SELECT f.tenant_id, f.facility_id, f.patient_id, f.allowed
FROM patient_facilities AS f;
GRANT SELECT ON facility_patients TO waybill_app;

-- The next patients of a facility after one, in the order of their ids: those who allow it. PostgreSQL puts
-- the body in the place of the call.
--
-- As in newest_pickups, the planner is told that they are a thousand at most, and rows are compared by all
-- columns of the index after the tenant, so that no other index seems to do as well.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION next_patients(of_tenant uuid, of_facility uuid, after_id uuid, most integer)
RETURNS TABLE (patient_id uuid)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT n.patient_id
    FROM (
        SELECT *
        FROM (
            SELECT f.facility_id, f.patient_id
            FROM facility_patients AS f
            WHERE f.tenant_id = of_tenant
                AND f.allowed
                AND (f.facility_id, f.patient_id) > (of_facility, after_id)
            ORDER BY f.facility_id, f.patient_id
            LIMIT 1000
        ) AS k
        ORDER BY k.facility_id, k.patient_id
        LIMIT most
    ) AS n
    WHERE n.facility_id = of_facility;
END;
-- +goose StatementEnd

-- The next patients of a tenant after one, with each facility that they had to do with. Who stops reading
-- earlier reads no more than that: they come in the order of the index.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION next_facility_patients(of_tenant uuid, after_id uuid, most integer)
RETURNS TABLE (patient_id uuid, facility_id uuid, allowed boolean)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT *
    FROM (
        SELECT f.patient_id, f.facility_id, f.allowed
        FROM facility_patients AS f
        WHERE f.tenant_id = of_tenant AND f.patient_id > after_id
        ORDER BY f.patient_id, f.facility_id
        LIMIT 1000
    ) AS k
    ORDER BY k.patient_id, k.facility_id
    LIMIT most;
END;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION IF EXISTS next_facility_patients;
DROP FUNCTION IF EXISTS next_patients;
DROP VIEW IF EXISTS facility_patients;
DROP INDEX CONCURRENTLY IF EXISTS patient_facilities_key;
CREATE UNIQUE INDEX CONCURRENTLY patient_facilities_key ON patient_facilities (tenant_id, patient_id, facility_id);
ALTER TABLE patient_facilities
    DROP CONSTRAINT IF EXISTS patient_facilities_pkey,
    ADD CONSTRAINT patient_facilities_pkey PRIMARY KEY USING INDEX patient_facilities_key;
DROP INDEX CONCURRENTLY IF EXISTS patient_facilities_facility_idx;
CREATE INDEX CONCURRENTLY patient_facilities_facility_idx ON patient_facilities (tenant_id, facility_id, patient_id);
DROP INDEX CONCURRENTLY IF EXISTS patient_facilities_allowed_idx;
