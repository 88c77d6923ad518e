-- The tables that callers make grow, and that have rows enough for the planner to avoid reading them all; and the
-- indexes of a part of a table, which may be of few rows.
SELECT
    ARRAY(
        SELECT c.relname::text FROM pg_class AS c
        JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname NOT IN ('pg_catalog', 'information_schema')
        WHERE c.relkind IN ('r', 'p') AND c.reltuples >= 5000),
    ARRAY(
        SELECT c.relname::text FROM pg_index AS i
        JOIN pg_class AS c ON c.oid = i.indexrelid
        WHERE i.indpred IS NOT NULL)
