-- Drivers, where they are, and which pickup each is assigned now.

-- +goose Up
CREATE TABLE drivers (
    tenant_id        uuid             NOT NULL CONSTRAINT drivers_tenant_fkey REFERENCES tenants,
    id               uuid             NOT NULL,
    user_id          uuid,
    name             text             NOT NULL,
    on_duty          boolean          NOT NULL DEFAULT false,
    latitude         double precision,
    longitude        double precision,
    located_at       timestamptz,
    -- Counts the moves, apart from the edits that version counts: a fleet under
    -- way does not fail every edit.
    location_version bigint           NOT NULL DEFAULT 0,
    version          bigint           NOT NULL DEFAULT 1,
    request_digest   bytea            NOT NULL,
    created_at       timestamptz      NOT NULL DEFAULT now(),
    CONSTRAINT drivers_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT drivers_user_fkey FOREIGN KEY (tenant_id, user_id) REFERENCES users,
    CONSTRAINT drivers_user_key UNIQUE (tenant_id, user_id),
    CONSTRAINT drivers_name_check CHECK (btrim(name) <> '' AND char_length(name) <= 200),
    CONSTRAINT drivers_latitude_check CHECK (latitude BETWEEN -90 AND 90),
    CONSTRAINT drivers_longitude_check CHECK (longitude BETWEEN -180 AND 180),
    CONSTRAINT drivers_location_check
        CHECK (num_nulls(latitude, longitude, located_at) IN (0, 3))
);

CREATE INDEX drivers_created_idx ON drivers (tenant_id, created_at, id);

-- A row a driver: the pickup assigned to them now, or none. Dispatch locks a free
-- one; on drivers itself it would skip those whose location just moves, or whose
-- row a foreign key check holds.
CREATE TABLE driver_slots (
    tenant_id uuid NOT NULL,
    driver_id uuid NOT NULL,
    pickup_id uuid,
    CONSTRAINT driver_slots_pkey PRIMARY KEY (tenant_id, driver_id),
    CONSTRAINT driver_slots_driver_fkey FOREIGN KEY (tenant_id, driver_id) REFERENCES drivers,
    CONSTRAINT driver_slots_pickup_key UNIQUE (tenant_id, pickup_id)
);

GRANT SELECT, INSERT, UPDATE ON drivers, driver_slots TO waybill_app;

-- +goose Down
DROP TABLE driver_slots;
DROP TABLE drivers;
