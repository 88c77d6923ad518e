-- Constraints that hold for new rows alone.
SELECT t.name, k.conname, 'the constraint ' || k.conname || ' of ' || t.name || ' is left NOT VALID'
FROM gate_tables AS t
JOIN pg_constraint AS k ON k.conrelid = t.oid
WHERE NOT k.convalidated
