-- The columns that refuse NULL, have no default, and that no trigger fills before the row is checked; of each table by
-- the name that SQL has for it, and by that with its schema.
SELECT c.oid::regclass::text, n.nspname || '.' || c.relname, a.attname::text
FROM pg_attribute AS a
JOIN pg_class AS c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname NOT IN ('pg_catalog', 'information_schema')
WHERE a.attnum > 0 AND a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AND NOT a.attisdropped
    AND NOT EXISTS (
        SELECT FROM pg_trigger AS t
        WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgtype & 7 = 7) -- each row, before, INSERT
ORDER BY 1, a.attnum
