-- Puts back what drop.sql took away: the indexes and keys, and then what refers to them.
DO $$
DECLARE
    dropped record;
BEGIN
    FOR dropped IN
        SELECT statement FROM scale_dropped ORDER BY statement LIKE '% FOREIGN KEY %', position
    LOOP
        EXECUTE dropped.statement;
    END LOOP;
END
$$;
ALTER TABLE pickups ENABLE ALWAYS TRIGGER pickups_refuse_undeclared_insert;
ALTER TABLE patient_facilities ENABLE ALWAYS TRIGGER patient_facilities_add_terms;
