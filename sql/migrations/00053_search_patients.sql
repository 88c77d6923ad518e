-- Patients are found by their names, like users, and by birth date, phone and external id: for a facility by what
-- it may see, so that a search costs what it shows and not what the tenant has.

-- +goose NO TRANSACTION
-- +goose Up
-- What a patient is found by: the words of the name, those of the family name first; the birth date, as a number of
-- days; the phone; and the beginning of the external id, so that no entry is too large for an index. Each has a letter
-- before it that says which it is.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION terms_of_patient(
    given_name text, family_name text, birth_date date, phone text, external_id text
) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN name_terms(family_name || ' ' || given_name)
        || array_remove(
            ARRAY['b' || (birth_date - '2000-01-01'::date), 'p' || phone, 'x' || left(external_id, 64)], NULL);
END
$$;
-- +goose StatementEnd

-- What is looked for in their entries: see asked_terms. An external id is the rarest, then a phone, then a birth date.
CREATE OR REPLACE FUNCTION asked_patient_terms(name text, birth_date date, phone text, external_id text)
    RETURNS TABLE (first text, past text, patterns text[])
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN asked_terms(
        name, ARRAY['x' || left(external_id, 64), 'p' || phone, 'b' || (birth_date - '2000-01-01'::date)]);

-- An entry for each term of a patient and each facility that they allow to see them. Triggers write them.
CREATE TABLE IF NOT EXISTS patient_terms (
    tenant_id   uuid NOT NULL,
    facility_id uuid NOT NULL,
    term        text COLLATE "C" NOT NULL,
    patient_id  uuid NOT NULL,
    terms       text COLLATE "C" NOT NULL,
    CONSTRAINT patient_terms_pkey PRIMARY KEY (tenant_id, facility_id, term, patient_id) INCLUDE (terms)
);

-- The entries of the viewer's facilities, which are of patients who allow it.
ALTER TABLE patient_terms ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS patient_terms_viewers ON patient_terms;
CREATE POLICY patient_terms_viewers ON patient_terms FOR SELECT TO waybill_app
    USING (
        tenant_id = (SELECT viewer_tenant_id())
        AND facility_id IN (
            SELECT v.facility_id
            FROM facility_viewers AS v
            WHERE v.tenant_id = (SELECT viewer_tenant_id()) AND v.user_id = (SELECT viewer_id())));
GRANT SELECT ON patient_terms TO waybill_app;

-- The entries follow the patients and their facilities. These run as their owner: the application writes none.
-- A patient is locked before they are read, so that who adds a facility and who edits the patient see each other.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION patient_facilities_add_terms() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
BEGIN
    INSERT INTO patient_terms (tenant_id, facility_id, term, patient_id, terms)
    SELECT l.tenant_id, l.met_id, t.term, l.id, joined_terms(n.terms)
    FROM (
        SELECT p.*, a.facility_id AS met_id
        FROM added AS a
        JOIN patients AS p ON p.tenant_id = a.tenant_id AND p.id = a.patient_id
        WHERE a.allowed
        ORDER BY p.tenant_id, p.id
        FOR SHARE OF p
    ) AS l
    CROSS JOIN LATERAL (
        SELECT terms_of_patient(l.given_name, l.family_name, l.birth_date, l.phone, l.external_id) AS terms
        OFFSET 0
    ) AS n
    CROSS JOIN LATERAL unnest(n.terms) AS t (term)
    ON CONFLICT ON CONSTRAINT patient_terms_pkey DO UPDATE SET terms = excluded.terms;
    RETURN NULL;
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION patient_facilities_keep_terms() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
DECLARE
    patient patients;
    wanted text[];
BEGIN
    SELECT * INTO patient FROM patients AS p WHERE p.tenant_id = OLD.tenant_id AND p.id = OLD.patient_id FOR SHARE;
    wanted := terms_of_patient(
        patient.given_name, patient.family_name, patient.birth_date, patient.phone, patient.external_id);
    IF TG_OP = 'DELETE' OR NOT NEW.allowed THEN
        DELETE FROM patient_terms AS e
        WHERE e.tenant_id = OLD.tenant_id
            AND e.facility_id = OLD.facility_id
            AND e.term = ANY (wanted)
            AND e.patient_id = OLD.patient_id;
    ELSE
        INSERT INTO patient_terms (tenant_id, facility_id, term, patient_id, terms)
        SELECT NEW.tenant_id, NEW.facility_id, t.term, NEW.patient_id, joined_terms(wanted)
        FROM unnest(wanted) AS t (term)
        ON CONFLICT ON CONSTRAINT patient_terms_pkey DO UPDATE SET terms = excluded.terms;
    END IF;
    RETURN NULL;
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION patients_keep_terms() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
DECLARE
    former text[] := terms_of_patient(
        OLD.given_name, OLD.family_name, OLD.birth_date, OLD.phone, OLD.external_id);
    wanted text[] := terms_of_patient(
        NEW.given_name, NEW.family_name, NEW.birth_date, NEW.phone, NEW.external_id);
BEGIN
    DELETE FROM patient_terms AS e
    USING patient_facilities AS f
    WHERE f.tenant_id = OLD.tenant_id
        AND f.patient_id = OLD.id
        AND e.tenant_id = f.tenant_id
        AND e.facility_id = f.facility_id
        AND e.term = ANY (former)
        AND NOT e.term = ANY (wanted)
        AND e.patient_id = f.patient_id;
    INSERT INTO patient_terms (tenant_id, facility_id, term, patient_id, terms)
    SELECT f.tenant_id, f.facility_id, t.term, f.patient_id, joined_terms(wanted)
    FROM patient_facilities AS f
    CROSS JOIN unnest(wanted) AS t (term)
    WHERE f.tenant_id = NEW.tenant_id AND f.patient_id = NEW.id AND f.allowed
    ON CONFLICT ON CONSTRAINT patient_terms_pkey DO UPDATE SET terms = excluded.terms;
    RETURN NULL;
