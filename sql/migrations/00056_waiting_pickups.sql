-- How long a pickup has been waiting, and lists from the oldest on and from the one that waits longest.
-- +waybill compatible_from: 00039
-- +waybill statement_timeout: 6h

-- +goose NO TRANSACTION
-- +goose Up
-- Each by itself, so that no two tables are locked at once; again after a kill.
ALTER TABLE pickups ADD COLUMN IF NOT EXISTS submitted_at timestamptz;
COMMENT ON COLUMN pickups.submitted_at IS
    'When it was submitted, since when it waits; null in DRAFT, and if it ended before this was recorded';

-- As in 00007, but that it stamps when a pickup is submitted, whoever submits it: also a server of the release before.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pickups_refuse_undeclared() RETURNS trigger
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
        IF OLD.status = 'DRAFT' AND NEW.status = 'SUBMITTED' THEN
            NEW.submitted_at := now();
        END IF;
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'undeclared change of a pickup''s status or driver'
        USING ERRCODE = 'check_violation', TABLE = 'pickups', CONSTRAINT = 'pickups_transition_check';
END
$$;
-- +goose StatementEnd

-- An index that a kill left behind is not valid, and would stay so.
DROP INDEX CONCURRENTLY IF EXISTS pickups_waiting_idx;
CREATE INDEX CONCURRENTLY pickups_waiting_idx ON pickups (tenant_id, status, submitted_at, id)
    WHERE status IN ('SUBMITTED', 'ASSIGNED', 'COLLECTED', 'RECEIVED', 'PACKED', 'SHIPPED');
DROP INDEX CONCURRENTLY IF EXISTS pickups_facility_waiting_idx;
CREATE INDEX CONCURRENTLY pickups_facility_waiting_idx ON pickups (tenant_id, facility_id, status, submitted_at, id)
    WHERE status IN ('SUBMITTED', 'ASSIGNED', 'COLLECTED', 'RECEIVED', 'PACKED', 'SHIPPED');

-- Those that are submitted and not at an end, of which there are few: what ended waits no more, and is not listed by
-- how long it waits. In batches, each committed by itself, beside the requests.
-- +goose StatementBegin
DO $$
DECLARE
    stamped bigint;
BEGIN
    LOOP
        UPDATE pickups AS p
        SET submitted_at = coalesce(
            (
                SELECT e.created_at
                FROM pickup_events AS e
                WHERE e.tenant_id = p.tenant_id AND e.pickup_id = p.id AND e.transition = 'submit'
                LIMIT 1
            ), p.created_at)
        FROM (
            SELECT w.tenant_id, w.id
            FROM pickups AS w
            WHERE w.status IN ('SUBMITTED', 'ASSIGNED', 'COLLECTED', 'RECEIVED', 'PACKED', 'SHIPPED')
                AND w.submitted_at IS NULL
            LIMIT 1000
            FOR NO KEY UPDATE
        ) AS l
        WHERE p.tenant_id = l.tenant_id AND p.id = l.id;
        GET DIAGNOSTICS stamped = ROW_COUNT;
        COMMIT;
        EXIT WHEN stamped = 0;
    END LOOP;
END
$$;
-- +goose StatementEnd

