-- Names the tables of which much could not be marked as visible to all: while PostgreSQL analyzed
-- one by itself, what was loaded after its snapshot could not be in any.
SELECT coalesce('VACUUM ' || string_agg(c.oid::regclass::text, ', '), '')
FROM pg_class AS c
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND c.relowner = current_user::regrole
    AND c.relallvisible < 0.9 * c.relpages
