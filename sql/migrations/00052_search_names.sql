-- Users are found by their names: by the beginning of each word that is asked for, in any order, whatever the
-- case, the accents and the kind of apostrophe.

-- +goose NO TRANSACTION
-- +goose Up
-- The words of a name, divided by spaces, in the form in which names are compared: case folded (fold_case),
-- without accents, vowel points and apostrophes. Letters that Unicode does not decompose become those that people
-- type instead; marks that make another letter, such as those of Indic and Japanese scripts, stay. What is neither
-- letter nor digit divides words, but invisible characters, such as those that set a direction, do not. unaccent is
-- an extension and not immutable.
CREATE OR REPLACE FUNCTION fold_name(text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE
        -- Of ASCII alone the rest does nothing else.
        WHEN octet_length($1) = char_length($1) THEN
            btrim(regexp_replace(translate(lower($1 COLLATE "C"), '''`', ''), '[^a-z0-9]+', ' ', 'g'))
        ELSE
            btrim(regexp_replace(
                replace(replace(replace(replace(
                    translate(
                        fold_case(regexp_replace(
                            normalize(
                                -- Apostrophes, and what is typed or printed in their place.
                                regexp_replace(
                                    $1 COLLATE "C",
                                    '[''`\u00B4\u02B9\u02BB-\u02BF\u055A\u05F3\u05F4\u2018\u2019\u201B\u2032\uA78B\uA78C'
                                    '\uFF07]',
                                    '', 'g'),
                                NFKD),
                            '[\u0300-\u036F\u0483-\u0487\u0591-\u05BD\u05BF\u05C1\u05C2\u05C4\u05C5\u05C7\u0610-\u061A'
                            '\u061C\u0640\u064B-\u065F\u0670\u06D6-\u06DC\u06DF-\u06E4\u06E7\u06E8\u06EA-\u06ED'
                            '\u1AB0-\u1AFF\u1DC0-\u1DFF\u200B-\u200F\u202A-\u202E\u2060-\u206F\u20D0-\u20FF'
                            '\uFE20-\uFE2F\uFEFF\u00AD]',
                            '', 'g')),
                        'ıøłđðħŧىةٱکی', 'iolddhtيهاكي'),
                    'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th'),
                '[\u0001-\u002F\u003A-\u0040\u005B-\u0060\u007B-\u00A9\u00AB-\u00B4\u00B6-\u00B9\u00BB-\u00BF\u00D7\u00F7'
                '\u05BE\u05C0\u05C3\u060C\u061B\u061F\u06D4\u0964\u0965\u1680\u2000-\u206F\u2E00-\u2E7F'
                '\u3000-\u3004\u3008-\u3020\u3030\u30FB]+',
                ' ', 'g'))
    END;

-- The words that a name is found by: its own, the part of a word after an apostrophe (O'Neil is also found as
-- Neil), and both orders of a Chinese, Japanese or Korean name, which is written without a space.
-- In PL/pgSQL, which plans it once a session and not once a call.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION name_words(name text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = public, pg_temp
AS $$
DECLARE
    folded text := fold_name(name);
    words text[] := string_to_array(folded, ' ');
    found text[];
BEGIN
    FOR found IN
        SELECT regexp_matches(
            name, '[''`\u00B4\u02BB\u02BC\u055A\u2018\u2019\u201B\u2032\uA78B\uA78C\uFF07](\S\S+)', 'g')
    LOOP
        words := words || string_to_array(fold_name(found[1]), ' ');
    END LOOP;
    IF octet_length(folded) > char_length(folded) THEN
        found := regexp_match(
            folded,
            '^([\u3005-\u3007\u3040-\u30FF\u3400-\u9FFF\uAC00-\uD7AF\uF900-\uFAFF\U00020000-\U0003FFFF]+) '
            '([\u3005-\u3007\u3040-\u30FF\u3400-\u9FFF\uAC00-\uD7AF\uF900-\uFAFF\U00020000-\U0003FFFF]+)$');
        IF found IS NOT NULL THEN
            words := words || ARRAY[found[1] || found[2], found[2] || found[1]];
        END IF;
    END IF;
    RETURN ARRAY(
        SELECT w.word
        FROM unnest(words) WITH ORDINALITY AS w (word, place)
        WHERE w.word <> ''
        GROUP BY w.word
        ORDER BY min(w.place));
END
$$;
-- +goose StatementEnd

-- Whether each word of asked is the beginning of one of the name. Nobody is called by no word.
CREATE OR REPLACE FUNCTION name_matches(name text, asked text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN fold_name(asked) <> '' AND NOT EXISTS (
        SELECT FROM unnest(string_to_array(fold_name(asked), ' ')) AS a (word)
        WHERE NOT EXISTS (
            SELECT FROM unnest(name_words(name)) AS n (word) WHERE starts_with(n.word, a.word)));

-- The terms of which an index of names has an entry each: of a name, its first twelve words, and of these the first
-- 32 characters, so that no entry is too large for an index.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION name_terms(name text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN ARRAY(SELECT DISTINCT 'n' || left(w.word, 32) FROM unnest((name_words(name))[1:12]) AS w (word));
END
$$;
-- +goose StatementEnd

-- All terms of a row as its entries have them, so that an entry tells whether the others are asked for too: in order,
-- each between two separators.
CREATE OR REPLACE FUNCTION joined_terms(terms text[]) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (
        SELECT chr(31) || string_agg(t.term, chr(31) ORDER BY t.term COLLATE "C") || chr(31)
        FROM unnest(terms) AS t (term));

-- What is looked for when a name is asked for, and terms that must be there as a whole: the entries from first up to
-- past, which have what fits all of patterns. First is a term that must be there, or the longest word of the name.
-- Asked for a name of no word, it returns no row, and nobody is found.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION asked_terms(name text, wholes text[]) RETURNS TABLE (first text, past text, patterns text[])
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
        SELECT
            (array_agg(a.term ORDER BY a.rank DESC, a.place, char_length(a.term) DESC, a.term COLLATE "C"))[1],
            (array_agg(a.term || a.ends
                ORDER BY a.rank DESC, a.place, char_length(a.term) DESC, a.term COLLATE "C"))[1],
            array_agg('%' || chr(31) || replace(replace(replace(a.term, '\', '\\'), '%', '\%'), '_', '\_') || a.closes
                || '%')
        FROM (
            -- The text after a term that it is the beginning of, and the text after the term alone.
            SELECT w.term, w.place, 1 AS rank, chr(1) AS ends, chr(31) AS closes
            FROM unnest(wholes) WITH ORDINALITY AS w (term, place)
            WHERE w.term IS NOT NULL
            UNION ALL
            SELECT 'n' || left(n.word, 32), 0, 0, chr(1114111), ''
            FROM unnest(string_to_array(fold_name(asked_terms.name), ' ')) AS n (word)
        ) AS a
        HAVING count(*) > 0 AND (asked_terms.name IS NULL OR count(*) FILTER (WHERE a.rank = 0) > 0);
    END;
-- +goose StatementEnd

-- An entry for each term of a user's name, with what else users are listed by. users_keep_terms writes them.
CREATE TABLE IF NOT EXISTS user_terms (
    tenant_id uuid      NOT NULL,
    term      text      COLLATE "C" NOT NULL,
    user_id   uuid      NOT NULL,
    role      user_role NOT NULL,
    active    boolean   NOT NULL,
    terms     text      COLLATE "C" NOT NULL,
    CONSTRAINT user_terms_pkey PRIMARY KEY (tenant_id, term, user_id) INCLUDE (role, active, terms)
);

-- It runs as its owner: the application writes no entries.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION users_keep_terms() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM user_terms AS t
        USING unnest(name_terms(OLD.name)) AS o (term)
        WHERE t.tenant_id = OLD.tenant_id AND t.term = o.term AND t.user_id = OLD.id;
    END IF;
    INSERT INTO user_terms (tenant_id, term, user_id, role, active, terms)
    SELECT NEW.tenant_id, t.term, NEW.id, NEW.role, NEW.active, joined_terms(name_terms(NEW.name))
    FROM unnest(name_terms(NEW.name)) AS t (term)
    ON CONFLICT ON CONSTRAINT user_terms_pkey DO UPDATE
    SET role = excluded.role, active = excluded.active, terms = excluded.terms;
    RETURN NULL;
END
$$;
-- +goose StatementEnd

CREATE OR REPLACE TRIGGER users_add_terms AFTER INSERT ON users
    FOR EACH ROW EXECUTE FUNCTION users_keep_terms();
CREATE OR REPLACE TRIGGER users_keep_terms AFTER UPDATE OF name, role, active ON users
    FOR EACH ROW WHEN (NEW.name <> OLD.name OR NEW.role <> OLD.role OR NEW.active <> OLD.active)
    EXECUTE FUNCTION users_keep_terms();
ALTER TABLE users ENABLE ALWAYS TRIGGER users_add_terms, ENABLE ALWAYS TRIGGER users_keep_terms;

-- The users that there are, a batch after the other in the order of their key. Each batch is locked, so that no edit
-- of a user in it is overwritten by what it read. Again after a kill.
-- +goose StatementBegin
DO $$
DECLARE
    done users;
BEGIN
    LOOP
        WITH batch AS MATERIALIZED (
            SELECT u.*
            FROM users AS u
            WHERE done.id IS NULL OR (u.tenant_id, u.id) > (done.tenant_id, done.id)
            ORDER BY u.tenant_id, u.id
            LIMIT 1000
            FOR SHARE
        ), filled AS (
            INSERT INTO user_terms (tenant_id, term, user_id, role, active, terms)
            SELECT b.tenant_id, t.term, b.id, b.role, b.active, joined_terms(n.terms)
            FROM batch AS b
            CROSS JOIN LATERAL (SELECT name_terms(b.name) AS terms) AS n
            CROSS JOIN LATERAL unnest(n.terms) AS t (term)
            ON CONFLICT ON CONSTRAINT user_terms_pkey DO NOTHING
        )
        SELECT b.* INTO done FROM batch AS b ORDER BY b.tenant_id DESC, b.id DESC LIMIT 1;
        EXIT WHEN NOT FOUND;
        COMMIT;
    END LOOP;
END
$$;
-- +goose StatementEnd

GRANT SELECT ON user_terms TO waybill_app;

-- Lists of users of some roles, of active or of deactivated users, in the order of the list.
DROP INDEX CONCURRENTLY IF EXISTS users_role_idx;
CREATE INDEX CONCURRENTLY users_role_idx ON users (tenant_id, role, active, created_at, id);

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS users_role_idx;
DROP TRIGGER IF EXISTS users_keep_terms ON users;
DROP TRIGGER IF EXISTS users_add_terms ON users;
DROP FUNCTION IF EXISTS users_keep_terms;
DROP TABLE IF EXISTS user_terms;
DROP FUNCTION IF EXISTS asked_terms;
DROP FUNCTION IF EXISTS joined_terms;
DROP FUNCTION IF EXISTS name_terms;
DROP FUNCTION IF EXISTS name_matches;
DROP FUNCTION IF EXISTS name_words;
DROP FUNCTION IF EXISTS fold_name;
