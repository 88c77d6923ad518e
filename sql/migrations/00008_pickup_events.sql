-- Who did what to a pickup, and when: append only, one row for each won transition.

-- +goose Up
CREATE TABLE pickup_events (
    tenant_id       uuid            NOT NULL,
    id              uuid            NOT NULL,
    pickup_id       uuid            NOT NULL,
    -- The pickup's version after the transition: the order of its events.
    version         bigint          NOT NULL,
    transition      transition_name NOT NULL,
    -- From the session of the same statement; users are never deleted. A foreign
    -- key would lock the actor's row for every event.
    actor_id        uuid            NOT NULL,
    before          pickup_status   NOT NULL,
    after           pickup_status   NOT NULL,
    -- The driver that the transition set, kept or took away: their client wants to know.
    driver_id       uuid,
    idempotency_key text,
    request_digest  bytea           NOT NULL,
    created_at      timestamptz     NOT NULL DEFAULT now(),
    -- The stream's order. Numbers are given out before commit, so that seq alone
    -- skips a late committer: the stream sends what is older than every running
    -- transaction, by (xid, seq).
    xid             xid8            NOT NULL DEFAULT pg_current_xact_id(),
    seq             bigint          NOT NULL GENERATED ALWAYS AS IDENTITY,
    CONSTRAINT pickup_events_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT pickup_events_pickup_fkey FOREIGN KEY (tenant_id, pickup_id) REFERENCES pickups,
    CONSTRAINT pickup_events_version_key UNIQUE (tenant_id, pickup_id, version),
    CONSTRAINT pickup_events_idempotency_key_check CHECK (char_length(idempotency_key) BETWEEN 1 AND 200)
);

-- Closes: a late duplicate that moves the pickup a second time.
CREATE UNIQUE INDEX pickup_events_idempotency_key ON pickup_events (tenant_id, pickup_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE UNIQUE INDEX pickup_events_stream_key ON pickup_events (tenant_id, xid, seq);

GRANT SELECT, INSERT ON pickup_events TO waybill_app;

-- +goose Down
DROP TABLE pickup_events;
