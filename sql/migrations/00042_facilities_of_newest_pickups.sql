-- Whose the newest pickups of a tenant are, from the rows that the index leads to.

-- +goose NO TRANSACTION
-- +goose Up
-- As in 00037, but that the facility can be asked for without asking for one: it is taken together with the
-- version, which no index has. So an index that has the facility too does not seem worth being read as a
-- whole and sorted, and nobody needs to look each of them up by its key. Who does not ask for the facility
-- reads the index alone, as before.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION newest_pickups(
    of_tenant uuid, of_facility uuid, of_driver uuid, in_status pickup_status,
    since timestamptz, before_created_at timestamptz, before_id uuid, most integer)
RETURNS TABLE (created_at timestamptz, id uuid, facility_id uuid)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT n.created_at, n.id, n.facility_id
    FROM (
        SELECT *
        FROM (
            SELECT p.created_at, p.id, CASE WHEN p.version > 0 THEN p.facility_id END AS facility_id
            FROM pickups AS p
            WHERE num_nonnulls(of_facility, of_driver, in_status) = 0
                AND p.tenant_id = of_tenant
                AND (p.created_at, p.id) < (before_created_at, before_id)
            ORDER BY p.created_at DESC, p.id DESC
            LIMIT 1000
        ) AS k
        ORDER BY k.created_at DESC, k.id DESC
        LIMIT most
    ) AS n
    WHERE n.created_at >= since
    UNION ALL
    SELECT n.created_at, n.id, n.facility_id
    FROM (
        SELECT *
        FROM (
            SELECT p.created_at, p.id, CASE WHEN p.version > 0 THEN p.facility_id END AS facility_id, p.status
            FROM pickups AS p
            WHERE num_nonnulls(of_facility, of_driver) = 0
                AND in_status IS NOT NULL
                AND p.tenant_id = of_tenant
                AND (p.status, p.created_at, p.id) < (in_status, before_created_at, before_id)
            ORDER BY p.status DESC, p.created_at DESC, p.id DESC
            LIMIT 1000
        ) AS k
        ORDER BY k.status DESC, k.created_at DESC, k.id DESC
        LIMIT most
    ) AS n
    WHERE n.created_at >= since AND n.status = in_status
    UNION ALL
    SELECT n.created_at, n.id, n.facility_id
    FROM (
        SELECT *
        FROM (
            SELECT p.created_at, p.id, p.facility_id
            FROM pickups AS p
            WHERE of_facility IS NOT NULL
                AND num_nonnulls(of_driver, in_status) = 0
                AND p.tenant_id = of_tenant
                AND (p.facility_id, p.created_at, p.id) < (of_facility, before_created_at, before_id)
            ORDER BY p.facility_id DESC, p.created_at DESC, p.id DESC
            LIMIT 1000
        ) AS k
        ORDER BY k.facility_id DESC, k.created_at DESC, k.id DESC
        LIMIT most
    ) AS n
    WHERE n.created_at >= since AND n.facility_id = of_facility
    UNION ALL
    SELECT n.created_at, n.id, n.facility_id
    FROM (
        SELECT *
        FROM (
            SELECT p.created_at, p.id, p.facility_id, p.status
            FROM pickups AS p
            WHERE num_nonnulls(of_facility, in_status) = 2
                AND of_driver IS NULL
                AND p.tenant_id = of_tenant
                AND (p.facility_id, p.status, p.created_at, p.id)
                    < (of_facility, in_status, before_created_at, before_id)
            ORDER BY p.facility_id DESC, p.status DESC, p.created_at DESC, p.id DESC
            LIMIT 1000
        ) AS k
        ORDER BY k.facility_id DESC, k.status DESC, k.created_at DESC, k.id DESC
        LIMIT most
    ) AS n
    WHERE n.created_at >= since AND n.facility_id = of_facility AND n.status = in_status
    UNION ALL
    SELECT n.created_at, n.id, n.facility_id
    FROM (
        SELECT *
        FROM (
            SELECT p.created_at, p.id, p.facility_id, p.driver_id, p.status
            FROM pickups AS p
            WHERE of_facility IS NULL
                AND num_nonnulls(of_driver, in_status) = 2
                AND p.tenant_id = of_tenant
                AND p.driver_id IS NOT NULL
                AND (p.driver_id, p.status, p.created_at, p.id) < (of_driver, in_status, before_created_at, before_id)
            ORDER BY p.driver_id DESC, p.status DESC, p.created_at DESC, p.id DESC
            LIMIT 1000
        ) AS k
        ORDER BY k.driver_id DESC, k.status DESC, k.created_at DESC, k.id DESC
        LIMIT most
    ) AS n
    WHERE n.created_at >= since AND n.driver_id = of_driver AND n.status = in_status
    UNION ALL
    SELECT n.created_at, n.id, n.facility_id
    FROM (
        SELECT *
        FROM (
            SELECT p.created_at, p.id, p.facility_id, p.driver_id, p.status
            FROM pickups AS p
            WHERE num_nonnulls(of_facility, of_driver, in_status) = 3
                AND p.tenant_id = of_tenant
                AND p.driver_id IS NOT NULL
                AND (p.facility_id, p.driver_id, p.status, p.created_at, p.id)
                    < (of_facility, of_driver, in_status, before_created_at, before_id)
            ORDER BY p.facility_id DESC, p.driver_id DESC, p.status DESC, p.created_at DESC, p.id DESC
            LIMIT 1000
        ) AS k
        ORDER BY k.facility_id DESC, k.driver_id DESC, k.status DESC, k.created_at DESC, k.id DESC
        LIMIT most
    ) AS n
    WHERE n.created_at >= since AND n.facility_id = of_facility AND n.driver_id = of_driver AND n.status = in_status;
