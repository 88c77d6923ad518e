-- In which statuses a pickup waits for something, in one place. The lists of those that wait named the statuses in
-- which one does not, so that in a new one at the end of the way, a pickup would have waited for ever.
-- +waybill compatible_from: 00057

-- +goose Up
-- Those that a transition leads to and another from, as the dictionary says. Indexes have this condition, so that it
-- cannot read the dictionary; a test compares the two, and the indexes. A status that is not listed does not wait. It
-- is an expression that PostgreSQL puts in the place of its calls: it sees that the indexes serve it.
CREATE FUNCTION pickup_waits(status pickup_status) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN status IN ('SUBMITTED', 'ASSIGNED', 'COLLECTED', 'RECEIVED', 'PACKED', 'SHIPPED');

-- As in 00056, but for the condition.
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
                AND pickup_waits(p.status)
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
                AND pickup_waits(p.status)
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

-- As in 00070, but for the last condition.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pickup_matches(
    p pickups, statuses pickup_status[], of_facility uuid, of_driver uuid, of_account uuid, of_patient uuid,
    of_requester uuid, window_from timestamptz, window_to timestamptz, created_from timestamptz,
    created_to timestamptz, is_waiting boolean)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (cardinality(statuses) = 0 OR p.status = ANY (statuses))
    AND (of_facility IS NULL OR p.facility_id = of_facility)
    AND (of_driver IS NULL OR coalesce(p.driver_id = of_driver, false))
    AND (of_account IS NULL OR p.account_id = of_account)
    AND (of_patient IS NULL OR coalesce(p.patient_id = of_patient, false))
    AND (of_requester IS NULL OR p.requested_by = of_requester)
    AND (num_nonnulls(window_from, window_to) = 0 OR num_nonnulls(p.window_start, p.window_end) > 0)
    AND (window_from IS NULL OR coalesce(p.window_end > window_from, true))
    AND (window_to IS NULL OR coalesce(p.window_start < window_to, true))
    AND coalesce(p.created_at >= created_from AND p.created_at < created_to, false)
    AND (NOT is_waiting OR p.submitted_at IS NOT NULL AND pickup_waits(p.status));
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION pickup_matches(
    p pickups, statuses pickup_status[], of_facility uuid, of_driver uuid, of_account uuid, of_patient uuid,
    of_requester uuid, window_from timestamptz, window_to timestamptz, created_from timestamptz,
    created_to timestamptz, is_waiting boolean)
RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (cardinality(statuses) = 0 OR p.status = ANY (statuses))
    AND (of_facility IS NULL OR p.facility_id = of_facility)
    AND (of_driver IS NULL OR coalesce(p.driver_id = of_driver, false))
    AND (of_account IS NULL OR p.account_id = of_account)
    AND (of_patient IS NULL OR coalesce(p.patient_id = of_patient, false))
    AND (of_requester IS NULL OR p.requested_by = of_requester)
    AND (num_nonnulls(window_from, window_to) = 0 OR num_nonnulls(p.window_start, p.window_end) > 0)
    AND (window_from IS NULL OR coalesce(p.window_end > window_from, true))
    AND (window_to IS NULL OR coalesce(p.window_start < window_to, true))
    AND coalesce(p.created_at >= created_from AND p.created_at < created_to, false)
    AND (NOT is_waiting OR p.submitted_at IS NOT NULL AND p.status NOT IN ('DRAFT', 'DELIVERED', 'CANCELED'));
-- +goose StatementEnd
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
DROP FUNCTION pickup_waits;
