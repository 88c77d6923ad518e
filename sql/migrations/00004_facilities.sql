-- Clinics and labs, and who may see them: user -> groups -> facilities.

-- +goose Up
CREATE TABLE facilities (
    tenant_id      uuid             NOT NULL CONSTRAINT facilities_tenant_fkey REFERENCES tenants,
    id             uuid             NOT NULL,
    name           text             NOT NULL,
    address        text             NOT NULL,
    latitude       double precision NOT NULL,
    longitude      double precision NOT NULL,
    version        bigint           NOT NULL DEFAULT 1,
    request_digest bytea            NOT NULL,
    created_at     timestamptz      NOT NULL DEFAULT now(),
    CONSTRAINT facilities_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT facilities_name_check CHECK (btrim(name) <> '' AND char_length(name) <= 200),
    CONSTRAINT facilities_address_check CHECK (btrim(address) <> '' AND char_length(address) <= 500),
    CONSTRAINT facilities_latitude_check CHECK (latitude BETWEEN -90 AND 90),
    CONSTRAINT facilities_longitude_check CHECK (longitude BETWEEN -180 AND 180)
);

CREATE INDEX facilities_created_idx ON facilities (tenant_id, created_at, id);

CREATE TABLE groups (
    tenant_id      uuid        NOT NULL CONSTRAINT groups_tenant_fkey REFERENCES tenants,
    id             uuid        NOT NULL,
    name           text        NOT NULL,
    version        bigint      NOT NULL DEFAULT 1,
    request_digest bytea       NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT groups_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT groups_name_check CHECK (btrim(name) <> '' AND char_length(name) <= 200)
);

CREATE INDEX groups_created_idx ON groups (tenant_id, created_at, id);

CREATE TABLE group_members (
    tenant_id  uuid        NOT NULL,
    group_id   uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT group_members_pkey PRIMARY KEY (tenant_id, group_id, user_id),
    CONSTRAINT group_members_group_fkey FOREIGN KEY (tenant_id, group_id) REFERENCES groups,
    CONSTRAINT group_members_user_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES users
);

CREATE INDEX group_members_user_idx ON group_members (tenant_id, user_id, group_id);

CREATE TABLE group_facilities (
    tenant_id   uuid        NOT NULL,
    group_id    uuid        NOT NULL,
    facility_id uuid        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT group_facilities_pkey PRIMARY KEY (tenant_id, group_id, facility_id),
    CONSTRAINT group_facilities_group_fkey FOREIGN KEY (tenant_id, group_id) REFERENCES groups,
    CONSTRAINT group_facilities_facility_fkey FOREIGN KEY (tenant_id, facility_id) REFERENCES facilities
);

CREATE INDEX group_facilities_facility_idx ON group_facilities (tenant_id, facility_id, group_id);

-- Who sees which facility. The statements join this view instead of each
-- spelling the two tables; PostgreSQL plans it as if they did.
CREATE VIEW facility_viewers AS
SELECT m.tenant_id, m.user_id, f.facility_id
FROM group_members AS m
JOIN group_facilities AS f ON f.tenant_id = m.tenant_id AND f.group_id = m.group_id;

GRANT SELECT, INSERT, UPDATE ON facilities, groups TO waybill_app;
GRANT SELECT, INSERT, DELETE ON group_members, group_facilities TO waybill_app;
GRANT SELECT ON facility_viewers TO waybill_app;

-- +goose Down
DROP VIEW facility_viewers;
DROP TABLE group_facilities;
DROP TABLE group_members;
DROP TABLE groups;
DROP TABLE facilities;