END;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION newest_pickups(
    of_tenant uuid, of_facility uuid, of_driver uuid, in_status pickup_status,
    since timestamptz, before_created_at timestamptz, before_id uuid, most integer)
RETURNS TABLE (created_at timestamptz, id uuid, facility_id uuid)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT n.created_at, n.id, n.facility_id
    FROM (
        SELECT *
        FROM (
            SELECT p.created_at, p.id, p.facility_id
            FROM pickups AS p
            WHERE num_nonnulls(of_facility, of_driver, in_status) = 0
                AND p.tenant_id = of_tenant
                AND (p.created_at, p.id) < (before_created_at, before_id)
            ORDER BY p.created_at DESC, p.id DESC
            LIMIT 1000
        ) AS k
        ORDER BY k.created_at DESC, k.id DESC
        LIMIT most
    ) AS n
    WHERE n.created_at >= since
    UNION ALL
    SELECT n.created_at, n.id, n.facility_id
    FROM (
        SELECT *
        FROM (
            SELECT p.created_at, p.id, p.facility_id, p.status
            FROM pickups AS p
            WHERE num_nonnulls(of_facility, of_driver) = 0
                AND in_status IS NOT NULL
                AND p.tenant_id = of_tenant
                AND (p.status, p.created_at, p.id) < (in_status, before_created_at, before_id)
            ORDER BY p.status DESC, p.created_at DESC, p.id DESC
            LIMIT 1000
        ) AS k
        ORDER BY k.status DESC, k.created_at DESC, k.id DESC
        LIMIT most
    ) AS n
    WHERE n.created_at >= since AND n.status = in_status
    UNION ALL
    SELECT n.created_at, n.id, n.facility_id
    FROM (
        SELECT *
        FROM (
            SELECT p.created_at, p.id, p.facility_id
            FROM pickups AS p
            WHERE of_facility IS NOT NULL
                AND num_nonnulls(of_driver, in_status) = 0
                AND p.tenant_id = of_tenant
                AND (p.facility_id, p.created_at, p.id) < (of_facility, before_created_at, before_id)
            ORDER BY p.facility_id DESC, p.created_at DESC, p.id DESC
            LIMIT 1000
        ) AS k
        ORDER BY k.facility_id DESC, k.created_at DESC, k.id DESC
        LIMIT most
    ) AS n
    WHERE n.created_at >= since AND n.facility_id = of_facility
    UNION ALL
    SELECT n.created_at, n.id, n.facility_id
    FROM (
        SELECT *
        FROM (
            SELECT p.created_at, p.id, p.facility_id, p.status
            FROM pickups AS p
            WHERE num_nonnulls(of_facility, in_status) = 2
                AND of_driver IS NULL
                AND p.tenant_id = of_tenant
                AND (p.facility_id, p.status, p.created_at, p.id)
                    < (of_facility, in_status, before_created_at, before_id)
            ORDER BY p.facility_id DESC, p.status DESC, p.created_at DESC, p.id DESC
            LIMIT 1000
        ) AS k
        ORDER BY k.facility_id DESC, k.status DESC, k.created_at DESC, k.id DESC
        LIMIT most
    ) AS n
    WHERE n.created_at >= since AND n.facility_id = of_facility AND n.status = in_status
    UNION ALL
    SELECT n.created_at, n.id, n.facility_id
    FROM (
        SELECT *
        FROM (
            SELECT p.created_at, p.id, p.facility_id, p.driver_id, p.status
            FROM pickups AS p
            WHERE of_facility IS NULL
                AND num_nonnulls(of_driver, in_status) = 2
                AND p.tenant_id = of_tenant
                AND p.driver_id IS NOT NULL
                AND (p.driver_id, p.status, p.created_at, p.id) < (of_driver, in_status, before_created_at, before_id)
            ORDER BY p.driver_id DESC, p.status DESC, p.created_at DESC, p.id DESC
            LIMIT 1000
        ) AS k
        ORDER BY k.driver_id DESC, k.status DESC, k.created_at DESC, k.id DESC
        LIMIT most
    ) AS n
    WHERE n.created_at >= since AND n.driver_id = of_driver AND n.status = in_status
    UNION ALL
    SELECT n.created_at, n.id, n.facility_id
    FROM (
        SELECT *
        FROM (
            SELECT p.created_at, p.id, p.facility_id, p.driver_id, p.status
            FROM pickups AS p
            WHERE num_nonnulls(of_facility, of_driver, in_status) = 3
                AND p.tenant_id = of_tenant
                AND p.driver_id IS NOT NULL
                AND (p.facility_id, p.driver_id, p.status, p.created_at, p.id)
                    < (of_facility, of_driver, in_status, before_created_at, before_id)
            ORDER BY p.facility_id DESC, p.driver_id DESC, p.status DESC, p.created_at DESC, p.id DESC
            LIMIT 1000
        ) AS k
        ORDER BY k.facility_id DESC, k.driver_id DESC, k.status DESC, k.created_at DESC, k.id DESC
        LIMIT most
    ) AS n
    WHERE n.created_at >= since AND n.facility_id = of_facility AND n.driver_id = of_driver AND n.status = in_status;
END;
-- +goose StatementEnd
