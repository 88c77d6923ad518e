-- The entries that a new patient is found by are made from the patient's row, which is looked up by its key. A join
-- was left to the planner, who merged the rows that were added with all patients of all tenants, in the order of
-- their key, where statistics did not know of many: 6,000 rows for a feed of 1,000 new patients among 5,000.
-- +waybill compatible_from: 00039

-- +goose Up
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
        FROM (
            SELECT d.tenant_id, d.patient_id, d.facility_id
            FROM added AS d
            WHERE d.allowed
            ORDER BY d.tenant_id, d.patient_id
        ) AS a
        CROSS JOIN LATERAL (
            SELECT *
            FROM patients AS p
            WHERE p.tenant_id = a.tenant_id AND p.id = a.patient_id
            LIMIT 1
            FOR SHARE OF p
        ) AS p
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

-- +goose Down
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
