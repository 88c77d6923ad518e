-- Who sees hundreds of facilities and looks for a patient read the entries of each facility: 10,700 pages of the
-- database for 2,000 of them. Now the entries of the tenant are read in the order of their terms first, until they
-- fill the page or there are no more; those of the facilities are merged only if a thousand did not.
-- +waybill compatible_from: 00039

-- +goose NO TRANSACTION
-- +goose Up
DROP INDEX CONCURRENTLY IF EXISTS patient_terms_term_idx;
CREATE INDEX CONCURRENTLY patient_terms_term_idx ON patient_terms (tenant_id, term, patient_id, facility_id);

-- The next patients after one whose entries fit what is asked for, most of them at most, of the facilities that the
-- session's viewer sees. It looks at so many entries of the tenant at most: if that was not enough to know whether
-- there are more, the last row says so, without saying where it ended, since that may be a patient whom the viewer
-- does not see. It runs as its owner, as row level security would have it read on past the entries of others, however
-- many there are. Its settings leave the planner no other way than the order of the index, whatever it believes.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION next_visible_patient_terms(
    first text, past text, patterns text[], after_term text, after_id uuid, looks bigint, most bigint
)
RETURNS TABLE (term text, patient_id uuid, is_cut boolean)
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
SECURITY DEFINER
SET search_path = public, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_sort = off
SET enable_incremental_sort = off
AS $$
#variable_conflict use_column
DECLARE
    mine uuid[] := ARRAY(
        SELECT v.facility_id
        FROM facility_viewers AS v
        WHERE v.tenant_id = viewer_tenant_id() AND v.user_id = viewer_id());
    found bigint;
BEGIN
    RETURN QUERY
    SELECT k.term, k.patient_id, false
    FROM (
        SELECT DISTINCT e.term, e.patient_id
        FROM (
            SELECT t.term, t.patient_id, t.facility_id, t.terms
            FROM patient_terms AS t
            WHERE t.tenant_id = viewer_tenant_id()
                AND (t.term, t.patient_id) > (greatest(after_term, first), after_id)
                AND t.term < past
            ORDER BY t.term, t.patient_id, t.facility_id
            LIMIT looks
        ) AS e
        WHERE e.terms LIKE ALL (patterns)
            AND strpos(e.terms, chr(31) || first) = strpos(e.terms, chr(31) || e.term || chr(31))
            AND (e.facility_id IN (SELECT unnest(mine))) IS TRUE
        ORDER BY e.term, e.patient_id
        LIMIT most
    ) AS k;
    GET DIAGNOSTICS found = ROW_COUNT;
    RETURN QUERY
    SELECT NULL::text, NULL::uuid, true
    FROM patient_terms AS t
    WHERE found < most
        AND t.tenant_id = viewer_tenant_id()
        AND (t.term, t.patient_id) > (greatest(after_term, first), after_id)
        AND t.term < past
    ORDER BY t.term, t.patient_id, t.facility_id
    OFFSET looks
    LIMIT 1;
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION next_visible_patient_terms FROM PUBLIC;
GRANT EXECUTE ON FUNCTION next_visible_patient_terms TO waybill_app;

-- +goose Down
DROP FUNCTION IF EXISTS next_visible_patient_terms;
DROP INDEX CONCURRENTLY IF EXISTS patient_terms_term_idx;
