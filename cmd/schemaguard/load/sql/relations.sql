-- The tables that there are before a migration.
SELECT array_agg(c.oid)
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
    AND c.relname NOT LIKE 'goose\_db\_version%'
