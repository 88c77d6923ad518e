-- What the rules ask of the base's schema.
SELECT
    -- Tables that the application and its functions only read: they have the rows that migrations gave them.
    ARRAY(
        SELECT c.relname::text FROM pg_class AS c
        WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
            AND ($2 -- the application owns them: its statements are asked instead
                OR NOT has_any_column_privilege($1, c.oid, 'INSERT')
                AND NOT has_any_column_privilege($1, c.oid, 'UPDATE')
                AND NOT has_table_privilege($1, c.oid, 'DELETE')
                AND has_any_column_privilege($1, c.oid, 'SELECT'))
            AND NOT EXISTS (
                SELECT FROM pg_proc AS p
                WHERE p.pronamespace = 'public'::regnamespace
                    AND p.prosrc ~* ('(insert\s+into|update|delete\s+from)\s+(public\.)?' || c.relname || '\y'))),
    ARRAY(
        SELECT DISTINCT p.proname::text FROM pg_proc AS p WHERE p.provolatile = 'v'),
    ARRAY(
        SELECT DISTINCT t.typname::text FROM pg_type AS t
        JOIN pg_constraint AS k ON k.contypid = t.oid),
    -- The columns' types, as table.column=type.
    ARRAY(
        SELECT c.relname || '.' || a.attname || '=' || format_type(a.atttypid, a.atttypmod)
        FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0
            AND NOT a.attisdropped),
    -- The conditions that hold for all rows, as table=CHECK ((column IS NOT NULL)).
    ARRAY(
        SELECT c.relname || '=' || pg_get_constraintdef(k.oid)
        FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid
        WHERE k.contype = 'c' AND k.convalidated)
