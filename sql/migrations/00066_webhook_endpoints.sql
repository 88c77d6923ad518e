-- Endpoints of a tenant's own systems, to which the events of its pickups are delivered.
-- +waybill compatible_from: 00048

-- +goose Up
CREATE TABLE webhook_endpoints (
    tenant_id             uuid        NOT NULL,
    id                    uuid        NOT NULL,
    url                   text        NOT NULL,
    -- Names of transitions; empty for all, also those to come.
    events                text[]      NOT NULL,
    -- Kept as it is: requests are signed with it. NULL once the endpoint is deleted.
    secret                text,
    -- The secret before the last rotation, which signs besides until then.
    former_secret         text,
    former_secret_ends_at timestamptz,
    version               bigint      NOT NULL DEFAULT 1,
    request_digest        bytea       NOT NULL,
    created_at            timestamptz NOT NULL DEFAULT now(),
    -- The row stays, so that a late duplicate of its creation makes no second one.
    deleted_at            timestamptz,
    -- The position up to which events were taken, in the history whose events have greater numbers than this, and
    -- how often it was moved: the guard of the next move. The first position is that of the oldest transaction that
    -- runs at the creation: what is committed afterwards stands behind it.
    cursor_xid            xid8        NOT NULL DEFAULT pg_snapshot_xmin(pg_current_snapshot()),
    cursor_seq            bigint      NOT NULL DEFAULT 0,
    cursor_first_seq      bigint      NOT NULL,
    cursor_moves          bigint      NOT NULL DEFAULT 0,
    CONSTRAINT webhook_endpoints_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT webhook_endpoints_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants,
    CONSTRAINT webhook_endpoints_url_check CHECK (char_length(url) <= 2000 AND url ~ '^https?://[^[:space:]]+$'),
    CONSTRAINT webhook_endpoints_events_check
        CHECK (cardinality(events) <= 50 AND array_position(events, NULL) IS NULL),
    CONSTRAINT webhook_endpoints_secret_check CHECK ((secret IS NULL) = (deleted_at IS NOT NULL)),
    CONSTRAINT webhook_endpoints_former_secret_check CHECK (
        (former_secret IS NULL) = (former_secret_ends_at IS NULL)
        AND (former_secret IS NULL OR deleted_at IS NULL))
);
COMMENT ON TABLE webhook_endpoints IS 'An address to which the events of pickups are delivered';
COMMENT ON COLUMN webhook_endpoints.id IS 'Id of the endpoint';
COMMENT ON COLUMN webhook_endpoints.url IS 'Where events are sent to, by POST';
COMMENT ON COLUMN webhook_endpoints.events IS
    'The transitions whose events are sent; empty for all, also those to come';
COMMENT ON COLUMN webhook_endpoints.former_secret_ends_at IS
    'Until when requests are also signed with the secret before the last rotation';
COMMENT ON COLUMN webhook_endpoints.version IS 'Raised by every edit';
COMMENT ON COLUMN webhook_endpoints.created_at IS 'When it was created';

-- How many endpoints a tenant has: the limit is a constraint.
CREATE TABLE webhook_endpoint_counts (
    tenant_id uuid    NOT NULL,
    endpoints integer NOT NULL,
    CONSTRAINT webhook_endpoint_counts_pkey PRIMARY KEY (tenant_id),
    CONSTRAINT webhook_endpoint_counts_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants,
    CONSTRAINT webhook_endpoint_counts_endpoints_check CHECK (endpoints BETWEEN 0 AND 20)
);

-- As in 00028: no value of a refused row in the server's log.
CREATE POLICY no_values_in_logs ON webhook_endpoints TO waybill_app USING (true) WITH CHECK (true);
ALTER TABLE webhook_endpoints ENABLE ROW LEVEL SECURITY;

GRANT SELECT, INSERT, UPDATE ON webhook_endpoints, webhook_endpoint_counts TO waybill_app;

-- +goose Down
DROP TABLE webhook_endpoint_counts;
DROP TABLE webhook_endpoints;
