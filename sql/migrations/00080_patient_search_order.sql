-- A search of patients by several words says nothing of the patients of others.
--
-- It read the entries of the word of which the tenant has fewest, and its order told by which: whoever makes three
-- patients with two words, and compares, learns whether a patient of another facility has one of them. Now it is the
-- word of which the viewer's own facilities have fewest, as far as ten of these tell.
--
-- And what the functions return is in the order of the database's collation to who sorts it, while entries are read
-- and gone on from in the order of "C": in a database of another locale, pages skipped patients. What these compare
-- is compared in "C" now; who calls them does the same.
-- +waybill compatible_from: 00057

-- +goose Up
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
                AND (t.term, t.patient_id) > (greatest(after_term COLLATE "C", next_patient_terms.first), after_id)
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
                AND (t.term, t.patient_id) > (greatest(after_term COLLATE "C", patient_terms_until.first), after_id)
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

-- What asked_patient_terms asks for, by the rarest of several words of a name, if ten of the viewer's facilities have
-- fewer than 64 entries that begin like it; otherwise by the longest. Others' entries are not counted, as the order of
-- the list would tell of them. A search goes on by the word by which it began, which is the longest that its place
-- begins with: of two words of which one begins with the other, the longer one is never the commoner. It runs as its
-- owner, whose reads no policy changes: it names the facilities itself.
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
    sampled uuid[];
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
        sampled := ARRAY(
            SELECT DISTINCT v.facility_id
            FROM facility_viewers AS v
            WHERE v.tenant_id = viewer_tenant_id() AND v.user_id = viewer_id()
            ORDER BY v.facility_id
            LIMIT 10);
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
                    FROM unnest(sampled) AS f (facility_id)
                    CROSS JOIN LATERAL (
                        SELECT
                        FROM patient_terms AS t
                        WHERE t.tenant_id = viewer_tenant_id()
                            AND t.facility_id = f.facility_id
                            AND t.term >= word
                            AND t.term < word || chr(1114111)
                        ORDER BY t.term
                        LIMIT fewest
                    ) AS e
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
                AND (t.term, t.patient_id) > (greatest(after_term COLLATE "C", first), after_id)
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
                AND (t.term, t.patient_id) > (greatest(after_term COLLATE "C", first), after_id)
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
            AND (t.term, t.patient_id) > (greatest(after_term COLLATE "C", first), after_id)
            AND t.term < past
        ORDER BY t.term, t.patient_id, t.facility_id
        OFFSET looks
    );
END
$$;
-- +goose StatementEnd

-- +goose Down
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
