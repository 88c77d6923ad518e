-- The stream goes by who may still write events, and no longer by every transaction of the
-- cluster: see GetStreamHorizon. Whoever writes events holds a lock on their table first, and
-- takes a transaction id then; the statements of sql/queries do. A transaction that had its id
-- before (BEGIN; UPDATE …; INSERT INTO pickup_events …) would put its event where the stream
-- has passed already: the event gets a place of its own.

-- +goose Up
-- +goose StatementBegin
-- The place of an event whose transaction had an id already: above all that has ended by now,
-- and so above whatever its statement waited for, another event of the same pickup for one.
CREATE FUNCTION late_event_position() RETURNS xid8
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog AS $$
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        -- Its snapshots are of before the lock.
        RAISE 'events are written by transactions that are READ COMMITTED' USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    RETURN greatest(pg_current_xact_id(), pg_snapshot_xmax(pg_current_snapshot()));
END
$$;
-- +goose StatementEnd
-- The statement's snapshot came after its lock on the table, and a horizon beyond it sees the
-- lock: an id from after the snapshot is a place that no horizon has passed.
ALTER TABLE pickup_events ALTER COLUMN xid SET DEFAULT
    CASE WHEN pg_current_xact_id() >= pg_snapshot_xmax(pg_current_snapshot())
            AND current_setting('transaction_isolation') = 'read committed'
        THEN pg_current_xact_id()
        ELSE late_event_position()
    END;
COMMENT ON COLUMN pickup_events.xid IS
    'The place in the stream, with seq. Leave it to its default, in a transaction that is READ COMMITTED.';

-- +goose Down
COMMENT ON COLUMN pickup_events.xid IS NULL;
ALTER TABLE pickup_events ALTER COLUMN xid SET DEFAULT pg_current_xact_id();
DROP FUNCTION late_event_position();
