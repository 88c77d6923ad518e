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
    -- The nil UUID says "no driver" where a session has none.
    CONSTRAINT drivers_id_check CHECK (id <> '00000000-0000-0000-0000-000000000000'),
    CONSTRAINT drivers_name_check CHECK (btrim(name) <> '' AND char_length(name) <= 200),
    CONSTRAINT drivers_latitude_check CHECK (latitude BETWEEN -90 AND 90),
    CONSTRAINT drivers_longitude_check CHECK (longitude BETWEEN -180 AND 180),
    CONSTRAINT drivers_location_check
        CHECK (num_nulls(latitude, longitude, located_at) IN (0, 3))
);

CREATE INDEX drivers_created_idx ON drivers (tenant_id, created_at, id);

-- A row a driver: the pickup assigned to them now, or none, and whether they are on
-- duty. Dispatch locks a free one, and tests both on the locked row; on drivers itself
-- it would skip those whose location just moves, or whose row a foreign key check holds.
CREATE TABLE driver_slots (
    tenant_id uuid    NOT NULL,
    driver_id uuid    NOT NULL,
    pickup_id uuid,
    on_duty   boolean NOT NULL,
    CONSTRAINT driver_slots_pkey PRIMARY KEY (tenant_id, driver_id),
    CONSTRAINT driver_slots_driver_fkey FOREIGN KEY (tenant_id, driver_id) REFERENCES drivers,
    CONSTRAINT driver_slots_pickup_key UNIQUE (tenant_id, pickup_id)
);

-- The slot comes with the driver, and follows their duty, whoever changes it.
-- +goose StatementBegin
CREATE FUNCTION drivers_keep_slot() RETURNS trigger
LANGUAGE plpgsql
SET search_path = public, pg_temp
AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO driver_slots (tenant_id, driver_id, on_duty) VALUES (NEW.tenant_id, NEW.id, NEW.on_duty);
    ELSE
        UPDATE driver_slots SET on_duty = NEW.on_duty WHERE tenant_id = NEW.tenant_id AND driver_id = NEW.id;
    END IF;
    RETURN NULL;
END
$$;
-- +goose StatementEnd

CREATE TRIGGER drivers_add_slot AFTER INSERT ON drivers
    FOR EACH ROW EXECUTE FUNCTION drivers_keep_slot();
CREATE TRIGGER drivers_keep_slot AFTER UPDATE OF on_duty ON drivers
    FOR EACH ROW WHEN (NEW.on_duty <> OLD.on_duty) EXECUTE FUNCTION drivers_keep_slot();
ALTER TABLE drivers ENABLE ALWAYS TRIGGER drivers_add_slot;
ALTER TABLE drivers ENABLE ALWAYS TRIGGER drivers_keep_slot;

GRANT SELECT, INSERT, UPDATE ON drivers, driver_slots TO waybill_app;

-- +goose Down
DROP TABLE driver_slots;
DROP TABLE drivers;
DROP FUNCTION drivers_keep_slot;
