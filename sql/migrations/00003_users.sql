-- Staff of a tenant, their phone numbers and their sessions.

-- +goose Up
CREATE TYPE user_role AS ENUM ('admin', 'dispatcher', 'staff', 'driver', 'hub');

CREATE TABLE users (
    tenant_id      uuid        NOT NULL CONSTRAINT users_tenant_fkey REFERENCES tenants,
    id             uuid        NOT NULL,
    email          text        NOT NULL,
    name           text        NOT NULL,
    role           user_role   NOT NULL,
    active         boolean     NOT NULL DEFAULT true,
    password_hash  text        NOT NULL,
    -- Raised with every password: sessions of an earlier epoch are over.
    password_epoch bigint      NOT NULL DEFAULT 1,
    failed_logins  integer     NOT NULL DEFAULT 0,
    next_login_at  timestamptz NOT NULL DEFAULT 'epoch',
    version        bigint      NOT NULL DEFAULT 1,
    request_digest bytea       NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT users_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT users_email_check
        CHECK (email ~ '^[^@[:space:]]+@[^@[:space:]]+$' AND char_length(email) <= 254),
    CONSTRAINT users_name_check CHECK (btrim(name) <> '' AND char_length(name) <= 200)
);

-- Kept as typed, unique whatever its case; a login looks it up through this index.
CREATE UNIQUE INDEX users_email_key ON users (tenant_id, lower(email));
CREATE INDEX users_created_idx ON users (tenant_id, created_at, id);

CREATE TABLE phone_numbers (
    tenant_id      uuid        NOT NULL,
    id             uuid        NOT NULL,
    user_id        uuid        NOT NULL,
    number         text        NOT NULL,
    request_digest bytea       NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT phone_numbers_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT phone_numbers_user_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES users,
    CONSTRAINT phone_numbers_number_key UNIQUE (tenant_id, number),
    CONSTRAINT phone_numbers_number_check CHECK (number ~ '^\+[1-9][0-9]{6,14}$')
);

CREATE INDEX phone_numbers_user_idx ON phone_numbers (tenant_id, user_id, created_at, id);

-- A session holds ids alone: what its user may see is joined on each request,
-- so its size does not grow with the facilities and groups behind it.
CREATE TABLE sessions (
    tenant_id      uuid        NOT NULL,
    token_hash     bytea       NOT NULL,
    user_id        uuid        NOT NULL,
    password_epoch bigint      NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    last_seen_at   timestamptz NOT NULL DEFAULT now(),
    expires_at     timestamptz NOT NULL,
    revoked_at     timestamptz,
    CONSTRAINT sessions_pkey PRIMARY KEY (tenant_id, token_hash),
    CONSTRAINT sessions_user_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES users,
    CONSTRAINT sessions_token_hash_check CHECK (octet_length(token_hash) = 32)
);

CREATE INDEX sessions_user_idx ON sessions (tenant_id, user_id);

GRANT SELECT, INSERT, UPDATE ON users TO waybill_app;
GRANT SELECT, INSERT, DELETE ON phone_numbers TO waybill_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON sessions TO waybill_app;

-- +goose Down
DROP TABLE sessions;
DROP TABLE phone_numbers;
DROP TABLE users;
DROP TYPE user_role;
