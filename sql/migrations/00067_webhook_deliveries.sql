-- Deliveries of events to webhook endpoints: one for each endpoint and event, sent in order per pickup.
-- +waybill compatible_from: 00048

-- +goose Up
CREATE TYPE webhook_delivery_status AS ENUM ('PENDING', 'DELIVERED', 'FAILED');
COMMENT ON TYPE webhook_delivery_status IS 'Where a delivery is
PENDING: it will be sent, or sent again
DELIVERED: the receiver has accepted it
FAILED: a dead letter: it was tried as often as it is, and is sent again only if asked for';

-- The deliveries of one pickup to one endpoint, of which one is sent at a time: a message group. A ping has one of its
-- own. Whoever sends from it has it until next_at, and then somebody else may: no lock outlives a statement.
CREATE TABLE webhook_queues (
    tenant_id   uuid        NOT NULL,
    endpoint_id uuid        NOT NULL,
    id          uuid        NOT NULL, -- of the pickup, or the ping
    pending     integer     NOT NULL, -- how many deliveries
    -- When the next try is due, or the lease of who sends now ends.
    next_at     timestamptz NOT NULL,
    -- How often it was claimed or settled: an answer counts if it is that of the last claim.
    claims      bigint      NOT NULL DEFAULT 0,
    CONSTRAINT webhook_queues_pkey PRIMARY KEY (tenant_id, endpoint_id, id),
    CONSTRAINT webhook_queues_endpoint_fkey FOREIGN KEY (tenant_id, endpoint_id) REFERENCES webhook_endpoints,
    CONSTRAINT webhook_queues_pending_check CHECK (pending >= 0)
);
CREATE INDEX webhook_queues_due_idx ON webhook_queues (tenant_id, endpoint_id, next_at) WHERE pending > 0;

CREATE TABLE webhook_deliveries (
    tenant_id       uuid                    NOT NULL,
    endpoint_id     uuid                    NOT NULL,
    id              uuid                    NOT NULL,
    type            text                    NOT NULL,
    pickup_id       uuid,
    queue_id        uuid                    NOT NULL GENERATED ALWAYS AS (coalesce(pickup_id, id)) STORED,
    -- The event's number, which follows the order of the versions of its pickup within one history.
    seq             bigint                  NOT NULL,
    status          webhook_delivery_status NOT NULL DEFAULT 'PENDING',
    attempts        integer                 NOT NULL DEFAULT 0,
    http_status     integer,
    reason          text,
    duration_ms     integer,
    created_at      timestamptz             NOT NULL DEFAULT now(),
    attempted_at    timestamptz,
    next_attempt_at timestamptz             DEFAULT now(),
    CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (tenant_id, endpoint_id, id),
    CONSTRAINT webhook_deliveries_endpoint_fkey FOREIGN KEY (tenant_id, endpoint_id) REFERENCES webhook_endpoints,
    CONSTRAINT webhook_deliveries_next_attempt_check CHECK ((next_attempt_at IS NOT NULL) = (status = 'PENDING'))
);
CREATE INDEX webhook_deliveries_head_idx ON webhook_deliveries (tenant_id, endpoint_id, queue_id, seq)
    WHERE status = 'PENDING';
CREATE INDEX webhook_deliveries_status_idx ON webhook_deliveries
    (tenant_id, endpoint_id, status, created_at, id);
COMMENT ON TABLE webhook_deliveries IS 'An event that was or will be sent to an endpoint';
COMMENT ON COLUMN webhook_deliveries.id IS 'Id of the event, or of the ping: the Webhook-Id of each try';
COMMENT ON COLUMN webhook_deliveries.endpoint_id IS 'The endpoint';
COMMENT ON COLUMN webhook_deliveries.type IS 'The type of the event: pickup. and the transition, or webhook.ping';
COMMENT ON COLUMN webhook_deliveries.pickup_id IS 'The pickup; null for a ping';
COMMENT ON COLUMN webhook_deliveries.status IS 'Whether it was accepted';
COMMENT ON COLUMN webhook_deliveries.attempts IS 'How often it was tried, since it was asked for last';
COMMENT ON COLUMN webhook_deliveries.http_status IS 'The receiver''s status at the last try; null if it did not answer';
COMMENT ON COLUMN webhook_deliveries.reason IS 'Why the last try failed, such as status_500 or timeout';
COMMENT ON COLUMN webhook_deliveries.duration_ms IS 'How long the last try took';
COMMENT ON COLUMN webhook_deliveries.created_at IS
    'When the event was taken from the stream, or the ping was asked for';
COMMENT ON COLUMN webhook_deliveries.attempted_at IS 'When it was tried last';
COMMENT ON COLUMN webhook_deliveries.next_attempt_at IS
    'When it is tried next, unless an earlier event of the pickup is still pending; null if it will not be';

GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_queues, webhook_deliveries TO waybill_app;

-- +goose Down
DROP TABLE webhook_deliveries;
DROP TABLE webhook_queues;
DROP TYPE webhook_delivery_status;
