-- An event stands in the stream behind all that its statement waited for, in particular behind the event of the same
-- pickup before it. The former default kept the transaction's own id if that was newer than the statement's snapshot.
-- But a statement that locks several pickups has its id from the first one, and a pickup that it comes to later may
-- have got an event meanwhile, from a transaction with a higher id. So every event asks what has ended by the time
-- it is written.
--
-- No stream has passed that position. A stream ends at the transaction id of a writer that runs, if it sees the
-- writer's lock on the table (see GetStreamHorizon), and the position is not below that id. A stream that did not see
-- the lock took its snapshot before, and ends at the xmax of that snapshot; the xmax here, read under the lock, is
-- not below it.
-- +waybill compatible_from: 00039

-- +goose Up
ALTER TABLE pickup_events ALTER COLUMN xid SET DEFAULT late_event_position();

-- +goose Down
ALTER TABLE pickup_events ALTER COLUMN xid SET DEFAULT
    CASE WHEN pg_current_xact_id() >= pg_snapshot_xmax(pg_current_snapshot())
            AND current_setting('transaction_isolation') = 'read committed'
        THEN pg_current_xact_id()
        ELSE late_event_position()
    END;
