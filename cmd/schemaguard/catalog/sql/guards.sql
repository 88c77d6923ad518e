-- What refuses rows: unique indexes (with those of constraints), exclusions, foreign keys and checks, with the
-- columns that each reads, and a text that is equal where another of them can take its place.
WITH own AS (
    SELECT c.oid
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND c.relpersistence <> 't'
        AND c.relkind IN ('r', 'p')
), guard AS (
    SELECT i.indrelid AS relid, ic.relname AS name, 'unique' AS kind,
        coalesce(pg_get_expr(i.indpred, i.indrelid), '') AS terms,
        coalesce(nullif(i.indkey::int2[], '{0}'), '{}') || coalesce((
            SELECT array_agg(d.refobjsubid::int2) FROM pg_depend AS d
            WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid AND i.indexprs IS NOT NULL
                AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid AND d.refobjsubid > 0), '{}')
            AS attnums
    FROM pg_index AS i JOIN pg_class AS ic ON ic.oid = i.indexrelid
    WHERE i.indisunique AND i.indisvalid
    UNION ALL
    SELECT k.conrelid, k.conname, k.contype::text,
        CASE k.contype WHEN 'f' THEN k.confrelid::regclass::text WHEN 'x' THEN pg_get_constraintdef(k.oid) ELSE '' END,
        k.conkey
    FROM pg_constraint AS k
    WHERE k.contype IN ('c', 'f', 'x') AND k.conrelid <> 0 AND k.conkey IS NOT NULL
)
SELECT own.oid::regclass::text, g.name, g.kind, g.terms,
    ARRAY(
        SELECT DISTINCT a.attname::text FROM pg_attribute AS a
        WHERE a.attrelid = g.relid AND a.attnum = ANY (g.attnums) AND NOT a.attisdropped ORDER BY 1)
FROM guard AS g JOIN own ON own.oid = g.relid
ORDER BY 1, 2
