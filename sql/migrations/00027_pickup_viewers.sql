-- Who sees a pickup by their role, in one place, and what a driver's login is told.

-- +goose NO TRANSACTION
-- +goose Up
-- Each by itself, so that no two tables are locked at once; again after a kill.
--
-- Whether the role alone shows a pickup. Staff see those of their facilities, which
-- facility_viewers tells. The statuses are listed: in one that a later migration adds, a
-- role sees nothing until it is listed here. Both functions are expressions that
-- PostgreSQL puts in the place of their calls, so that they are tested like any condition
-- on the row, again after a wait for its lock too.
CREATE OR REPLACE FUNCTION role_sees_pickup(viewer_role user_role, status pickup_status, driver_id uuid, viewer_driver_id uuid)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE viewer_role
    WHEN 'admin' THEN true
    WHEN 'dispatcher' THEN true
    WHEN 'hub' THEN status IN ('COLLECTED', 'RECEIVED', 'PACKED', 'SHIPPED', 'DELIVERED')
    WHEN 'driver' THEN driver_id = viewer_driver_id
        AND status IN ('ASSIGNED', 'COLLECTED', 'RECEIVED', 'PACKED', 'SHIPPED')
    ELSE false
END;

-- Whether the role alone is told of an event, by the status after it. A driver is told of
-- what is given to them and of what is taken away or done.
CREATE OR REPLACE FUNCTION role_sees_event(viewer_role user_role, after pickup_status, driver_id uuid, viewer_driver_id uuid)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE viewer_role
    WHEN 'admin' THEN true
    WHEN 'dispatcher' THEN true
    WHEN 'hub' THEN after IN ('COLLECTED', 'RECEIVED', 'PACKED', 'SHIPPED', 'DELIVERED')
    WHEN 'driver' THEN driver_id = viewer_driver_id
        AND after IN ('SUBMITTED', 'ASSIGNED', 'COLLECTED', 'RECEIVED', 'PACKED', 'SHIPPED', 'DELIVERED', 'CANCELED')
    ELSE false
END;

ALTER POLICY patients_drivers ON patients
    USING (
        tenant_id = (SELECT viewer_tenant_id())
        AND EXISTS (
            SELECT FROM pickups AS p
            JOIN drivers AS d ON d.tenant_id = p.tenant_id AND d.id = p.driver_id
            WHERE p.tenant_id = (SELECT viewer_tenant_id())
                AND p.patient_id = patients.id
                AND role_sees_pickup('driver', p.status, p.driver_id, d.id)
                AND d.user_id = (SELECT viewer_id())));

-- Since when the driver has this login, or none: what happened before is not told to it.
-- Of the drivers that are there, nobody knows: since now.
ALTER TABLE drivers ADD COLUMN IF NOT EXISTS user_since timestamptz NOT NULL DEFAULT now();

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION drivers_stamp_user() RETURNS trigger
LANGUAGE plpgsql
SET search_path = public, pg_temp
AS $$
BEGIN
    NEW.user_since := clock_timestamp(); -- the row is locked: after all that the login before it did
    RETURN NEW;
END
$$;
-- +goose StatementEnd

CREATE OR REPLACE TRIGGER drivers_stamp_user BEFORE UPDATE OF user_id ON drivers
    FOR EACH ROW WHEN (NEW.user_id IS DISTINCT FROM OLD.user_id) EXECUTE FUNCTION drivers_stamp_user();
ALTER TABLE drivers ENABLE ALWAYS TRIGGER drivers_stamp_user;

-- +goose Down
DROP TRIGGER IF EXISTS drivers_stamp_user ON drivers;
DROP FUNCTION IF EXISTS drivers_stamp_user;
ALTER TABLE drivers DROP COLUMN IF EXISTS user_since;
ALTER POLICY patients_drivers ON patients
    USING (
        tenant_id = (SELECT viewer_tenant_id())
        AND EXISTS (
            SELECT FROM pickups AS p
            JOIN drivers AS d ON d.tenant_id = p.tenant_id AND d.id = p.driver_id
            WHERE p.tenant_id = (SELECT viewer_tenant_id())
                AND p.patient_id = patients.id
                AND p.status <> 'DELIVERED'
                AND d.user_id = (SELECT viewer_id())));
DROP FUNCTION IF EXISTS role_sees_event;
DROP FUNCTION IF EXISTS role_sees_pickup;
