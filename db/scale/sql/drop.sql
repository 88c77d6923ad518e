-- Takes away what makes the insert of millions of rows slow: indexes, keys and foreign keys of
-- the tables that grow. Their definitions wait in a table for restore.sql, in the same
-- transaction. What a later migration adds is found in the catalog too.
CREATE TEMP TABLE scale_dropped (position bigint GENERATED ALWAYS AS IDENTITY, statement text NOT NULL) ON COMMIT DROP;
DO $$
DECLARE
    grown oid[] := ARRAY[
        'pickups', 'pickup_events', 'messages', 'ledger_entries', 'patients', 'patient_facilities',
        'patient_consents', 'patient_terms', 'appointments', 'phi_reads', 'pickup_searches']::regclass[]::oid[];
    dropped record;
BEGIN
    -- Foreign keys go first and come last: they need the keys that they refer to. The indexes
    -- come back in their order, by which the planner decides between equals.
    FOR dropped IN
        SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', c.conrelid::regclass, c.conname) AS statement,
            format('ALTER TABLE %s ADD CONSTRAINT %I %s', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid))
                AS undo,
            c.contype = 'f' AS is_reference, c.conindid AS position
        FROM pg_constraint AS c
        WHERE c.contype IN ('p', 'u', 'x') AND c.conrelid = ANY (grown)
            OR c.contype = 'f' AND (c.conrelid = ANY (grown) OR c.confrelid = ANY (grown))
        UNION ALL
        SELECT format('DROP INDEX %s', i.indexrelid::regclass), pg_get_indexdef(i.indexrelid), false, i.indexrelid
        FROM pg_index AS i
        WHERE i.indrelid = ANY (grown) AND NOT EXISTS (
            SELECT FROM pg_constraint AS c WHERE c.conindid = i.indexrelid AND c.contype IN ('p', 'u', 'x'))
        ORDER BY is_reference DESC, position
    LOOP
        EXECUTE dropped.statement;
        INSERT INTO scale_dropped (statement) VALUES (dropped.undo);
    END LOOP;
END
$$;
-- A pickup is inserted in the status that it has come to.
ALTER TABLE pickups DISABLE TRIGGER pickups_refuse_undeclared_insert;
-- Entries of patients are inserted by patients.sql.
ALTER TABLE patient_facilities DISABLE TRIGGER patient_facilities_add_terms;
-- Restore.sql tells what was read.
ALTER TABLE phi_reads DISABLE TRIGGER phi_reads_add_patient_reads;
-- Restore.sql counts the pickups once, and makes what they are found by.
ALTER TABLE pickups DISABLE TRIGGER pickups_count_insert;
ALTER TABLE pickups DISABLE TRIGGER pickups_keep_searches_insert;
-- A table that is new in this transaction is written without the log under wal_level minimal.
TRUNCATE pickups, pickup_events, messages, ledger_entries, patients, patient_facilities,
    patient_consents, patient_terms, appointments, phi_reads, pickup_searches;
