-- Tables that the application writes, and whose rows have no tenant. The tenants themselves are the rows that the
-- tenants' columns refer to. What the application only reads is the same for all tenants.
SELECT t.name, t.name, 'the table ' || t.name || ' has none of the columns ' || array_to_string(p.tenant_columns, ', ')
FROM gate_tables AS t, gate_settings AS p
WHERE cardinality(p.tenant_columns) > 0
    AND NOT EXISTS (
        SELECT FROM pg_attribute AS a
        WHERE a.attrelid = t.oid AND a.attname = ANY(p.tenant_columns) AND a.attnotnull AND NOT a.attisdropped)
    AND NOT EXISTS (
        SELECT FROM pg_constraint AS k
        JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
        WHERE k.confrelid = t.oid AND k.contype = 'f' AND cardinality(k.conkey) = 1
            AND a.attname = ANY(p.tenant_columns))
    AND (has_any_column_privilege(p.role, t.oid, 'INSERT') OR has_any_column_privilege(p.role, t.oid, 'UPDATE')
        OR has_table_privilege(p.role, t.oid, 'DELETE') OR NOT has_any_column_privilege(p.role, t.oid, 'SELECT'))
