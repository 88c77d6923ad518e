-- Closes: a retried request makes a second facility
-- name: CreateFacility :one
INSERT INTO facilities (tenant_id, id, name, address, latitude, longitude, time_zone, request_digest)
VALUES (@tenant_id, @id, @name, @address, @latitude, @longitude, sqlc.narg('time_zone'), @request_digest)
ON CONFLICT (tenant_id, id) DO NOTHING
RETURNING *;

-- name: GetFacility :one
SELECT * FROM facilities AS f
WHERE f.tenant_id = @tenant_id
    AND f.id = @id
    AND CASE @viewer_role::user_role
        WHEN 'admin' THEN true
        WHEN 'dispatcher' THEN true
        WHEN 'driver' THEN EXISTS (
            SELECT FROM pickups AS p
            WHERE p.tenant_id = f.tenant_id
                AND p.facility_id = f.id
                AND role_sees_pickup('driver', p.status, p.driver_id, @viewer_driver_id::uuid))
        ELSE EXISTS (
            SELECT FROM facility_viewers AS v
            WHERE v.tenant_id = f.tenant_id AND v.facility_id = f.id AND v.user_id = @viewer_id)
    END;

-- The newest facilities that the viewer sees: those of theirs, or, where they are many, the
-- newest of the tenant without those that are not theirs, unless these leave too few of some
-- hundreds. See ListPickups.
-- name: ListFacilities :many
WITH asked AS MATERIALIZED (
    SELECT
        @tenant_id::uuid AS tenant_id,
        @viewer_id::uuid AS viewer_id,
        @viewer_role::user_role AS viewer_role,
        @viewer_driver_id::uuid AS viewer_driver_id,
        @before_created_at::timestamptz AS created_at,
        @before_id::uuid AS id,
        @max_rows::int AS most
), mine AS MATERIALIZED (
    SELECT v.facility_id
    FROM asked AS a
    JOIN facility_viewers AS v ON v.tenant_id = a.tenant_id AND v.user_id = a.viewer_id
    WHERE a.viewer_role NOT IN ('admin', 'dispatcher', 'driver')
    UNION
    SELECT p.facility_id
    FROM asked AS a
    JOIN pickups AS p ON p.tenant_id = a.tenant_id
    WHERE a.viewer_role = 'driver' AND role_sees_pickup('driver', p.status, p.driver_id, a.viewer_driver_id)
), newest AS MATERIALIZED (
    SELECT
        n.created_at, n.id,
        (n.sees_all OR n.id IN (SELECT m.facility_id FROM mine AS m))::boolean AS is_theirs
    FROM (
        SELECT f.created_at, f.id, a.viewer_role IN ('admin', 'dispatcher') AS sees_all
        FROM asked AS a
        CROSS JOIN LATERAL (
            SELECT k.created_at, k.id
            FROM facilities AS k
            WHERE k.tenant_id = a.tenant_id AND (k.created_at, k.id) < (a.created_at, a.id)
            ORDER BY k.created_at DESC, k.id DESC
            LIMIT CASE
                WHEN a.viewer_role IN ('admin', 'dispatcher') THEN a.most
                WHEN (SELECT count(*) FROM mine) > 50 THEN 4 * a.most
                ELSE 0
            END
        ) AS f
    ) AS n
), tried AS MATERIALIZED (
    SELECT
        a.viewer_role IN ('admin', 'dispatcher')
            OR (SELECT count(*) FROM mine) > 50
                AND (count(n.id) < 4 * a.most OR count(n.id) FILTER (WHERE n.is_theirs) >= a.most) AS is_enough
    FROM asked AS a
    LEFT JOIN newest AS n ON true
    GROUP BY a.viewer_role, a.most
), found AS MATERIALIZED (
    (SELECT n.id
    FROM newest AS n
    WHERE n.is_theirs AND (SELECT t.is_enough FROM tried AS t)
    ORDER BY n.created_at DESC, n.id DESC
    LIMIT (SELECT a.most FROM asked AS a))
    UNION ALL
    SELECT m.facility_id
    FROM mine AS m
    WHERE NOT (SELECT t.is_enough FROM tried AS t)
)
SELECT f.*
FROM asked AS a
CROSS JOIN found AS n
CROSS JOIN LATERAL (
    SELECT * FROM facilities AS k WHERE k.tenant_id = a.tenant_id AND k.id = n.id LIMIT 1
) AS f
WHERE (f.created_at, f.id) < (a.created_at, a.id)
ORDER BY f.created_at DESC, f.id DESC
LIMIT @max_rows::int;

-- Returns whether the viewer sees the facility through one of their groups, which access to patient
-- data requires whatever the role.
-- name: SeesFacility :one
SELECT EXISTS (
    SELECT FROM facility_viewers AS v
    WHERE v.tenant_id = @tenant_id AND v.facility_id = @facility_id AND v.user_id = @viewer_id);

-- Raises an error if the viewer does not see the facility any more, because they were removed from the
-- group during the transaction.
-- name: ConfirmFacility :exec
SELECT refuse_authority('WB003')
WHERE NOT EXISTS (
    SELECT FROM facility_viewers AS v
    WHERE v.tenant_id = @tenant_id AND v.facility_id = @facility_id AND v.user_id = @viewer_id);

-- Closes: an edit overwrites an unseen edit
-- name: EditFacility :one
UPDATE facilities
SET name = coalesce(sqlc.narg('name'), name),
    address = coalesce(sqlc.narg('address'), address),
    latitude = coalesce(sqlc.narg('latitude'), latitude),
    longitude = coalesce(sqlc.narg('longitude'), longitude),
    time_zone = CASE WHEN @set_time_zone::boolean THEN sqlc.narg('time_zone')::text ELSE time_zone END,
    max_cancel_share = coalesce(sqlc.narg('max_cancel_share'), max_cancel_share),
    version = version + 1
WHERE tenant_id = @tenant_id AND id = @id AND version = @version
RETURNING *;
