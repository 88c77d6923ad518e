-- Who writes an event says so by a lock of its own, from its first event on: streams wait for nobody else. By the lock
-- on the table, they waited for each transaction that had planned to write events, however long it then waited for
-- a row or worked: a slow statement of one tenant held back the events of all others.
--
-- The lock comes after the transaction's id, so that whoever sees it sees the id too, and before the snapshot of which
-- the position is: a stream that does not see it took its own snapshot earlier, and has not passed the position.
-- +waybill compatible_from: 00049

-- +goose Up
-- Transactions that have written events without the lock end first, and no other one does so meanwhile.
-- gate:allow locks-table pickup_events until 2027-06-30: held for 7 ms under 32 callers, with lock_timeout before it
-- and tried again by the migrator; the writers of before must have ended before the function changes.
LOCK TABLE pickup_events IN SHARE ROW EXCLUSIVE MODE;
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION late_event_position() RETURNS xid8
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog AS $$
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        -- Its snapshots are of before the lock.
        RAISE 'events are written by transactions that are READ COMMITTED'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    PERFORM pg_current_xact_id();
    PERFORM pg_advisory_xact_lock(20561, pg_backend_pid()); -- see GetStreamHorizon; nobody waits for it
    RETURN greatest(pg_current_xact_id(), pg_snapshot_xmax(pg_current_snapshot()));
END
$$;
-- +goose StatementEnd

-- +goose Down
-- The function is again what it was, to the letter, of which one line is long.
-- +goose StatementBegin
DO $down$
BEGIN
    EXECUTE $f$CREATE OR REPLACE FUNCTION late_event_position() RETURNS xid8
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog AS $$
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        -- Its snapshots are of before the lock.
        RAISE 'events are written by transactions that are READ COMMITTED'$f$
        || $f$ USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    RETURN greatest(pg_current_xact_id(), pg_snapshot_xmax(pg_current_snapshot()));
END
$$$f$;
END
$down$;
-- +goose StatementEnd
