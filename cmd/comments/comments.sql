-- The comments on tables, columns and enums of the schema, by name; the comment on an enum has a line for each value.
SELECT c.relname || coalesce('.' || a.attname, '') AS name, d.description
FROM pg_description d
JOIN pg_class c ON c.oid = d.objoid AND d.classoid = 'pg_class'::regclass
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
UNION ALL
SELECT t.typname, d.description
FROM pg_description d
JOIN pg_type t ON t.oid = d.objoid AND d.classoid = 'pg_type'::regclass
WHERE t.typnamespace = current_schema()::regnamespace AND t.typtype = 'e'
ORDER BY 1;
