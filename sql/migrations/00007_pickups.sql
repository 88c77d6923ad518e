-- Pickups and their dictionary of transitions: the state machine.

-- +goose Up
-- In the order of the road; CANCELED leaves it.
CREATE TYPE pickup_status AS ENUM (
    'DRAFT', 'SUBMITTED', 'ASSIGNED', 'COLLECTED', 'RECEIVED', 'PACKED', 'SHIPPED', 'DELIVERED',
    'CANCELED'
);

CREATE TYPE transition_name AS ENUM (
    'submit', 'assign', 'dispatch', 'release', 'cancel', 'collect', 'receive', 'pack', 'ship', 'deliver'
);

CREATE TABLE pickup_transitions (
    transition transition_name NOT NULL CONSTRAINT pickup_transitions_pkey PRIMARY KEY,
    before     pickup_status[] NOT NULL,
    after      pickup_status   NOT NULL,
    roles      user_role[]     NOT NULL,
    -- Whether the pickup has a driver afterwards (pickups_driver_check says the same).
    has_driver boolean         NOT NULL
);

-- Written once: the application may only read it.
INSERT INTO pickup_transitions (transition, before, after, roles, has_driver) VALUES
    ('submit',   '{DRAFT}',                    'SUBMITTED', '{staff,dispatcher}',       false),
    ('assign',   '{SUBMITTED}',                'ASSIGNED',  '{dispatcher}',             true),
    ('dispatch', '{SUBMITTED}',                'ASSIGNED',  '{dispatcher}',             true),
    ('release',  '{ASSIGNED}',                 'SUBMITTED', '{dispatcher}',             false),
    ('cancel',   '{DRAFT,SUBMITTED,ASSIGNED}', 'CANCELED',  '{staff,dispatcher,admin}', false),
    ('collect',  '{ASSIGNED}',                 'COLLECTED', '{driver,dispatcher}',      true),
    ('receive',  '{COLLECTED}',                'RECEIVED',  '{hub}',                    true),
    ('pack',     '{RECEIVED}',                 'PACKED',    '{hub}',                    true),
    ('ship',     '{PACKED}',                   'SHIPPED',   '{hub}',                    true),
    ('deliver',  '{SHIPPED}',                  'DELIVERED', '{hub,driver}',             true);

CREATE TABLE pickups (
    tenant_id        uuid             NOT NULL,
    id               uuid             NOT NULL,
    status           pickup_status    NOT NULL DEFAULT 'DRAFT',
    previous_status  pickup_status,
    facility_id      uuid             NOT NULL,
    account_id       uuid             NOT NULL,
    -- From the session of the same statement; users are never deleted. A foreign
    -- key would lock the user's row for every pickup.
    requested_by     uuid             NOT NULL,
    driver_id        uuid,
    price_cents      bigint           NOT NULL,
    charged_cents    bigint           NOT NULL DEFAULT 0,
    refunded_cents   bigint           NOT NULL DEFAULT 0,
    pickup_address   text             NOT NULL,
    pickup_latitude  double precision,
    pickup_longitude double precision,
    dropoff_address  text             NOT NULL,
    window_start     timestamptz,
    window_end       timestamptz,
    note             text,
    cancel_reason    text,
    version          bigint           NOT NULL DEFAULT 1,
    request_digest   bytea            NOT NULL,
    created_at       timestamptz      NOT NULL DEFAULT now(),
    updated_at       timestamptz      NOT NULL DEFAULT now(),
    CONSTRAINT pickups_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT pickups_facility_fkey FOREIGN KEY (tenant_id, facility_id) REFERENCES facilities,
    CONSTRAINT pickups_account_fkey FOREIGN KEY (tenant_id, account_id) REFERENCES account_keys,
    CONSTRAINT pickups_driver_fkey FOREIGN KEY (tenant_id, driver_id) REFERENCES drivers,
    CONSTRAINT pickups_driver_check CHECK (
        (driver_id IS NOT NULL) =
        (status IN ('ASSIGNED', 'COLLECTED', 'RECEIVED', 'PACKED', 'SHIPPED', 'DELIVERED'))),
    CONSTRAINT pickups_charged_check CHECK (
        charged_cents = CASE WHEN status IN ('DRAFT', 'CANCELED') THEN 0 ELSE price_cents END),
    CONSTRAINT pickups_refunded_check CHECK (
        refunded_cents = 0 OR (status = 'CANCELED' AND refunded_cents = price_cents)),
    CONSTRAINT pickups_cancel_reason_check CHECK (
        cancel_reason IS NULL OR (status = 'CANCELED' AND char_length(cancel_reason) <= 500)),
    CONSTRAINT pickups_price_check CHECK (price_cents BETWEEN 0 AND 9007199254740991),
    CONSTRAINT pickups_pickup_address_check
        CHECK (btrim(pickup_address) <> '' AND char_length(pickup_address) <= 500),
    CONSTRAINT pickups_dropoff_address_check
        CHECK (btrim(dropoff_address) <> '' AND char_length(dropoff_address) <= 500),
    CONSTRAINT pickups_latitude_check CHECK (pickup_latitude BETWEEN -90 AND 90),
    CONSTRAINT pickups_longitude_check CHECK (pickup_longitude BETWEEN -180 AND 180),
    CONSTRAINT pickups_point_check CHECK (num_nulls(pickup_latitude, pickup_longitude) IN (0, 2)),
    CONSTRAINT pickups_window_check CHECK (window_start < window_end),
    CONSTRAINT pickups_note_check CHECK (char_length(note) <= 2000)
);