END
$$;
-- +goose StatementEnd

CREATE OR REPLACE TRIGGER patient_facilities_add_terms AFTER INSERT ON patient_facilities
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION patient_facilities_add_terms();
CREATE OR REPLACE TRIGGER patient_facilities_keep_terms AFTER UPDATE OF allowed ON patient_facilities
    FOR EACH ROW WHEN (NEW.allowed <> OLD.allowed) EXECUTE FUNCTION patient_facilities_keep_terms();
CREATE OR REPLACE TRIGGER patient_facilities_remove_terms AFTER DELETE ON patient_facilities
    FOR EACH ROW EXECUTE FUNCTION patient_facilities_keep_terms();
ALTER TABLE patient_facilities
    ENABLE ALWAYS TRIGGER patient_facilities_add_terms,
    ENABLE ALWAYS TRIGGER patient_facilities_keep_terms,
    ENABLE ALWAYS TRIGGER patient_facilities_remove_terms;
CREATE OR REPLACE TRIGGER patients_keep_terms
    AFTER UPDATE OF given_name, family_name, birth_date, phone, external_id ON patients
    FOR EACH ROW WHEN (
        (NEW.given_name, NEW.family_name, NEW.birth_date, coalesce(NEW.phone, ''), coalesce(NEW.external_id, ''))
        <> (OLD.given_name, OLD.family_name, OLD.birth_date, coalesce(OLD.phone, ''), coalesce(OLD.external_id, '')))
    EXECUTE FUNCTION patients_keep_terms();
ALTER TABLE patients ENABLE ALWAYS TRIGGER patients_keep_terms;

-- The patients that there are, a batch after the other in the order of their key. Each batch is locked, so that no
-- edit of a patient in it is overwritten by what it read; a facility that is added meanwhile adds its own entries.
-- Again after a kill.
-- +goose StatementBegin
DO $$
DECLARE
    done patients;
BEGIN
    LOOP
        WITH batch AS MATERIALIZED (
            SELECT p.*
            FROM patients AS p
            WHERE done.id IS NULL OR (p.tenant_id, p.id) > (done.tenant_id, done.id)
            ORDER BY p.tenant_id, p.id
            LIMIT 1000
            FOR SHARE
        ), filled AS (
            INSERT INTO patient_terms (tenant_id, facility_id, term, patient_id, terms)
            SELECT b.tenant_id, f.facility_id, t.term, b.id, joined_terms(n.terms)
            FROM batch AS b
            CROSS JOIN LATERAL (
                SELECT terms_of_patient(b.given_name, b.family_name, b.birth_date, b.phone, b.external_id) AS terms
                OFFSET 0
            ) AS n
            JOIN patient_facilities AS f ON f.tenant_id = b.tenant_id AND f.patient_id = b.id AND f.allowed
            CROSS JOIN LATERAL unnest(n.terms) AS t (term)
            ON CONFLICT ON CONSTRAINT patient_terms_pkey DO NOTHING
        )
        SELECT b.* INTO done FROM batch AS b ORDER BY b.tenant_id DESC, b.id DESC LIMIT 1;
        EXIT WHEN NOT FOUND;
        COMMIT;
    END LOOP;
END
$$;
-- +goose StatementEnd

-- The next entries of a facility after one, most of them at most, that fit what is asked for; it looks at so many
-- entries at most, and the last of these it returns too if it does not fit. A patient is found by the first of their
-- terms that fit. PostgreSQL puts the body in the place of the call.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION next_patient_terms(
    of_tenant uuid, of_facility uuid, first text, past text, patterns text[], after_term text, after_id uuid,
    looks bigint, most bigint
)
RETURNS TABLE (term text, patient_id uuid, fits boolean, is_last boolean)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT k.term, k.patient_id, k.fits, k.is_last
    FROM (
        SELECT
            e.term,
            e.patient_id,
            e.terms LIKE ALL (patterns)
                AND strpos(e.terms, chr(31) || next_patient_terms.first)
                    = strpos(e.terms, chr(31) || e.term || chr(31)) AS fits,
            row_number() OVER (ORDER BY e.term, e.patient_id) = looks AS is_last
        FROM (
            SELECT t.term, t.patient_id, t.terms
            FROM patient_terms AS t
            WHERE t.tenant_id = of_tenant
                AND t.facility_id = of_facility
                AND (t.term, t.patient_id) > (greatest(after_term, next_patient_terms.first), after_id)
                AND t.term < past
            ORDER BY t.term, t.patient_id
            LIMIT looks
        ) AS e
    ) AS k
    WHERE k.fits OR k.is_last
    ORDER BY k.term, k.patient_id
    LIMIT most;
END;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION IF EXISTS next_patient_terms;
DROP TRIGGER IF EXISTS patients_keep_terms ON patients;
DROP TRIGGER IF EXISTS patient_facilities_remove_terms ON patient_facilities;
DROP TRIGGER IF EXISTS patient_facilities_keep_terms ON patient_facilities;
DROP TRIGGER IF EXISTS patient_facilities_add_terms ON patient_facilities;
DROP FUNCTION IF EXISTS patients_keep_terms;
DROP FUNCTION IF EXISTS patient_facilities_keep_terms;
DROP FUNCTION IF EXISTS patient_facilities_add_terms;
DROP TABLE IF EXISTS patient_terms;
DROP FUNCTION IF EXISTS asked_patient_terms;
DROP FUNCTION IF EXISTS terms_of_patient;
