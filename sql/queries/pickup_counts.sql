-- Returns how many pickups the viewer sees in each status, in all statuses, of one facility or of all. It adds
-- up what was folded and what of the tenant is not yet, in one snapshot. A driver's, who has few, are counted.
-- name: GetPickupCounts :many
WITH asked AS MATERIALIZED (
    SELECT
        @tenant_id::uuid AS tenant_id,
        @viewer_id::uuid AS viewer_id,
        @viewer_role::user_role AS viewer_role,
        @viewer_driver_id::uuid AS viewer_driver_id,
        sqlc.narg('facility_id')::uuid AS facility_id
), every AS MATERIALIZED (
    SELECT
        s.status,
        (a.viewer_role = 'staff' OR role_sees_pickup(a.viewer_role, s.status, a.viewer_driver_id, a.viewer_driver_id))
            AS is_seen
    FROM asked AS a
    CROSS JOIN unnest(enum_range(NULL::pickup_status)) AS s (status)
), mine AS MATERIALIZED (
    SELECT DISTINCT v.facility_id
    FROM asked AS a
    JOIN facility_viewers AS v ON v.tenant_id = a.tenant_id AND v.user_id = a.viewer_id
    WHERE a.viewer_role = 'staff' AND v.facility_id = coalesce(a.facility_id, v.facility_id)
), places AS MATERIALIZED (
    -- Of many facilities, their counts are picked from all: a look for each would cost more than to read them.
    SELECT m.facility_id FROM mine AS m WHERE (SELECT count(*) FROM mine) <= 200
    UNION ALL
    SELECT coalesce(a.facility_id, '00000000-0000-0000-0000-000000000000') -- all
    FROM asked AS a
    WHERE a.viewer_role NOT IN ('staff', 'driver')
), changes AS MATERIALIZED (
    -- Read once, however many facilities: a plan that was made while there were none reads all of them.
    SELECT n.facility_id, n.status, sum(n.change) AS change
    FROM asked AS a
    JOIN pickup_count_changes AS n ON n.tenant_id = a.tenant_id
    WHERE a.viewer_role <> 'driver'
    GROUP BY n.facility_id, n.status
), counted AS (
    SELECT c.status, c.pickups
    FROM asked AS a
    CROSS JOIN places AS p
    CROSS JOIN LATERAL (
        SELECT n.status, n.pickups
        FROM pickup_counts AS n
        WHERE n.tenant_id = a.tenant_id AND n.facility_id = p.facility_id
        OFFSET 0 -- or the planner might read all of them first, and in the next part look each of them up
    ) AS c
    UNION ALL
    SELECT c.status, c.pickups
    FROM asked AS a
    CROSS JOIN LATERAL (
        SELECT n.facility_id, n.status, n.pickups
        FROM pickup_counts AS n
        WHERE n.tenant_id = a.tenant_id
        OFFSET 0
    ) AS c
    WHERE (SELECT count(*) FROM mine) > 200 AND c.facility_id IN (SELECT m.facility_id FROM mine AS m)
    UNION ALL
    SELECT c.status, c.change
    FROM changes AS c
    WHERE c.facility_id IN (SELECT p.facility_id FROM places AS p)
        OR c.facility_id IN (SELECT m.facility_id FROM mine AS m)
        OR '00000000-0000-0000-0000-000000000000' IN (SELECT p.facility_id FROM places AS p)
    UNION ALL
    SELECT s.status, c.pickups
    FROM asked AS a
    CROSS JOIN every AS s
    CROSS JOIN LATERAL (
        SELECT count(*) AS pickups
        FROM pickups AS n
        WHERE n.tenant_id = a.tenant_id
            AND n.driver_id = a.viewer_driver_id
            AND n.status = s.status
            AND n.facility_id = coalesce(a.facility_id, n.facility_id)
    ) AS c
    WHERE a.viewer_role = 'driver' AND s.is_seen
)
SELECT s.status::pickup_status AS status, coalesce(sum(c.pickups), 0)::bigint AS pickups
FROM every AS s
LEFT JOIN counted AS c ON c.status = s.status AND s.is_seen
GROUP BY s.status
ORDER BY s.status;

-- Lists tenants with changes to fold, after one of them, by their ids.
-- name: ListUnfoldedTenants :many
SELECT t.id
FROM tenants AS t
WHERE t.id > @after_id::uuid
    AND EXISTS (SELECT FROM pickup_count_changes AS c WHERE c.tenant_id = t.id)
ORDER BY t.id
LIMIT @max_rows::int;

-- Folds changes of a tenant into its counts, and returns how many. It skips those that another worker folds, and
-- no request waits for it: nobody else locks the rows that it locks.
-- Closes: two workers fold one change
-- Closes: two workers deadlock on counts
-- name: FoldPickupCounts :execrows
WITH locked AS MATERIALIZED (
    SELECT c.tenant_id, c.facility_id, c.id
    FROM pickup_count_changes AS c
    WHERE c.tenant_id = @tenant_id
    LIMIT @max_rows::int
    FOR UPDATE OF c SKIP LOCKED
), folded AS (
    DELETE FROM pickup_count_changes AS c
    USING locked AS l
    WHERE c.tenant_id = l.tenant_id AND c.facility_id = l.facility_id AND c.id = l.id
    RETURNING c.tenant_id, c.facility_id, c.status, c.change
), counted AS (
    INSERT INTO pickup_counts AS n (tenant_id, facility_id, status, pickups)
    SELECT
        f.tenant_id, coalesce(f.facility_id, '00000000-0000-0000-0000-000000000000') AS facility_id, f.status,
        sum(f.change)
    FROM folded AS f
    GROUP BY GROUPING SETS ((f.tenant_id, f.facility_id, f.status), (f.tenant_id, f.status))
    ORDER BY 1, 2, 3
    ON CONFLICT (tenant_id, facility_id, status) DO UPDATE SET pickups = n.pickups + excluded.pickups
)
SELECT FROM folded;
