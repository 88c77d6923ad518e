-- Indexes by which lists cost what they show, whatever they are filtered by: each has the
-- order of the list after the columns of the filter. One by driver and status serves what
-- the two by driver served, so that a transition writes one index more, and a pickup without
-- a driver as many as before.

-- +goose NO TRANSACTION
-- +goose Up
-- An index that a kill left behind is not valid, and would stay so.
DROP INDEX CONCURRENTLY IF EXISTS pickups_facility_status_idx;
CREATE INDEX CONCURRENTLY pickups_facility_status_idx ON pickups (tenant_id, facility_id, status, created_at, id);
DROP INDEX CONCURRENTLY IF EXISTS pickups_driver_status_idx;
CREATE INDEX CONCURRENTLY pickups_driver_status_idx ON pickups (tenant_id, driver_id, status, created_at, id)
    INCLUDE (facility_id)
    WHERE driver_id IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS pickups_facility_driver_idx;
CREATE INDEX CONCURRENTLY pickups_facility_driver_idx
    ON pickups (tenant_id, facility_id, driver_id, status, created_at, id)
    WHERE driver_id IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS pickups_driver_idx;
DROP INDEX CONCURRENTLY IF EXISTS pickups_driver_current_idx;

-- +goose Down
DROP INDEX CONCURRENTLY IF EXISTS pickups_driver_current_idx;
CREATE INDEX CONCURRENTLY pickups_driver_current_idx ON pickups (tenant_id, driver_id, created_at, id)
    WHERE status IN ('ASSIGNED', 'COLLECTED', 'RECEIVED', 'PACKED', 'SHIPPED');
DROP INDEX CONCURRENTLY IF EXISTS pickups_driver_idx;
CREATE INDEX CONCURRENTLY pickups_driver_idx ON pickups (tenant_id, driver_id, created_at, id)
    WHERE driver_id IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS pickups_facility_driver_idx;
DROP INDEX CONCURRENTLY IF EXISTS pickups_driver_status_idx;
DROP INDEX CONCURRENTLY IF EXISTS pickups_facility_status_idx;
