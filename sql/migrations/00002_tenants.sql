-- Tenants own everything: every other key begins with tenant_id, so that a
-- reference across tenants cannot exist.

-- +goose Up
CREATE TABLE tenants (
    id         uuid        NOT NULL CONSTRAINT tenants_pkey PRIMARY KEY,
    slug       text        NOT NULL CONSTRAINT tenants_slug_key UNIQUE,
    name       text        NOT NULL,
    -- Keys the digests by which a replayed request is known (see request_digest).
    digest_key bytea       NOT NULL
        DEFAULT sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())),
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT tenants_slug_check CHECK (slug ~ '^[a-z][a-z0-9-]{0,62}$'),
    CONSTRAINT tenants_name_check CHECK (btrim(name) <> '' AND char_length(name) <= 200)
);

-- Switches that are rolled out one tenant at a time.
CREATE TABLE flags (
    tenant_id  uuid        NOT NULL CONSTRAINT flags_tenant_fkey REFERENCES tenants,
    name       text        NOT NULL,
    enabled    boolean     NOT NULL,
    version    bigint      NOT NULL DEFAULT 1,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT flags_pkey PRIMARY KEY (tenant_id, name),
    CONSTRAINT flags_name_check CHECK (name IN ('auto_dispatch', 'pickup_texts'))
);

GRANT SELECT ON tenants TO waybill_app;
GRANT SELECT, UPDATE ON flags TO waybill_app;

-- +goose Down
DROP TABLE flags;
DROP TABLE tenants;
