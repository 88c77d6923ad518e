-- Tables without a primary key.
SELECT t.name, t.name, 'the table ' || t.name || ' has no primary key'
FROM gate_tables AS t
WHERE NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conrelid = t.oid AND k.contype = 'p')
