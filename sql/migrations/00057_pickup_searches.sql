-- Pickups by account, requester and patient, by the words of their addresses and notes, and by the days of their
-- windows.
--
-- All of these stand when a pickup is submitted, and only an edit of a draft changes them. So they are a row of their
-- own, and a transition, which writes every index of pickups anew, writes none of these.
-- +waybill compatible_from: 00039
-- +waybill statement_timeout: 6h

-- +goose NO TRANSACTION
-- +goose Up
-- Each by itself, so that no two tables are locked at once; again after a kill.
--
-- The words by which a text is found: see fold_name. So many characters of each count that an index entry holds it.
-- In PL/pgSQL, like what follows, which plans it once a session and not once a call.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION search_words(content text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = public, pg_temp
AS $$
DECLARE
    folded text := fold_name(content);
BEGIN
    RETURN ARRAY(SELECT DISTINCT left(w, 64) FROM unnest(string_to_array(folded, ' ')) AS w WHERE w <> '');
END
$$;
-- +goose StatementEnd

-- The days, in UTC, that a window or a range touches; of one that is open or longer than a month, 'long'.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION window_days(starts timestamptz, ends timestamptz) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = public, pg_temp
AS $$
DECLARE
    day date := starts AT TIME ZONE 'UTC';
    last date := ends AT TIME ZONE 'UTC';
BEGIN
    RETURN CASE
        WHEN last - day = 0 THEN ARRAY[to_char(day, 'YYYYMMDD')]
        WHEN last - day BETWEEN 1 AND 31 THEN ARRAY(
            SELECT to_char(day + n, 'YYYYMMDD') FROM generate_series(0, last - day) AS n)
        WHEN num_nonnulls(starts, ends) > 0 THEN ARRAY['long']
        ELSE ARRAY[]::text[]
    END;
END
$$;
-- +goose StatementEnd

-- What the terms of a tenant begin with, since one index has those of all. Two may share it, at the cost of time.
CREATE OR REPLACE FUNCTION terms_of_tenant(of_tenant uuid) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN left(md5(of_tenant::text), 8);

-- The terms that a pickup is found by: ids, words of the addresses (a), of the note (n), which not everybody sees, and
-- days of the window (d).
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pickup_terms(
    of_tenant uuid, facility uuid, account uuid, requester uuid, patient uuid,
    pickup_address text, dropoff_address text, note text, starts timestamptz, ends timestamptz)
RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = public, pg_temp
AS $$
DECLARE
    tenant text := terms_of_tenant(of_tenant);
    words text[] := search_words(pickup_address || ' ' || dropoff_address);
    noted text[] := search_words(note);
    days text[] := window_days(starts, ends);
BEGIN
    RETURN array_to_tsvector(ARRAY(
        SELECT t FROM unnest(ARRAY['f' || facility, 'c' || account, 'r' || requester, 'p' || patient]) AS t
        WHERE t IS NOT NULL
        UNION ALL SELECT tenant || 'a' || w FROM unnest(words) AS w
        UNION ALL SELECT tenant || 'n' || w FROM unnest(noted) AS w
        UNION ALL SELECT tenant || 'd' || d FROM unnest(days) AS d));
END
$$;
-- +goose StatementEnd

-- Asks for all words of a text, each the beginning of one of an address or, of those who see notes, of the note. A
-- text without a word is found nowhere; null for no text.
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

CREATE TABLE IF NOT EXISTS pickup_searches (
    tenant_id    uuid        NOT NULL,
    pickup_id    uuid        NOT NULL,
    created_at   timestamptz NOT NULL,
    account_id   uuid        NOT NULL,
    requested_by uuid        NOT NULL,
    patient_id   uuid,
    terms        tsvector    NOT NULL,
    CONSTRAINT pickup_searches_pkey PRIMARY KEY (tenant_id, pickup_id)
);
-- Its rows repeat words of notes: as in 00028, PostgreSQL's log is not to repeat them.
ALTER TABLE pickup_searches ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS no_values_in_logs ON pickup_searches;
CREATE POLICY no_values_in_logs ON pickup_searches TO waybill_app USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON pickup_searches TO waybill_app;

CREATE INDEX IF NOT EXISTS pickup_searches_account_idx
    ON pickup_searches (tenant_id, account_id, created_at, pickup_id);
CREATE INDEX IF NOT EXISTS pickup_searches_requester_idx
    ON pickup_searches (tenant_id, requested_by, created_at, pickup_id);
CREATE INDEX IF NOT EXISTS pickup_searches_patient_idx
    ON pickup_searches (tenant_id, patient_id, created_at, pickup_id)
    WHERE patient_id IS NOT NULL;
-- The next pickups of a patient, or else of a requester, or else of an account, after a place in the list: see
-- newest_pickups (00037).
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION keyed_pickups(
    of_tenant uuid, of_patient uuid, of_requester uuid, of_account uuid, newest boolean,
    created_from timestamptz, created_to timestamptz, at timestamptz, after_id uuid, most integer)
RETURNS TABLE (created_at timestamptz, id uuid)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT n.created_at, n.pickup_id
    FROM (
        SELECT *
        FROM (
            SELECT s.patient_id, s.created_at, s.pickup_id
            FROM pickup_searches AS s
            WHERE of_patient IS NOT NULL AND newest
                AND s.tenant_id = of_tenant
                AND s.patient_id IS NOT NULL
                AND (s.patient_id, s.created_at, s.pickup_id) < (of_patient, at, after_id)
            ORDER BY s.patient_id DESC, s.created_at DESC, s.pickup_id DESC
            LIMIT 1000
        ) AS k
        ORDER BY k.patient_id DESC, k.created_at DESC, k.pickup_id DESC
        LIMIT most
    ) AS n
    WHERE n.patient_id = of_patient AND n.created_at >= created_from
    UNION ALL
    SELECT n.created_at, n.pickup_id
    FROM (
        SELECT *
        FROM (
            SELECT s.patient_id, s.created_at, s.pickup_id
            FROM pickup_searches AS s
            WHERE of_patient IS NOT NULL AND NOT newest
                AND s.tenant_id = of_tenant
                AND s.patient_id IS NOT NULL
                AND (s.patient_id, s.created_at, s.pickup_id) > (of_patient, at, after_id)
            ORDER BY s.patient_id, s.created_at, s.pickup_id
            LIMIT 1000
        ) AS k
        ORDER BY k.patient_id, k.created_at, k.pickup_id
        LIMIT most
    ) AS n
    WHERE n.patient_id = of_patient AND n.created_at < created_to
    UNION ALL
    SELECT n.created_at, n.pickup_id
    FROM (
        SELECT *
        FROM (
            SELECT s.requested_by, s.created_at, s.pickup_id
            FROM pickup_searches AS s
            WHERE of_patient IS NULL AND of_requester IS NOT NULL AND newest
                AND s.tenant_id = of_tenant
                AND (s.requested_by, s.created_at, s.pickup_id) < (of_requester, at, after_id)
            ORDER BY s.requested_by DESC, s.created_at DESC, s.pickup_id DESC
            LIMIT 1000
        ) AS k
        ORDER BY k.requested_by DESC, k.created_at DESC, k.pickup_id DESC
        LIMIT most
    ) AS n
    WHERE n.requested_by = of_requester AND n.created_at >= created_from
    UNION ALL
    SELECT n.created_at, n.pickup_id
    FROM (
        SELECT *
        FROM (
            SELECT s.requested_by, s.created_at, s.pickup_id
            FROM pickup_searches AS s
            WHERE of_patient IS NULL AND of_requester IS NOT NULL AND NOT newest
                AND s.tenant_id = of_tenant
                AND (s.requested_by, s.created_at, s.pickup_id) > (of_requester, at, after_id)
            ORDER BY s.requested_by, s.created_at, s.pickup_id
            LIMIT 1000
        ) AS k
        ORDER BY k.requested_by, k.created_at, k.pickup_id
        LIMIT most
    ) AS n
    WHERE n.requested_by = of_requester AND n.created_at < created_to
    UNION ALL
    SELECT n.created_at, n.pickup_id
    FROM (
        SELECT *
        FROM (
            SELECT s.account_id, s.created_at, s.pickup_id
            FROM pickup_searches AS s
            WHERE num_nonnulls(of_patient, of_requester) = 0 AND of_account IS NOT NULL AND newest
                AND s.tenant_id = of_tenant
                AND (s.account_id, s.created_at, s.pickup_id) < (of_account, at, after_id)
            ORDER BY s.account_id DESC, s.created_at DESC, s.pickup_id DESC
            LIMIT 1000
        ) AS k
        ORDER BY k.account_id DESC, k.created_at DESC, k.pickup_id DESC
        LIMIT most
    ) AS n
    WHERE n.account_id = of_account AND n.created_at >= created_from
    UNION ALL
    SELECT n.created_at, n.pickup_id
    FROM (
        SELECT *
        FROM (
            SELECT s.account_id, s.created_at, s.pickup_id
            FROM pickup_searches AS s
            WHERE num_nonnulls(of_patient, of_requester) = 0 AND of_account IS NOT NULL AND NOT newest
                AND s.tenant_id = of_tenant
                AND (s.account_id, s.created_at, s.pickup_id) > (of_account, at, after_id)
            ORDER BY s.account_id, s.created_at, s.pickup_id
            LIMIT 1000
        ) AS k
        ORDER BY k.account_id, k.created_at, k.pickup_id
        LIMIT most
    ) AS n
    WHERE n.account_id = of_account AND n.created_at < created_to;
END;
-- +goose StatementEnd

-- Whether a pickup has what a list is filtered by. A window is found by a range that overlaps it; one that is open, at
-- whichever end, lasts for ever. A pickup waits when it was submitted and is at no end.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pickup_matches(
    p pickups, statuses pickup_status[], of_facility uuid, of_driver uuid, of_account uuid, of_patient uuid,
    of_requester uuid, window_from timestamptz, window_to timestamptz, created_from timestamptz,
    created_to timestamptz, is_waiting boolean)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (cardinality(statuses) = 0 OR p.status = ANY (statuses))
    AND (of_facility IS NULL OR p.facility_id = of_facility)
    AND (of_driver IS NULL OR coalesce(p.driver_id = of_driver, false))
    AND (of_account IS NULL OR p.account_id = of_account)
    AND (of_patient IS NULL OR coalesce(p.patient_id = of_patient, false))
    AND (of_requester IS NULL OR p.requested_by = of_requester)
    AND (num_nonnulls(window_from, window_to) = 0 OR num_nonnulls(p.window_start, p.window_end) > 0)
    AND (window_from IS NULL OR coalesce(p.window_end > window_from, true))
    AND (window_to IS NULL OR coalesce(p.window_start < window_to, true))
    AND p.created_at >= created_from
    AND p.created_at < created_to
    AND (NOT is_waiting OR p.submitted_at IS NOT NULL AND p.status NOT IN ('DRAFT', 'DELIVERED', 'CANCELED'));
-- +goose StatementEnd

-- Keeps the row with the pickup, whoever writes it: also servers of the release before, and psql.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pickups_keep_searches() RETURNS trigger
LANGUAGE plpgsql
SET search_path = public, pg_temp
AS $$
BEGIN
    CASE TG_OP
    WHEN 'INSERT' THEN
        INSERT INTO pickup_searches (tenant_id, pickup_id, created_at, account_id, requested_by, patient_id, terms)
        SELECT m.tenant_id, m.id, m.created_at, m.account_id, m.requested_by, m.patient_id,
            pickup_terms(m.tenant_id, m.facility_id, m.account_id, m.requested_by, m.patient_id, m.pickup_address,
                m.dropoff_address, m.note, m.window_start, m.window_end)
        FROM made AS m
        ORDER BY m.tenant_id, m.id;
    WHEN 'UPDATE' THEN
        -- There may be no row while the migration makes them.
        INSERT INTO pickup_searches AS s (
            tenant_id, pickup_id, created_at, account_id, requested_by, patient_id, terms)
        VALUES (
            NEW.tenant_id, NEW.id, NEW.created_at, NEW.account_id, NEW.requested_by, NEW.patient_id,
            pickup_terms(NEW.tenant_id, NEW.facility_id, NEW.account_id, NEW.requested_by, NEW.patient_id,
                NEW.pickup_address, NEW.dropoff_address, NEW.note, NEW.window_start, NEW.window_end))
        ON CONFLICT (tenant_id, pickup_id) DO UPDATE
        SET created_at = excluded.created_at,
            account_id = excluded.account_id,
            requested_by = excluded.requested_by,
            patient_id = excluded.patient_id,
            terms = excluded.terms;
    WHEN 'DELETE' THEN
        DELETE FROM pickup_searches AS s USING gone AS g WHERE s.tenant_id = g.tenant_id AND s.pickup_id = g.id;
    END CASE;
    RETURN NULL;
END
$$;
-- +goose StatementEnd

CREATE OR REPLACE TRIGGER pickups_keep_searches_insert AFTER INSERT ON pickups
    REFERENCING NEW TABLE AS made FOR EACH STATEMENT EXECUTE FUNCTION pickups_keep_searches();
CREATE OR REPLACE TRIGGER pickups_keep_searches_update AFTER UPDATE ON pickups
    FOR EACH ROW WHEN (
        NEW.facility_id <> OLD.facility_id
        OR NEW.account_id <> OLD.account_id
        OR NEW.requested_by <> OLD.requested_by
        OR NEW.patient_id IS DISTINCT FROM OLD.patient_id
        OR NEW.pickup_address <> OLD.pickup_address
        OR NEW.dropoff_address <> OLD.dropoff_address
        OR NEW.note IS DISTINCT FROM OLD.note
        OR NEW.window_start IS DISTINCT FROM OLD.window_start
        OR NEW.window_end IS DISTINCT FROM OLD.window_end
        OR NEW.created_at <> OLD.created_at)
    EXECUTE FUNCTION pickups_keep_searches();
CREATE OR REPLACE TRIGGER pickups_keep_searches_delete AFTER DELETE ON pickups
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION pickups_keep_searches();
-- Also under session_replication_role = replica.
ALTER TABLE pickups ENABLE ALWAYS TRIGGER pickups_keep_searches_insert;
ALTER TABLE pickups ENABLE ALWAYS TRIGGER pickups_keep_searches_update;
ALTER TABLE pickups ENABLE ALWAYS TRIGGER pickups_keep_searches_delete;

-- Those that were there before, in batches, each committed by itself, beside the requests. What an edit writes
-- meanwhile stays: it is newer.
-- +goose StatementBegin
DO $$
DECLARE
    of_tenant uuid := '00000000-0000-0000-0000-000000000000';
    after_id uuid := '00000000-0000-0000-0000-000000000000';
BEGIN
    LOOP
        WITH batch AS MATERIALIZED (
            SELECT p.*
            FROM pickups AS p
            WHERE (p.tenant_id, p.id) > (of_tenant, after_id)
            ORDER BY p.tenant_id, p.id
            LIMIT 2000
        ), made AS (
            INSERT INTO pickup_searches (
                tenant_id, pickup_id, created_at, account_id, requested_by, patient_id, terms)
            SELECT b.tenant_id, b.id, b.created_at, b.account_id, b.requested_by, b.patient_id,
                pickup_terms(b.tenant_id, b.facility_id, b.account_id, b.requested_by, b.patient_id, b.pickup_address,
                    b.dropoff_address, b.note, b.window_start, b.window_end)
            FROM batch AS b
            ORDER BY b.tenant_id, b.id
            ON CONFLICT (tenant_id, pickup_id) DO NOTHING
        )
        SELECT b.tenant_id, b.id INTO of_tenant, after_id
        FROM batch AS b
        ORDER BY b.tenant_id DESC, b.id DESC
        LIMIT 1;
        EXIT WHEN NOT FOUND;
        COMMIT;
    END LOOP;
END
$$;
-- +goose StatementEnd

-- Entries that are not sorted in yet are read with each search: 32 pages at most.
DROP INDEX CONCURRENTLY IF EXISTS pickup_searches_terms_idx;
CREATE INDEX CONCURRENTLY pickup_searches_terms_idx ON pickup_searches USING gin (terms)
    WITH (gin_pending_list_limit = 256);

-- +goose Down
DROP TRIGGER IF EXISTS pickups_keep_searches_insert ON pickups;
DROP TRIGGER IF EXISTS pickups_keep_searches_update ON pickups;
DROP TRIGGER IF EXISTS pickups_keep_searches_delete ON pickups;
DROP FUNCTION IF EXISTS pickups_keep_searches;
DROP FUNCTION IF EXISTS pickup_matches;
DROP FUNCTION IF EXISTS keyed_pickups;
DROP TABLE IF EXISTS pickup_searches;
DROP FUNCTION IF EXISTS terms_query;
DROP FUNCTION IF EXISTS words_query;
DROP FUNCTION IF EXISTS pickup_terms;
DROP FUNCTION IF EXISTS terms_of_tenant;
DROP FUNCTION IF EXISTS window_days;
DROP FUNCTION IF EXISTS search_words;
