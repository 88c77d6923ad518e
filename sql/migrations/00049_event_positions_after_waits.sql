-- A transaction that had its id before its statement began, while nothing that came later had ended, looks like one
-- that takes its id in the statement: its id is the first that the statement's snapshot does not know. If it then
-- waited for another event of the same pickup, it would stand in front of that one. So it, too, asks what has ended
-- by the time the event is written.
-- +waybill compatible_from: 00039

-- +goose Up
ALTER TABLE pickup_events ALTER COLUMN xid SET DEFAULT
    CASE WHEN pg_current_xact_id() > pg_snapshot_xmax(pg_current_snapshot())
            AND current_setting('transaction_isolation') = 'read committed'
        THEN pg_current_xact_id()
        ELSE late_event_position()
    END;

-- +goose Down
ALTER TABLE pickup_events ALTER COLUMN xid SET DEFAULT
    CASE WHEN pg_current_xact_id() >= pg_snapshot_xmax(pg_current_snapshot())
            AND current_setting('transaction_isolation') = 'read committed'
        THEN pg_current_xact_id()
        ELSE late_event_position()
    END;
