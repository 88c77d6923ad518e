-- PostgreSQL's log repeats, of a row that a constraint refuses, the row's values. Where
-- row level security holds for the role that wrote it, it does not: so the tables whose
-- rows tell of people, places, money or secrets are under it, with a policy that leaves the
-- application all that it may do. Such a policy is no condition in any plan.

-- +goose NO TRANSACTION
-- +goose Up
-- What a driver has now is found without all that they had: under row level security,
-- PostgreSQL has no statistics of an enum, and would read it all.
-- What a killed build left is not used, and in the way of another.
DROP INDEX CONCURRENTLY IF EXISTS pickups_driver_current_idx;
CREATE INDEX CONCURRENTLY pickups_driver_current_idx ON pickups (tenant_id, driver_id, created_at, id)
    WHERE status IN ('ASSIGNED', 'COLLECTED', 'RECEIVED', 'PACKED', 'SHIPPED');

-- A table at a time, its policy with it, so that no two are locked at once and none is
-- ever without its policy; again after a kill.
-- +goose StatementBegin
DO $$
DECLARE
    kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY[
        'users', 'phone_numbers', 'sessions', 'groups', 'facilities', 'accounts', 'ledger_entries', 'drivers',
        'pickups', 'pickup_events', 'messages', 'patient_consents', 'phi_reads']
    LOOP
        IF NOT EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = kept::regclass AND p.polname = 'no_values_in_logs') THEN
            EXECUTE format('CREATE POLICY no_values_in_logs ON %I TO waybill_app USING (true) WITH CHECK (true)', kept);
            EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', kept);
        END IF;
        COMMIT;
    END LOOP;
END
$$;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DO $$
DECLARE
    kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY[
        'users', 'phone_numbers', 'sessions', 'groups', 'facilities', 'accounts', 'ledger_entries', 'drivers',
        'pickups', 'pickup_events', 'messages', 'patient_consents', 'phi_reads']
    LOOP
        EXECUTE format('ALTER TABLE %I DISABLE ROW LEVEL SECURITY', kept);
        EXECUTE format('DROP POLICY IF EXISTS no_values_in_logs ON %I', kept);
        COMMIT;
    END LOOP;
END
$$;
-- +goose StatementEnd
DROP INDEX CONCURRENTLY IF EXISTS pickups_driver_current_idx;
