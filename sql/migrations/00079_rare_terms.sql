-- Which of what a search of pickups asks for few pickups have.
--
-- Windows were never among it for one tenant in sixteen: the terms of its days begin like those of facilities, and were
-- taken for them. The sample had each pickup whose id ends in 00; but clients choose ids, and of those with the number
-- of a machine at their end all or none do. Now the hash of an id decides, and of fewer pickups: reading every 256th
-- cost 15 ms of a search among ten million. And a word was folded twice: by the few characters that a second time
-- changes, no pickup was found.
-- +waybill compatible_from: 00057

-- +goose NO TRANSACTION
-- +goose Up
-- An index that a kill left behind is not valid, and would stay so.
DROP INDEX CONCURRENTLY IF EXISTS pickup_searches_hashed_idx;
CREATE INDEX CONCURRENTLY pickup_searches_hashed_idx ON pickup_searches USING gin (terms)
    WITH (fastupdate = off)
    WHERE (uuid_hash(pickup_id) & 1023) = 0;

-- Asks for a folded word, or one that begins with it, of an address or, of those who see notes, of the note.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION word_query(of_tenant uuid, word text, sees_notes boolean) RETURNS tsquery
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = public, pg_temp
AS $$
DECLARE
    tenant text := terms_of_tenant(of_tenant);
BEGIN
    RETURN CASE
        WHEN sees_notes THEN format('%L:* | %L:*', tenant || 'a' || word, tenant || 'n' || word)
        ELSE format('%L:*', tenant || 'a' || word)
    END::tsquery;
END
$$;
-- +goose StatementEnd

-- Asks for all words of a text: see word_query. A text without a word is found nowhere; null for no text.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION words_query(of_tenant uuid, content text, sees_notes boolean) RETURNS tsquery
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = public, pg_temp
AS $$
DECLARE
    words text[] := search_words(content);
BEGIN
    RETURN CASE
        WHEN content IS NULL THEN NULL
        WHEN cardinality(words) = 0 THEN 'none'::tsquery
        ELSE (
            SELECT string_agg('(' || word_query(of_tenant, w, sees_notes)::text || ')', ' & ')::tsquery
            FROM unnest(words) AS w)
    END;
END
$$;
-- +goose StatementEnd

-- Asks for the ids that are not null and the days of a range that is not long, at the facilities if there are few;
-- null for nothing of these. Facilities alone have too many, unless there is more to ask for.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION terms_query(
    of_tenant uuid, facilities uuid[], account uuid, requester uuid, patient uuid,
    starts timestamptz, ends timestamptz, is_more boolean)
RETURNS tsquery
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = public, pg_temp
AS $$
DECLARE
    tenant text := terms_of_tenant(of_tenant);
    days text[] := window_days(starts, ends);
BEGIN
    RETURN (
        SELECT string_agg(q.term, ' & ')::tsquery
        FROM (
            SELECT format('%L', t) AS term, true AS suffices
            FROM unnest(ARRAY['c' || account, 'r' || requester, 'p' || patient]) AS t
            WHERE t IS NOT NULL
            UNION ALL
            SELECT '(' || string_agg(format('%L', 'f' || f), ' | ') || ')', is_more
            FROM unnest(facilities) AS f
            HAVING count(*) BETWEEN 1 AND 50
            UNION ALL
            SELECT '(' || string_agg(format('%L', tenant || 'd' || d), ' | ') || ')', true
            FROM unnest(days || 'long'::text) AS d
            WHERE cardinality(days) > 0 AND days <> ARRAY['long']
            HAVING count(*) > 0
        ) AS q
        HAVING bool_or(q.suffices));
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
        SELECT word_query(of_tenant, w, sees_notes)
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

-- Whether few pickups have what is asked for: some 8,000 of all, as 8 of every 1,024th are. Its settings leave the
-- planner no other way than an index of terms. That index reads all of its pickups that have a word before the first of
-- them is counted: with every 256th of ten million, 15 ms for a word that all have.
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
        WHERE (uuid_hash(s.pickup_id) & 1023) = 0 AND s.terms @@ asked
        LIMIT 9
    ) AS k;
    RETURN sampled <= 8;
END
$$;
-- +goose StatementEnd

DROP INDEX CONCURRENTLY IF EXISTS pickup_searches_sample_idx;

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS pickup_searches_sample_idx;
CREATE INDEX CONCURRENTLY pickup_searches_sample_idx ON pickup_searches USING gin (terms)
    WITH (fastupdate = off)
    WHERE get_byte(uuid_send(pickup_id), 15) = 0;
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
DROP INDEX CONCURRENTLY IF EXISTS pickup_searches_hashed_idx;
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
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION terms_query(
    of_tenant uuid, facilities uuid[], account uuid, requester uuid, patient uuid,
    starts timestamptz, ends timestamptz, is_more boolean)
RETURNS tsquery
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = public, pg_temp
AS $$
DECLARE
    tenant text := terms_of_tenant(of_tenant);
    days text[] := window_days(starts, ends);
BEGIN
    RETURN (
        SELECT string_agg(q.term, ' & ')::tsquery
        FROM (
            SELECT format('%L', t) AS term
            FROM unnest(ARRAY['c' || account, 'r' || requester, 'p' || patient]) AS t
            WHERE t IS NOT NULL
            UNION ALL
            SELECT '(' || string_agg(format('%L', 'f' || f), ' | ') || ')'
            FROM unnest(facilities) AS f
            HAVING count(*) BETWEEN 1 AND 50
            UNION ALL
            SELECT '(' || string_agg(format('%L', tenant || 'd' || d), ' | ') || ')'
            FROM unnest(days || 'long'::text) AS d
            WHERE cardinality(days) > 0 AND days <> ARRAY['long']
            HAVING count(*) > 0
        ) AS q
        HAVING bool_or(q.term NOT LIKE '(''f%' OR is_more));
END
$$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION words_query(of_tenant uuid, content text, sees_notes boolean) RETURNS tsquery
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = public, pg_temp
AS $$
DECLARE
    tenant text := terms_of_tenant(of_tenant);
    words text[] := search_words(content);
BEGIN
    RETURN CASE
        WHEN content IS NULL THEN NULL
        WHEN cardinality(words) = 0 THEN 'none'::tsquery
        ELSE (
            SELECT string_agg(
                CASE
                    WHEN sees_notes THEN format('(%1$L:* | %2$L:*)', tenant || 'a' || w, tenant || 'n' || w)
                    ELSE format('%L:*', tenant || 'a' || w)
                END, ' & ')::tsquery
            FROM unnest(words) AS w)
    END;
END
$$;
-- +goose StatementEnd
DROP FUNCTION IF EXISTS word_query;
