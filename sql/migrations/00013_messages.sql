-- Texts: what a won transition owes to whoever asked for the pickup, at most one for
-- each event. The dictionary has their wording, which names no patient and no price.

-- +goose Up
-- Null: the transition owes no text.
ALTER TABLE pickup_transitions ADD COLUMN text text
    CONSTRAINT pickup_transitions_text_check CHECK (btrim(text) <> '' AND char_length(text) <= 160);

UPDATE pickup_transitions SET text = 'Your pickup is booked.' WHERE transition = 'submit';
UPDATE pickup_transitions SET text = 'Your driver is on the way!' WHERE transition IN ('assign', 'dispatch');
UPDATE pickup_transitions SET text = 'Your pickup has been delivered.' WHERE transition = 'deliver';

CREATE TYPE message_status AS ENUM ('QUEUED', 'SENT', 'FAILED');

CREATE TABLE messages (
    tenant_id  uuid           NOT NULL,
    id         uuid           NOT NULL,
    pickup_id  uuid           NOT NULL,
    event_id   uuid           NOT NULL,
    to_number  text,
    body       text           NOT NULL,
    status     message_status NOT NULL,
    -- Why it failed: a short code, never what a gateway said.
    reason     text,
    created_at timestamptz    NOT NULL DEFAULT now(),
    sent_at    timestamptz,
    CONSTRAINT messages_pkey PRIMARY KEY (tenant_id, id),
    -- The event has the pickup, and its own foreign key.
    CONSTRAINT messages_event_fkey FOREIGN KEY (tenant_id, event_id) REFERENCES pickup_events,
    -- Closes: two texts for one transition, whoever inserts them.
    CONSTRAINT messages_event_key UNIQUE (tenant_id, event_id),
    CONSTRAINT messages_to_number_check CHECK (to_number ~ '^\+[1-9][0-9]{6,14}$'),
    CONSTRAINT messages_body_check CHECK (btrim(body) <> '' AND char_length(body) <= 160),
    CONSTRAINT messages_reason_check CHECK (reason ~ '^[a-z][a-z0-9_]{0,49}$'),
    -- Without a number it has failed from the start, and for that reason alone.
    CONSTRAINT messages_no_number_check CHECK ((to_number IS NULL) = (reason IS NOT DISTINCT FROM 'no_number')),
    CONSTRAINT messages_failed_check CHECK ((status = 'FAILED') = (reason IS NOT NULL)),
    CONSTRAINT messages_sent_check CHECK ((status = 'SENT') = (sent_at IS NOT NULL))
);

CREATE INDEX messages_pickup_idx ON messages (tenant_id, pickup_id, created_at, id);

GRANT SELECT, INSERT, UPDATE ON messages TO waybill_app;

-- +goose Down
DROP TABLE messages;
DROP TYPE message_status;
ALTER TABLE pickup_transitions DROP COLUMN text;
