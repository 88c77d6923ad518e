-- Patients: what a tenant knows of them, and which facilities may see it. A patient
-- is the concern of the facilities that they had to do with, or allowed.

-- +goose Up
-- An id in the order of time (UUID version 7), for the rows that statements make by
-- themselves.
CREATE FUNCTION new_id() RETURNS uuid
LANGUAGE sql VOLATILE PARALLEL SAFE
RETURN encode(
    set_bit(set_bit(
        overlay(
            uuid_send(gen_random_uuid())
            PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
            FROM 1 FOR 6),
        52, 1), 53, 1),
    'hex')::uuid;

CREATE TABLE patients (
    tenant_id      uuid        NOT NULL,
    id             uuid        NOT NULL,
    -- Whose records know them, by external_id where they have one.
    facility_id    uuid        NOT NULL,
    external_id    text,
    given_name     text        NOT NULL,
    family_name    text        NOT NULL,
    birth_date     date        NOT NULL,
    phone          text,
    version        bigint      NOT NULL DEFAULT 1,
    -- Of the request that created them; those that a feed brought have none.
    request_digest bytea,
    created_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT patients_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT patients_facility_fkey FOREIGN KEY (tenant_id, facility_id) REFERENCES facilities,
    CONSTRAINT patients_external_id_key UNIQUE (tenant_id, facility_id, external_id),
    CONSTRAINT patients_external_id_check
        CHECK (btrim(external_id) <> '' AND char_length(external_id) <= 200),
    CONSTRAINT patients_given_name_check CHECK (btrim(given_name) <> '' AND char_length(given_name) <= 200),
    CONSTRAINT patients_family_name_check CHECK (btrim(family_name) <> '' AND char_length(family_name) <= 200),
    CONSTRAINT patients_birth_date_check CHECK (birth_date BETWEEN '1800-01-01' AND '9999-12-31'),
    CONSTRAINT patients_phone_check CHECK (phone ~ '^\+[1-9][0-9]{6,14}$')
);

CREATE TABLE patient_facilities (
    tenant_id   uuid        NOT NULL,
    patient_id  uuid        NOT NULL,
    facility_id uuid        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT patient_facilities_pkey PRIMARY KEY (tenant_id, patient_id, facility_id),
    CONSTRAINT patient_facilities_patient_fkey FOREIGN KEY (tenant_id, patient_id) REFERENCES patients,
    CONSTRAINT patient_facilities_facility_fkey FOREIGN KEY (tenant_id, facility_id) REFERENCES facilities
);

CREATE INDEX patient_facilities_facility_idx ON patient_facilities (tenant_id, facility_id, patient_id);

-- Who sees which patient: user -> groups -> facilities -> patients. Ids alone.
CREATE VIEW patient_viewers AS
SELECT v.tenant_id, v.user_id, v.facility_id, p.patient_id
FROM facility_viewers AS v
JOIN patient_facilities AS p ON p.tenant_id = v.tenant_id AND p.facility_id = v.facility_id;

-- Append only: when whom a patient allowed to see them, or no longer, and who wrote
-- it down.
CREATE TABLE patient_consents (
    tenant_id   uuid        NOT NULL,
    id          uuid        NOT NULL DEFAULT new_id(),
    patient_id  uuid        NOT NULL,
    facility_id uuid        NOT NULL,
    allowed     boolean     NOT NULL,
    -- From the session of the same statement; users are never deleted.
    actor_id    uuid        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT patient_consents_pkey PRIMARY KEY (tenant_id, id)
);

CREATE INDEX patient_consents_patient_idx ON patient_consents (tenant_id, patient_id, created_at, id);

-- Append only: who read which patient. Written by the statement that reads, from the
-- row that it read; a foreign key would lock the patient's row for every read.
CREATE TABLE phi_reads (
    tenant_id  uuid        NOT NULL,
    id         uuid        NOT NULL DEFAULT new_id(),
    patient_id uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    -- The id of the operation, as the OpenAPI document has it.
    operation  text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT phi_reads_pkey PRIMARY KEY (tenant_id, id)
);

CREATE INDEX phi_reads_patient_idx ON phi_reads (tenant_id, patient_id, created_at, id);

-- The second layer: the statements say themselves who may see what; where one forgot
-- to, these policies leave nothing. The two settings are the viewer's, made in the
-- same round trip as the statement and gone after it.
CREATE FUNCTION viewer_tenant_id() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('waybill.tenant_id', true), '')::uuid;

CREATE FUNCTION viewer_id() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('waybill.viewer_id', true), '')::uuid;

-- Whether there is such a patient, and nothing else of them: for who may know who read
-- a patient, and not the patient. It runs as its owner, whom no policy concerns.
CREATE FUNCTION patient_exists(tenant_id uuid, id uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER
RETURN EXISTS (SELECT FROM patients AS p WHERE p.tenant_id = patient_exists.tenant_id AND p.id = patient_exists.id);

REVOKE EXECUTE ON FUNCTION patient_exists FROM PUBLIC;
GRANT EXECUTE ON FUNCTION patient_exists TO waybill_app;

ALTER TABLE patients ENABLE ROW LEVEL SECURITY;
ALTER TABLE patient_facilities ENABLE ROW LEVEL SECURITY;

-- The tenant is the setting's throughout, and not the row's, so that a statement over
-- many rows can look at what the viewer sees once. The first line lets a statement
-- return, or meet again, the patient that it makes itself: their row in
-- patient_facilities is not in its snapshot.
CREATE POLICY patients_viewers ON patients TO waybill_app
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

CREATE POLICY patient_facilities_viewers ON patient_facilities TO waybill_app
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

GRANT SELECT, INSERT, UPDATE ON patients TO waybill_app;
GRANT SELECT, INSERT, DELETE ON patient_facilities TO waybill_app;
GRANT SELECT ON patient_viewers TO waybill_app;
GRANT SELECT, INSERT ON patient_consents, phi_reads TO waybill_app;

-- +goose Down
DROP TABLE phi_reads;
DROP TABLE patient_consents;
DROP POLICY patient_facilities_viewers ON patient_facilities;
DROP POLICY patients_viewers ON patients;
DROP FUNCTION patient_exists;
DROP VIEW patient_viewers;
DROP TABLE patient_facilities;
DROP TABLE patients;
DROP FUNCTION viewer_id;
DROP FUNCTION viewer_tenant_id;
DROP FUNCTION new_id;
