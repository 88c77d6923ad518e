-- The histories in which this database has written events. A position in the stream is one of a history: after a
-- failover to an asynchronous standby, a recovery to a point in time or a restore, another history goes on from an
-- earlier state, and a position of the former one would skip events or name some that do not exist any more.

-- +goose Up
CREATE TABLE event_histories (
    -- Random, and part of the ids of events: two servers that are promoted from one state have the same timeline.
    id                text        NOT NULL DEFAULT right(replace(gen_random_uuid()::text, '-', ''), 12),
    system_identifier bigint      NOT NULL,
    timeline          bigint      NOT NULL,
    -- A dump may be restored in the same cluster: in another database, or in new tables of the same one.
    database_id       bigint      NOT NULL,
    table_id          bigint      NOT NULL,
    -- Its events have greater numbers. Restored events have transaction ids of another cluster, which say nothing
    -- about their order here: they are of a former history, and no stream sends them.
    first_seq         bigint      NOT NULL,
    begun_at          timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT event_histories_pkey PRIMARY KEY (id),
    CONSTRAINT event_histories_place_key UNIQUE (system_identifier, timeline, database_id, table_id)
);
COMMENT ON TABLE event_histories IS
    'After a restore that keeps system, timeline, database and table (a snapshot of the disk, data into existing '
    'tables): DELETE FROM event_histories.';
GRANT SELECT ON event_histories TO waybill_app;

-- Where the server writes now. A standby writes nothing.
-- +goose StatementBegin
CREATE FUNCTION event_history_place(
    OUT system_identifier bigint, OUT timeline bigint, OUT database_id bigint, OUT table_id bigint
)
LANGUAGE plpgsql STABLE
SET search_path = public, pg_temp
AS $$
BEGIN
    IF pg_is_in_recovery() THEN
        RAISE 'a standby has no history of its own' USING ERRCODE = 'read_only_sql_transaction';
    END IF;
    SELECT
        c.system_identifier,
        ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::bigint,
        (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()),
        'pickup_events'::regclass::oid
    INTO system_identifier, timeline, database_id, table_id
    FROM pg_control_system() AS c;
END
$$;

-- The id of the history that the server writes now; NULL if it has not begun.
CREATE FUNCTION current_event_history() RETURNS text
LANGUAGE sql STABLE
SET search_path = public, pg_temp
AS $$
    SELECT h.id FROM event_history_place() AS p JOIN event_histories AS h
        USING (system_identifier, timeline, database_id, table_id)
$$;

-- Ends the transaction (WB005) unless the server writes this history.
CREATE FUNCTION require_event_history(history text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = public, pg_temp
AS $$
BEGIN
    IF current_event_history() IS DISTINCT FROM history THEN
        RAISE 'the server writes another history' USING ERRCODE = 'WB005';
    END IF;
END
$$;

-- Begins the history that the server writes now, unless it has begun. On another timeline of the same tables the
-- order of events goes on. In others, events may be of another cluster: they get no number that a new one has, even
-- if the sequence did not come with them; and no writer is under way that took its number before.
CREATE FUNCTION begin_event_history() RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = public, pg_temp
AS $$
DECLARE
    place record;
    first bigint;
    newest bigint;
BEGIN
    IF current_event_history() IS NOT NULL THEN
        RETURN;
    END IF;
    place := event_history_place();
    SELECT max(h.first_seq) INTO first FROM event_histories AS h
    WHERE h.system_identifier = place.system_identifier
        AND h.database_id = place.database_id
        AND h.table_id = place.table_id;
    IF first IS NULL THEN
        SELECT max(e.seq) INTO newest FROM pickup_events AS e;
        LOCK TABLE pickup_events IN SHARE ROW EXCLUSIVE MODE;
        first := nextval(pg_get_serial_sequence('pickup_events', 'seq'));
        IF first < newest THEN
            first := setval(pg_get_serial_sequence('pickup_events', 'seq'), newest);
        END IF;
    END IF;
    INSERT INTO event_histories (system_identifier, timeline, database_id, table_id, first_seq)
    VALUES (place.system_identifier, place.timeline, place.database_id, place.table_id, first)
    ON CONFLICT ON CONSTRAINT event_histories_place_key DO NOTHING;
END
$$;
-- +goose StatementEnd

REVOKE EXECUTE ON FUNCTION event_history_place, current_event_history, require_event_history, begin_event_history
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION event_history_place, current_event_history, require_event_history, begin_event_history
    TO waybill_app;

SELECT begin_event_history();

-- +goose Down
DROP FUNCTION begin_event_history, require_event_history, current_event_history, event_history_place;
DROP TABLE event_histories;