-- Closes: one driver on two pickups, whoever assigns and however.
CREATE UNIQUE INDEX only_one_assigned_driver ON pickups (tenant_id, driver_id) WHERE status = 'ASSIGNED';

CREATE INDEX pickups_created_idx ON pickups (tenant_id, created_at, id);
CREATE INDEX pickups_status_idx ON pickups (tenant_id, status, created_at, id);
CREATE INDEX pickups_facility_idx ON pickups (tenant_id, facility_id, created_at, id);
CREATE INDEX pickups_account_idx ON pickups (tenant_id, account_id);
CREATE INDEX pickups_driver_idx ON pickups (tenant_id, driver_id, created_at, id) WHERE driver_id IS NOT NULL;

ALTER TABLE driver_slots
    ADD CONSTRAINT driver_slots_pickup_fkey FOREIGN KEY (tenant_id, pickup_id) REFERENCES pickups;
ALTER TABLE ledger_entries
    ADD CONSTRAINT ledger_entries_pickup_fkey FOREIGN KEY (tenant_id, pickup_id) REFERENCES pickups;
CREATE INDEX ledger_entries_pickup_idx ON ledger_entries (tenant_id, pickup_id) WHERE pickup_id IS NOT NULL;

-- The last line of the state machine: whatever a statement, or somebody in psql,
-- tries, a status changes only as the dictionary declares, and a driver only
-- with the status.
-- +goose StatementBegin
CREATE FUNCTION pickups_refuse_undeclared() RETURNS trigger
LANGUAGE plpgsql
SET search_path = public, pg_temp
AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status = 'DRAFT' AND NEW.previous_status IS NULL THEN
            RETURN NEW;
        END IF;
    ELSIF NEW.status <> OLD.status
        AND NEW.previous_status = OLD.status
        AND EXISTS (
            SELECT FROM pickup_transitions AS t
            WHERE OLD.status = ANY (t.before) AND NEW.status = t.after)
        -- From one status that has a driver to the next, the driver stays.
        AND (NEW.driver_id = OLD.driver_id OR OLD.driver_id IS NULL OR NEW.driver_id IS NULL)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'undeclared change of a pickup''s status or driver'
        USING ERRCODE = 'check_violation', TABLE = 'pickups', CONSTRAINT = 'pickups_transition_check';
END
$$;
-- +goose StatementEnd

CREATE TRIGGER pickups_refuse_undeclared_insert BEFORE INSERT ON pickups
    FOR EACH ROW EXECUTE FUNCTION pickups_refuse_undeclared();
CREATE TRIGGER pickups_refuse_undeclared_update BEFORE UPDATE ON pickups
    FOR EACH ROW WHEN (
        NEW.status IS DISTINCT FROM OLD.status
        OR NEW.previous_status IS DISTINCT FROM OLD.previous_status
        OR NEW.driver_id IS DISTINCT FROM OLD.driver_id)
    EXECUTE FUNCTION pickups_refuse_undeclared();
-- Also under session_replication_role = replica.
ALTER TABLE pickups ENABLE ALWAYS TRIGGER pickups_refuse_undeclared_insert;
ALTER TABLE pickups ENABLE ALWAYS TRIGGER pickups_refuse_undeclared_update;

GRANT SELECT ON pickup_transitions TO waybill_app;
GRANT SELECT, INSERT, UPDATE ON pickups TO waybill_app;

-- +goose Down
ALTER TABLE ledger_entries DROP CONSTRAINT ledger_entries_pickup_fkey;
DROP INDEX ledger_entries_pickup_idx;
ALTER TABLE driver_slots DROP CONSTRAINT driver_slots_pickup_fkey;
DROP TABLE pickups;
DROP FUNCTION pickups_refuse_undeclared;
DROP TABLE pickup_transitions;
DROP TYPE transition_name;
DROP TYPE pickup_status;
