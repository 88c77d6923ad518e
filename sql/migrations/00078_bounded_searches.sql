-- Searches cost what they show, whatever they are by.
--
-- A search of pickups whose look did not fill a page asks the index of terms for all that fit. The index reads all that
-- has a word, or one that begins with it, however many that are: with the million pickups of a tenant, of whom each has
-- the word, a second, only to find that these are more than a search takes from there. Now it first asks a small index
-- of every 256th pickup which of what is asked for few have.
--
-- A search of patients by several words read the entries of the longest one, of which each facility has as many as it
-- has patients: 180,000 pages for three words of which nobody has one. Now it reads those of the rarest, and who sees
-- more than a hundred facilities gets a shorter page where a few hundred of the tenant's entries were not enough.
-- +waybill compatible_from: 00057

-- +goose NO TRANSACTION
-- +goose Up
-- An index that a kill left behind is not valid, and would stay so. It is written by few pickups, at once: it has no
-- list of what is not sorted in yet, which each search would read.
DROP INDEX CONCURRENTLY IF EXISTS pickup_searches_sample_idx;
CREATE INDEX CONCURRENTLY pickup_searches_sample_idx ON pickup_searches USING gin (terms)
    WITH (fastupdate = off)
    WHERE get_byte(uuid_send(pickup_id), 15) = 0;

-- Whether few pickups have what is asked for: some 8,000 of all, as 32 of every 256th are. Its settings leave the
-- planner no other way than an index of terms.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION few_have(asked tsquery) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = public, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
    sampled bigint;
BEGIN
    SELECT count(*) INTO sampled
    FROM (
        SELECT
        FROM pickup_searches AS s
        WHERE get_byte(uuid_send(s.pickup_id), 15) = 0 AND s.terms @@ asked
        LIMIT 33
    ) AS k;
    RETURN sampled <= 32;
END
$$;
-- +goose StatementEnd

-- What to ask the index of terms for: see terms_query and words_query. Of the words, it has only those that few pickups
-- have, of the eight longest; null, if few have nothing of what is asked for. Ids and days cost no more than the rarest
-- of them, and are asked for all.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION rare_terms_query(
    of_tenant uuid, facilities uuid[], account uuid, requester uuid, patient uuid,
    starts timestamptz, ends timestamptz, content text, sees_notes boolean)
RETURNS tsquery
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = public, pg_temp
AS $$
DECLARE
    words text[] := search_words(content);
    asked tsquery := terms_query(
        of_tenant, facilities, account, requester, patient, starts, ends, content IS NOT NULL);
    is_rare boolean := false;
    part tsquery;
BEGIN
    IF content IS NOT NULL AND cardinality(words) = 0 THEN
        RETURN words_query(of_tenant, content, sees_notes);
    END IF;
    FOREACH part IN ARRAY ARRAY[
        terms_query(of_tenant, NULL, NULL, NULL, patient, NULL, NULL, false),
        terms_query(of_tenant, NULL, NULL, requester, NULL, NULL, NULL, false),
        terms_query(of_tenant, NULL, account, NULL, NULL, NULL, NULL, false),
        terms_query(of_tenant, NULL, NULL, NULL, NULL, starts, ends, false),
        CASE WHEN asked IS NOT NULL THEN terms_query(of_tenant, facilities, NULL, NULL, NULL, NULL, NULL, true) END]
    LOOP
        is_rare := is_rare OR part IS NOT NULL AND few_have(part);
        EXIT WHEN is_rare;
    END LOOP;
    FOR part IN
        SELECT words_query(of_tenant, w, sees_notes)
        FROM unnest(words) AS w
        ORDER BY char_length(w) DESC, w
        LIMIT 8
    LOOP
        IF few_have(part) THEN
            is_rare := true;
            asked := coalesce(asked && part, part);
        END IF;
    END LOOP;
    RETURN CASE WHEN is_rare THEN asked END;
END
$$;
-- +goose StatementEnd

