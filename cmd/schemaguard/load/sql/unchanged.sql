-- Of each table without parts, what changes with its rows: where it is stored, its columns, and how often a row of it
-- was written, also by who rolled back.
SELECT
    c.oid::regclass::text,
    concat_ws(' ', c.oid, pg_relation_filenode(c.oid), pg_stat_get_tuples_inserted(c.oid),
        pg_stat_get_tuples_updated(c.oid), pg_stat_get_tuples_deleted(c.oid),
        (SELECT string_agg(concat_ws(':', a.attnum, a.attname, a.atttypid, a.atttypmod, a.attisdropped,
            a.attmissingval::text), ',' ORDER BY a.attnum) FROM pg_attribute AS a WHERE a.attrelid = c.oid))
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND NOT c.relhassubclass AND c.relpersistence <> 't'
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
