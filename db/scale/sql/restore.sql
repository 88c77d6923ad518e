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
ALTER TABLE pickups ENABLE ALWAYS TRIGGER pickups_count_insert;
INSERT INTO pickup_counts (tenant_id, facility_id, status, pickups)
SELECT tenant_id, coalesce(facility_id, '00000000-0000-0000-0000-000000000000'), status, count(*)
FROM pickups
GROUP BY GROUPING SETS ((tenant_id, facility_id, status), (tenant_id, status));
