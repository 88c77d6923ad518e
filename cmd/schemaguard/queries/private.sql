-- The columns of the people whose data is protected that say something about them.
SELECT c.oid, a.attnum, a.attname::text
FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relname = ANY ($1) AND c.relkind IN ('r', 'p', 'v')
    AND a.atttypid IN ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'date'::regtype, 'jsonb'::regtype,
        'json'::regtype)
