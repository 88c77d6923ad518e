-- Indexes that a build left behind when it failed.
SELECT t.name, c.relname, 'the index ' || c.relname || ' of ' || t.name || ' is not valid: no query uses it'
FROM gate_tables AS t
JOIN pg_index AS i ON i.indrelid = t.oid
JOIN pg_class AS c ON c.oid = i.indexrelid
WHERE NOT i.indisvalid
