-- An email address is what a mail server takes as one, and no more: 'Bob<bob@x>' was taken,
-- and no text or letter to it would ever arrive. A slug has single hyphens, as its error says.

-- +goose NO TRANSACTION
-- +goose Up
-- The rule of HTML's <input type=email>, with the letters of every script (RFC 6531): before
-- the @ neither blanks nor any of "(),:;<>[\], after it the names of a domain. The
-- document has the same as a pattern.
CREATE OR REPLACE FUNCTION is_email_address(text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN char_length($1) <= 254
    AND $1 !~ '[\u0080-\u00a0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]' -- what is not seen
    AND $1 ~ (
    '^[^[:space:]\x01-\x1f"(),:;<>@\[\\\]\x7f]{1,64}@'
    '[^[:space:]\x01-/:-@\[-\x60{-\x7f]'
    '(?:[^[:space:]\x01-,./:-@\[-\x60{-\x7f]{0,61}[^[:space:]\x01-/:-@\[-\x60{-\x7f])?'
    '(?:\.[^[:space:]\x01-/:-@\[-\x60{-\x7f]'
    '(?:[^[:space:]\x01-,./:-@\[-\x60{-\x7f]{0,61}[^[:space:]\x01-/:-@\[-\x60{-\x7f])?)*$');

-- What to write in place of an address or a slug, a migration can't know.
-- +goose StatementBegin
DO $$
DECLARE
    addresses bigint;
    slugs     bigint;
BEGIN
    SELECT count(*) INTO addresses FROM users WHERE NOT is_email_address(email);
    SELECT count(*) INTO slugs FROM tenants WHERE slug !~ '^[a-z][a-z0-9]*(-[a-z0-9]+)*$';
    IF addresses + slugs > 0 THEN
        RAISE EXCEPTION '% users have an email address that is none, and % tenants a slug that is none: '
            'change them, then migrate again. '
            'To find them: SELECT tenant_id, id FROM users WHERE NOT is_email_address(email); '
            'SELECT id FROM tenants WHERE slug !~ ''^[a-z][a-z0-9]*(-[a-z0-9]+)*$''', addresses, slugs
            USING ERRCODE = 'check_violation';
    END IF;
END $$;
-- +goose StatementEnd

-- The rows are looked at afterwards, beside the requests. Again after a kill.
ALTER TABLE users
    DROP CONSTRAINT IF EXISTS users_email_check,
    ADD CONSTRAINT users_email_check CHECK (is_email_address(email)) NOT VALID;
ALTER TABLE users VALIDATE CONSTRAINT users_email_check;
ALTER TABLE tenants
    DROP CONSTRAINT IF EXISTS tenants_slug_check,
    ADD CONSTRAINT tenants_slug_check
        CHECK (slug ~ '^[a-z][a-z0-9]*(-[a-z0-9]+)*$' AND char_length(slug) <= 63) NOT VALID;
ALTER TABLE tenants VALIDATE CONSTRAINT tenants_slug_check;

-- +goose Down
ALTER TABLE tenants
    DROP CONSTRAINT IF EXISTS tenants_slug_check,
    ADD CONSTRAINT tenants_slug_check CHECK (slug ~ '^[a-z][a-z0-9-]{0,62}$');
ALTER TABLE users
    DROP CONSTRAINT IF EXISTS users_email_check,
    ADD CONSTRAINT users_email_check
        CHECK (email ~ '^[^@[:space:]]+@[^@[:space:]]+$' AND char_length(email) <= 254);
DROP FUNCTION IF EXISTS is_email_address(text);
