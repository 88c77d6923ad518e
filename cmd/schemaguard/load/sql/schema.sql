-- The schema, a line for each thing that it has, with an order that does not depend on how it was made.
WITH own AS (
    SELECT
        c.oid, c.relname, c.relkind, c.relrowsecurity, c.relforcerowsecurity, c.relacl, c.relpersistence,
        c.reloptions
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND c.relpersistence <> 't'
        AND c.relname NOT LIKE 'goose\_db\_version%'
)
SELECT format('%s %s: row security %s %s, %s, %s', relkind, oid::regclass, relrowsecurity, relforcerowsecurity,
    relpersistence, reloptions) FROM own WHERE relkind IN ('r', 'p', 'v', 'm', 'S')
UNION ALL
SELECT format('grant on %s: %s', oid::regclass, a) FROM own, unnest(relacl) AS a
UNION ALL
SELECT format('column %s.%s: %s%s default %s generated %s identity %s, %s', o.oid::regclass, a.attname,
    format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN ' not null' END,
    pg_get_expr(d.adbin, d.adrelid), a.attgenerated, a.attidentity, a.attacl)
FROM own AS o
JOIN pg_attribute AS a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE o.relkind IN ('r', 'p', 'v', 'm')
UNION ALL
SELECT format('constraint %s of %s: %s%s', k.conname, o.oid::regclass, pg_get_constraintdef(k.oid),
    CASE WHEN NOT k.convalidated THEN ' not valid' END)
FROM own AS o JOIN pg_constraint AS k ON k.conrelid = o.oid
UNION ALL
SELECT format('%s%s', pg_get_indexdef(i.indexrelid), CASE WHEN NOT i.indisvalid THEN ' invalid' END)
FROM own AS o JOIN pg_index AS i ON i.indrelid = o.oid
UNION ALL
SELECT format('policy %s of %s: %s %s using %s check %s', p.polname, o.oid::regclass, p.polcmd, p.polroles::regrole[],
    pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
FROM own AS o JOIN pg_policy AS p ON p.polrelid = o.oid
UNION ALL
SELECT format('%s enabled %s', pg_get_triggerdef(t.oid), t.tgenabled)
FROM own AS o JOIN pg_trigger AS t ON t.tgrelid = o.oid AND NOT t.tgisinternal
UNION ALL
SELECT format('view %s: %s', oid::regclass, pg_get_viewdef(oid)) FROM own WHERE relkind IN ('v', 'm')
UNION ALL
SELECT format('function %s: %s, %s', p.oid::regprocedure, md5(pg_get_functiondef(p.oid)), p.proacl)
FROM pg_proc AS p
JOIN pg_namespace AS n ON n.oid = p.pronamespace AND n.nspname NOT IN ('pg_catalog', 'information_schema')
WHERE p.prokind IN ('f', 'p') AND p.proowner <> 10
UNION ALL
SELECT format('value %s of %s', e.enumlabel, t.typname) FROM pg_enum AS e JOIN pg_type AS t ON t.oid = e.enumtypid
UNION ALL
SELECT format('domain %s: %s', t.typname, pg_get_constraintdef(k.oid))
FROM pg_type AS t JOIN pg_constraint AS k ON k.contypid = t.oid
ORDER BY 1
