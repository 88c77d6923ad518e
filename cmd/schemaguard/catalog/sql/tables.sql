CREATE TEMPORARY TABLE gate_tables AS
SELECT c.oid, c.relname::text AS name
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace, gate_settings AS p
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND NOT c.relispartition
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
    AND NOT EXISTS (
        SELECT FROM unnest(p.libraries) AS l (pattern)
        WHERE c.relname LIKE replace(replace(l.pattern, '_', '\_'), '*', '%'))
