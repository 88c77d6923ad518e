-- The newest pickups of a tenant, of a facility, of a driver, in a status: one index for each
-- combination.

-- +goose NO TRANSACTION
-- +goose Up
-- Gives the newest pickups before a place in the list, newest first: those of the facility,
-- of the driver and in the status that are not NULL. A driver takes a status, too. PostgreSQL
-- puts the body in the place of the call, and reads one of its parts.
--
-- Each part reads the one index that has its order, whatever the planner makes of the table,
-- be it that it has no statistics of it: rows are compared as a whole and sorted by all
-- columns, and so another index would leave them to be sorted.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION newest_pickups(
    of_tenant uuid, of_facility uuid, of_driver uuid, in_status pickup_status,
    since timestamptz, before_created_at timestamptz, before_id uuid, most integer)
RETURNS TABLE (created_at timestamptz, id uuid, facility_id uuid)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    (SELECT p.created_at, p.id, p.facility_id
    FROM pickups AS p
    WHERE num_nonnulls(of_facility, of_driver, in_status) = 0
        AND p.tenant_id = of_tenant
        AND p.created_at >= since
        AND (p.created_at, p.id) < (before_created_at, before_id)
    ORDER BY p.created_at DESC, p.id DESC
    LIMIT most)
    UNION ALL
    (SELECT p.created_at, p.id, p.facility_id
    FROM pickups AS p
    WHERE num_nonnulls(of_facility, of_driver) = 0
        AND in_status IS NOT NULL
        AND p.tenant_id = of_tenant
        AND (p.status, p.created_at) >= (in_status, since)
        AND (p.status, p.created_at, p.id) < (in_status, before_created_at, before_id)
    ORDER BY p.status DESC, p.created_at DESC, p.id DESC
    LIMIT most)
    UNION ALL
    (SELECT p.created_at, p.id, p.facility_id
    FROM pickups AS p
    WHERE of_facility IS NOT NULL
        AND num_nonnulls(of_driver, in_status) = 0
        AND p.tenant_id = of_tenant
        AND (p.facility_id, p.created_at) >= (of_facility, since)
        AND (p.facility_id, p.created_at, p.id) < (of_facility, before_created_at, before_id)
    ORDER BY p.facility_id DESC, p.created_at DESC, p.id DESC
    LIMIT most)
    UNION ALL
    (SELECT p.created_at, p.id, p.facility_id
    FROM pickups AS p
    WHERE num_nonnulls(of_facility, in_status) = 2
        AND of_driver IS NULL
        AND p.tenant_id = of_tenant
        AND (p.facility_id, p.status, p.created_at) >= (of_facility, in_status, since)
        AND (p.facility_id, p.status, p.created_at, p.id) < (of_facility, in_status, before_created_at, before_id)
    ORDER BY p.facility_id DESC, p.status DESC, p.created_at DESC, p.id DESC
    LIMIT most)
    UNION ALL
    (SELECT p.created_at, p.id, p.facility_id
    FROM pickups AS p
    WHERE of_facility IS NULL
        AND num_nonnulls(of_driver, in_status) = 2
        AND p.tenant_id = of_tenant
        AND p.driver_id IS NOT NULL
        AND (p.driver_id, p.status, p.created_at) >= (of_driver, in_status, since)
        AND (p.driver_id, p.status, p.created_at, p.id) < (of_driver, in_status, before_created_at, before_id)
    ORDER BY p.driver_id DESC, p.status DESC, p.created_at DESC, p.id DESC
    LIMIT most)
    UNION ALL
    (SELECT p.created_at, p.id, p.facility_id
    FROM pickups AS p
    WHERE num_nonnulls(of_facility, of_driver, in_status) = 3
        AND p.tenant_id = of_tenant
        AND p.driver_id IS NOT NULL
        AND (p.facility_id, p.driver_id, p.status, p.created_at) >= (of_facility, of_driver, in_status, since)
        AND (p.facility_id, p.driver_id, p.status, p.created_at, p.id)
            < (of_facility, of_driver, in_status, before_created_at, before_id)
    ORDER BY p.facility_id DESC, p.driver_id DESC, p.status DESC, p.created_at DESC, p.id DESC
    LIMIT most);
END;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION IF EXISTS newest_pickups;
