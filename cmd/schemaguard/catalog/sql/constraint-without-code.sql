-- The names of what can refuse a row: constraints, unique indexes, and what triggers raise.
SELECT t.name, k.conname, 'the constraint ' || k.conname || ' of ' || t.name
FROM gate_tables AS t
JOIN pg_constraint AS k ON k.conrelid = t.oid
WHERE k.contype IN ('c', 'u', 'p', 'f', 'x')
UNION
SELECT t.name, c.relname, 'the unique index ' || c.relname || ' of ' || t.name
FROM gate_tables AS t
JOIN pg_index AS i ON i.indrelid = t.oid AND i.indisunique
JOIN pg_class AS c ON c.oid = i.indexrelid
