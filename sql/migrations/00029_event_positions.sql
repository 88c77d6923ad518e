-- The stream goes by who may still write events, and no longer by every transaction of the
-- cluster: see GetStreamHorizon. Whoever writes events holds a lock on their table first, and
-- takes a transaction id then; the statements of sql/queries do. A transaction that had its id
-- before (BEGIN; UPDATE …; INSERT INTO pickup_events …) would put its event where the stream
-- has passed already. Its place is therefore never below what had ended when its INSERT began,
-- with the lock in hand: that is the transaction's id again for everybody who took it after.

-- +goose Up
ALTER TABLE pickup_events ALTER COLUMN xid SET DEFAULT
    -- With a snapshot of long ago there is no such place: NULL, which is refused.
    CASE WHEN current_setting('transaction_isolation') IN ('read committed', 'read uncommitted')
        THEN greatest(pg_current_xact_id(), pg_snapshot_xmax(pg_current_snapshot()))
    END;
COMMENT ON COLUMN pickup_events.xid IS
    'The place in the stream, with seq. Leave it to its default, in a transaction that is READ COMMITTED.';

-- +goose Down
COMMENT ON COLUMN pickup_events.xid IS NULL;
ALTER TABLE pickup_events ALTER COLUMN xid SET DEFAULT pg_current_xact_id();
