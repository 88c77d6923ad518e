-- Foreign keys whose columns no index begins with.
SELECT t.name, k.conname,
    format('no index of %s begins with the columns of %s (%s)', t.name, k.conname, (
        SELECT string_agg(a.attname, ', ' ORDER BY o.n)
        FROM unnest(k.conkey) WITH ORDINALITY AS o (num, n)
        JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = o.num))
FROM gate_tables AS t
JOIN pg_constraint AS k ON k.conrelid = t.oid AND k.contype = 'f'
WHERE NOT EXISTS (
    SELECT FROM pg_index AS i, LATERAL (
        SELECT array_agg(c.num) AS first FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS c (num, n)
        WHERE c.n <= cardinality(k.conkey)) AS f
    WHERE i.indrelid = t.oid AND i.indisvalid AND f.first @> k.conkey AND f.first <@ k.conkey
        -- a partial index that leaves out only rows without the reference
        AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) ~ '^\(\w+ IS NOT NULL\)$'))
