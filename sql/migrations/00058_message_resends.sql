-- Failed texts that are sent again: who asked for it, and which round of sending an answer of the gateway is about.
-- +waybill compatible_from: 00048

-- +goose Up
-- How often it was sent again. An answer of the gateway to an earlier round may come late, from a worker that was
-- believed dead: it must not settle the new round as failed.
ALTER TABLE messages ADD COLUMN resends bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN messages.resends IS 'How often it was sent again after it had failed';

CREATE TABLE message_resends (
    tenant_id       uuid        NOT NULL,
    message_id      uuid        NOT NULL,
    -- The message's resends after it.
    resend          bigint      NOT NULL,
    -- NULL: an operator, by command. From the session of the same statement; users are never deleted.
    actor_id        uuid,
    idempotency_key text,
    request_digest  bytea,
    created_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT message_resends_pkey PRIMARY KEY (tenant_id, message_id, resend),
    CONSTRAINT message_resends_message_fkey FOREIGN KEY (tenant_id, message_id) REFERENCES messages,
    CONSTRAINT message_resends_idempotency_key_check CHECK (char_length(idempotency_key) BETWEEN 1 AND 200),
    CONSTRAINT message_resends_request_check CHECK ((actor_id IS NULL) = (request_digest IS NULL))
);
COMMENT ON TABLE message_resends IS 'A failed text that was sent again';
COMMENT ON COLUMN message_resends.actor_id IS 'The user who did this; null: an operator';

-- Closes: a late duplicate sends a text again that has failed a second time.
CREATE UNIQUE INDEX message_resends_idempotency_key ON message_resends (tenant_id, message_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;

-- As in 00028: no value of a refused row in the server's log.
CREATE POLICY no_values_in_logs ON message_resends TO waybill_app USING (true) WITH CHECK (true);
ALTER TABLE message_resends ENABLE ROW LEVEL SECURITY;

GRANT SELECT, INSERT ON message_resends TO waybill_app;

-- +goose Down
DROP TABLE message_resends;
ALTER TABLE messages DROP COLUMN resends;
