-- Tables from whose rows a person whose data is protected can be reached, by foreign keys or by a column with the
-- name that foreign keys to that person's table have, and that are not under row-level security with a policy.
WITH RECURSIVE roots AS (
    SELECT t.oid FROM gate_tables AS t, gate_settings AS p WHERE t.name = ANY(p.private)
), names AS (
    SELECT DISTINCT a.attname
    FROM pg_constraint AS k
    JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = ANY(k.conkey), gate_settings AS p
    WHERE k.contype = 'f' AND k.confrelid IN (SELECT oid FROM roots) AND NOT a.attname = ANY(p.tenant_columns)
), reached AS (
    SELECT oid FROM roots
    UNION
    SELECT a.attrelid FROM pg_attribute AS a WHERE a.attname IN (SELECT attname FROM names) AND NOT a.attisdropped
    UNION
    SELECT k.conrelid FROM pg_constraint AS k JOIN reached AS r ON r.oid = k.confrelid WHERE k.contype = 'f'
)
SELECT t.name, t.name,
    'from ' || t.name || ' a row of ' || array_to_string(p.private, ', ') || ' is reached, and the table '
        || CASE WHEN c.relrowsecurity THEN 'has no policy' ELSE 'is not under row-level security' END
FROM gate_tables AS t
JOIN pg_class AS c ON c.oid = t.oid, gate_settings AS p
WHERE t.oid IN (SELECT oid FROM reached)
    AND (NOT c.relrowsecurity OR NOT EXISTS (SELECT FROM pg_policy AS y WHERE y.polrelid = t.oid))