-- As next_patient_terms, but no further than a place.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION patient_terms_until(
    of_tenant uuid, of_facility uuid, first text, past text, patterns text[], after_term text, after_id uuid,
    until_term text, until_id uuid, looks bigint, most bigint
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
                AND strpos(e.terms, chr(31) || patient_terms_until.first)
                    = strpos(e.terms, chr(31) || e.term || chr(31)) AS fits,
            row_number() OVER (ORDER BY e.term, e.patient_id) = looks AS is_last
        FROM (
            SELECT t.term, t.patient_id, t.terms
            FROM patient_terms AS t
            WHERE t.tenant_id = of_tenant
                AND t.facility_id = of_facility
                AND (t.term, t.patient_id) > (greatest(after_term, patient_terms_until.first), after_id)
                AND (t.term, t.patient_id) <= (until_term, until_id)
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

-- What asked_patient_terms asks for, by the rarest of several words of a name, if the tenant has fewer than 64 entries
-- that begin like it; otherwise by the longest. A search goes on by the word by which it began, which is the longest
-- that its place begins with: of two words of which one begins with the other, the longer one is never the commoner. It
-- runs as its owner, as row level security would have it count on past the entries of others; of these, the order of
-- the list tells no more than whether there are 64.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION rarest_patient_terms(
    name text, birth_date date, phone text, external_id text, after_term text
)
RETURNS TABLE (first text, past text, patterns text[])
LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
SECURITY DEFINER
SET search_path = public, pg_temp
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_sort = off
AS $$
#variable_conflict use_column
DECLARE
    words text[] := ARRAY(
        SELECT DISTINCT 'n' || left(w.word, 32)
        FROM unnest(string_to_array(fold_name(rarest_patient_terms.name), ' ')) AS w (word));
    word text;
    entries bigint;
    fewest bigint := 64;
BEGIN
    SELECT a.first, a.past, a.patterns INTO first, past, patterns
    FROM asked_patient_terms(
        rarest_patient_terms.name, rarest_patient_terms.birth_date, rarest_patient_terms.phone,
        rarest_patient_terms.external_id) AS a;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF first = ANY (words) AND cardinality(words) > 1 THEN
        FOR word IN
            SELECT w.word
            FROM unnest(words) AS w (word)
            ORDER BY char_length(w.word) DESC, w.word COLLATE "C"
            LIMIT 8
        LOOP
            IF after_term <> '' THEN
                CONTINUE WHEN NOT starts_with(after_term, word);
                fewest := 0;
            ELSE
                SELECT count(*) INTO entries
                FROM (
                    SELECT
                    FROM patient_terms AS t
                    WHERE t.tenant_id = viewer_tenant_id()
                        AND t.term >= word
                        AND t.term < word || chr(1114111)
                    ORDER BY t.term
                    LIMIT fewest
                ) AS k;
                CONTINUE WHEN entries >= fewest;
                fewest := entries;
            END IF;
            first := word;
            past := word || chr(1114111);
            EXIT WHEN fewest = 0;
        END LOOP;
    END IF;
    RETURN NEXT;
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION rarest_patient_terms FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rarest_patient_terms TO waybill_app;

-- As next_visible_patient_terms, but where its look was not enough, it returns the last of the viewer's entries that it
-- looked at, where the search goes on. If the viewer has none of them, it returns a row of nulls.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION visible_patient_terms(
    first text, past text, patterns text[], after_term text, after_id uuid, looks bigint, most bigint
)
RETURNS TABLE (term text, patient_id uuid, fits boolean, is_last boolean)
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
    SELECT k.term, k.patient_id, true, false
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
    IF found >= most THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT l.term, l.patient_id, false, true
    FROM (SELECT) AS one
    LEFT JOIN LATERAL (
        SELECT e.term, e.patient_id
        FROM (
            SELECT t.term, t.patient_id, t.facility_id
            FROM patient_terms AS t
            WHERE t.tenant_id = viewer_tenant_id()
                AND (t.term, t.patient_id) > (greatest(after_term, first), after_id)
                AND t.term < past
            ORDER BY t.term, t.patient_id, t.facility_id
            LIMIT looks
        ) AS e
        WHERE (e.facility_id IN (SELECT unnest(mine))) IS TRUE
        ORDER BY e.term DESC, e.patient_id DESC
        LIMIT 1
    ) AS l ON true
    WHERE EXISTS (
        SELECT
        FROM patient_terms AS t
        WHERE t.tenant_id = viewer_tenant_id()
            AND (t.term, t.patient_id) > (greatest(after_term, first), after_id)
            AND t.term < past
        ORDER BY t.term, t.patient_id, t.facility_id
        OFFSET looks
    );
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION visible_patient_terms FROM PUBLIC;
GRANT EXECUTE ON FUNCTION visible_patient_terms TO waybill_app;

-- +goose Down
DROP FUNCTION IF EXISTS visible_patient_terms;
DROP FUNCTION IF EXISTS rarest_patient_terms;
DROP FUNCTION IF EXISTS patient_terms_until;
DROP FUNCTION IF EXISTS rare_terms_query;
DROP FUNCTION IF EXISTS few_have;
DROP INDEX CONCURRENTLY IF EXISTS pickup_searches_sample_idx;
