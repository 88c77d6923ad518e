-- What pickups are found by, before its indexes are there.
INSERT INTO pickup_searches (tenant_id, pickup_id, created_at, account_id, requested_by, patient_id, terms)
SELECT p.tenant_id, p.id, p.created_at, p.account_id, p.requested_by, p.patient_id,
    pickup_terms(p.tenant_id, p.facility_id, p.account_id, p.requested_by, p.patient_id, p.pickup_address,
        p.dropoff_address, p.note, p.window_start, p.window_end)
FROM pickups AS p;
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
ALTER TABLE pickups ENABLE ALWAYS TRIGGER pickups_keep_searches_insert;
ALTER TABLE phi_reads ENABLE ALWAYS TRIGGER phi_reads_add_patient_reads;
INSERT INTO patient_reads (tenant_id, id, user_id, operation, patient_ids, created_at)
SELECT tenant_id, id, user_id, operation, ARRAY[patient_id], created_at
FROM phi_reads
ORDER BY tenant_id, user_id, created_at, id;
INSERT INTO pickup_counts (tenant_id, facility_id, status, pickups)
SELECT tenant_id, coalesce(facility_id, '00000000-0000-0000-0000-000000000000'), status, count(*)
FROM pickups
GROUP BY GROUPING SETS ((tenant_id, facility_id, status), (tenant_id, status));