-- The oldest pickups after a place in the list, oldest first: newest_pickups (00037, 00042) the other way round.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION oldest_pickups(
    of_tenant uuid, of_facility uuid, of_driver uuid, in_status pickup_status,
    until timestamptz, after_created_at timestamptz, after_id uuid, most integer)
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
                AND (p.created_at, p.id) > (after_created_at, after_id)
            ORDER BY p.created_at, p.id
            LIMIT 1000
        ) AS k
        ORDER BY k.created_at, k.id
        LIMIT most
    ) AS n
    WHERE n.created_at < until
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
                AND (p.status, p.created_at, p.id) > (in_status, after_created_at, after_id)
            ORDER BY p.status, p.created_at, p.id
            LIMIT 1000
        ) AS k
        ORDER BY k.status, k.created_at, k.id
        LIMIT most
    ) AS n
    WHERE n.created_at < until AND n.status = in_status
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
                AND (p.facility_id, p.created_at, p.id) > (of_facility, after_created_at, after_id)
            ORDER BY p.facility_id, p.created_at, p.id
            LIMIT 1000
        ) AS k
        ORDER BY k.facility_id, k.created_at, k.id
        LIMIT most
    ) AS n
    WHERE n.created_at < until AND n.facility_id = of_facility
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
                AND (p.facility_id, p.status, p.created_at, p.id) > (of_facility, in_status, after_created_at, after_id)
            ORDER BY p.facility_id, p.status, p.created_at, p.id
            LIMIT 1000
        ) AS k
        ORDER BY k.facility_id, k.status, k.created_at, k.id
        LIMIT most
    ) AS n
    WHERE n.created_at < until AND n.facility_id = of_facility AND n.status = in_status
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
                AND (p.driver_id, p.status, p.created_at, p.id) > (of_driver, in_status, after_created_at, after_id)
            ORDER BY p.driver_id, p.status, p.created_at, p.id
            LIMIT 1000
        ) AS k
        ORDER BY k.driver_id, k.status, k.created_at, k.id
        LIMIT most
    ) AS n
    WHERE n.created_at < until AND n.driver_id = of_driver AND n.status = in_status
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
                    > (of_facility, of_driver, in_status, after_created_at, after_id)
            ORDER BY p.facility_id, p.driver_id, p.status, p.created_at, p.id
            LIMIT 1000
        ) AS k
        ORDER BY k.facility_id, k.driver_id, k.status, k.created_at, k.id
        LIMIT most
    ) AS n
    WHERE n.created_at < until AND n.facility_id = of_facility AND n.driver_id = of_driver AND n.status = in_status;
END;
-- +goose StatementEnd

-- The pickups of a tenant or of a facility in a status that wait longest, after a place in the list: as above.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION waiting_pickups(
    of_tenant uuid, of_facility uuid, in_status pickup_status,
    after_submitted_at timestamptz, after_id uuid, most integer)
RETURNS TABLE (submitted_at timestamptz, id uuid, facility_id uuid)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT n.submitted_at, n.id, n.facility_id
    FROM (
        SELECT *
        FROM (
            SELECT p.submitted_at, p.id, CASE WHEN p.version > 0 THEN p.facility_id END AS facility_id, p.status
            FROM pickups AS p
            WHERE of_facility IS NULL
                AND p.status IN ('SUBMITTED', 'ASSIGNED', 'COLLECTED', 'RECEIVED', 'PACKED', 'SHIPPED')
                AND p.tenant_id = of_tenant
                AND (p.status, p.submitted_at, p.id) > (in_status, after_submitted_at, after_id)
            ORDER BY p.status, p.submitted_at, p.id
            LIMIT 1000
        ) AS k
        ORDER BY k.status, k.submitted_at, k.id
        LIMIT most
    ) AS n
    WHERE n.status = in_status
    UNION ALL
    SELECT n.submitted_at, n.id, n.facility_id
    FROM (
        SELECT *
        FROM (
            SELECT p.submitted_at, p.id, p.facility_id, p.status
            FROM pickups AS p
            WHERE of_facility IS NOT NULL
                AND p.status IN ('SUBMITTED', 'ASSIGNED', 'COLLECTED', 'RECEIVED', 'PACKED', 'SHIPPED')
                AND p.tenant_id = of_tenant
                AND (p.facility_id, p.status, p.submitted_at, p.id)
                    > (of_facility, in_status, after_submitted_at, after_id)
            ORDER BY p.facility_id, p.status, p.submitted_at, p.id
            LIMIT 1000
        ) AS k
        ORDER BY k.facility_id, k.status, k.submitted_at, k.id
        LIMIT most
    ) AS n
    WHERE n.facility_id = of_facility AND n.status = in_status;
END;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION IF EXISTS waiting_pickups;
DROP FUNCTION IF EXISTS oldest_pickups;
DROP INDEX CONCURRENTLY IF EXISTS pickups_facility_waiting_idx;
DROP INDEX CONCURRENTLY IF EXISTS pickups_waiting_idx;
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pickups_refuse_undeclared() RETURNS trigger
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
ALTER TABLE pickups DROP COLUMN IF EXISTS submitted_at;
