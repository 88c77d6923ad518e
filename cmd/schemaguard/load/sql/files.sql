-- Where each table that has rows is stored: another number is a table that was written anew.
SELECT c.oid::regclass::text, pg_relation_filenode(c.oid)::bigint
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
    AND c.relpersistence <> 't' AND pg_relation_size(c.oid) > 8192 * 8
