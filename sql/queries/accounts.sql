-- Closes: a retried request makes a second account
-- name: CreateAccount :one
INSERT INTO accounts (tenant_id, id, name, currency, all_facilities, request_digest)
VALUES (@tenant_id, @id, @name, @currency, coalesce(sqlc.narg('all_facilities')::boolean, true), @request_digest)
ON CONFLICT (tenant_id, id) DO NOTHING
RETURNING *;

-- Returns an account that the viewer sees. IS TRUE makes the facilities of staff a hash, which is built once:
-- otherwise each of the account's, which may be thousands, is looked up among theirs.
-- name: GetAccount :one
WITH mine AS MATERIALIZED (
    SELECT v.facility_id
    FROM facility_viewers AS v
    WHERE v.tenant_id = @tenant_id AND v.user_id = @viewer_id
)
SELECT * FROM accounts AS c
WHERE c.tenant_id = @tenant_id
    AND c.id = @id
    AND CASE @viewer_role::user_role
        WHEN 'admin' THEN true
        WHEN 'dispatcher' THEN true
        WHEN 'staff' THEN c.all_facilities OR EXISTS (
            SELECT FROM account_facilities AS l
            WHERE l.tenant_id = c.tenant_id AND l.account_id = c.id
                AND (l.facility_id IN (SELECT m.facility_id FROM mine AS m)) IS TRUE)
        ELSE false
    END;

-- The newest accounts that the viewer sees. For staff, it merges those of all facilities with the newest of each
-- of their facilities; where these are many, it first reads the newest of the tenant, unless too few of them are
-- theirs. See ListPickups.
-- name: ListAccounts :many
WITH asked AS MATERIALIZED (
    SELECT
        @tenant_id::uuid AS tenant_id,
        @viewer_id::uuid AS viewer_id,
        @viewer_role::user_role AS viewer_role,
        @before_created_at::timestamptz AS created_at,
        @before_id::uuid AS id,
        @max_rows::int AS most
), mine AS MATERIALIZED (
    SELECT DISTINCT v.facility_id
    FROM asked AS a
    JOIN facility_viewers AS v ON v.tenant_id = a.tenant_id AND v.user_id = a.viewer_id
    WHERE a.viewer_role = 'staff'
), newest AS MATERIALIZED (
    SELECT
        n.created_at, n.id,
        (n.sees_all OR n.all_facilities OR EXISTS (
            SELECT FROM account_facilities AS l
            WHERE l.tenant_id = n.tenant_id AND l.account_id = n.id
                AND (l.facility_id IN (SELECT m.facility_id FROM mine AS m)) IS TRUE))::boolean AS is_theirs
    FROM (
        SELECT
            a.tenant_id, c.created_at, c.id, c.all_facilities, a.viewer_role IN ('admin', 'dispatcher') AS sees_all
        FROM asked AS a
        CROSS JOIN LATERAL (
            SELECT k.created_at, k.id, k.all_facilities
            FROM accounts AS k
            WHERE k.tenant_id = a.tenant_id AND (k.created_at, k.id) < (a.created_at, a.id)
            ORDER BY k.created_at DESC, k.id DESC
            LIMIT CASE
                WHEN a.viewer_role IN ('admin', 'dispatcher') THEN a.most
                WHEN (SELECT count(*) FROM mine) > 50 THEN 2 * a.most
                ELSE 0
            END
        ) AS c
    ) AS n
), tried AS MATERIALIZED (
    SELECT
        a.viewer_role IN ('admin', 'dispatcher')
            OR (SELECT count(*) FROM mine) > 50
                AND (count(n.id) < 2 * a.most OR count(n.id) FILTER (WHERE n.is_theirs) >= a.most) AS is_enough
    FROM asked AS a
    LEFT JOIN newest AS n ON true
    GROUP BY a.viewer_role, a.most
), merged AS MATERIALIZED (
    SELECT a.tenant_id, a.created_at, a.id, a.most
    FROM asked AS a
    WHERE a.viewer_role = 'staff' AND NOT (SELECT t.is_enough FROM tried AS t)
), found AS MATERIALIZED (
    SELECT n.created_at, n.id FROM newest AS n WHERE n.is_theirs AND (SELECT t.is_enough FROM tried AS t)
    UNION
    SELECT c.created_at, c.id
    FROM merged AS a
    CROSS JOIN LATERAL (
        SELECT k.created_at, k.id
        FROM accounts AS k
        WHERE k.tenant_id = a.tenant_id AND k.all_facilities AND (k.created_at, k.id) < (a.created_at, a.id)
        ORDER BY k.created_at DESC, k.id DESC
        LIMIT a.most
    ) AS c
    UNION
    SELECT c.account_created_at, c.account_id
    FROM merged AS a
    CROSS JOIN mine AS m
    CROSS JOIN LATERAL (
        SELECT k.account_created_at, k.account_id
        FROM account_facilities AS k
        WHERE k.tenant_id = a.tenant_id
            AND k.facility_id = m.facility_id
            AND (k.account_created_at, k.account_id) < (a.created_at, a.id)
        ORDER BY k.account_created_at DESC, k.account_id DESC
        LIMIT a.most
    ) AS c
)
SELECT c.*
FROM asked AS a
CROSS JOIN (
    SELECT f.id
    FROM found AS f
    ORDER BY f.created_at DESC, f.id DESC
    LIMIT @max_rows
) AS n
CROSS JOIN LATERAL (
    SELECT * FROM accounts AS k WHERE k.tenant_id = a.tenant_id AND k.id = n.id LIMIT 1
) AS c
ORDER BY c.created_at DESC, c.id DESC;

-- name: ListAccountFacilities :many
SELECT * FROM account_facilities
WHERE tenant_id = @tenant_id AND account_id = @account_id AND facility_id > @after_facility_id::uuid
ORDER BY facility_id
LIMIT @max_rows::int;

-- Closes: an edit overwrites an unseen edit
-- name: EditAccount :one
UPDATE accounts
SET name = coalesce(sqlc.narg('name'), name),
    all_facilities = coalesce(sqlc.narg('all_facilities'), all_facilities),
    version = version + 1
WHERE tenant_id = @tenant_id AND id = @id AND version = @version
RETURNING *;

-- Lists a facility whose staff may charge the account; an unknown account is left to the foreign key.
-- Closes: a facility listed for an account twice
-- Closes: an account lists an unknown facility
-- name: AddAccountFacility :execrows
INSERT INTO account_facilities (tenant_id, account_id, facility_id, account_created_at)
VALUES (
    @tenant_id, @account_id, @facility_id,
    coalesce((SELECT c.created_at FROM accounts AS c WHERE c.tenant_id = @tenant_id AND c.id = @account_id), now()))
ON CONFLICT (tenant_id, account_id, facility_id) DO NOTHING;

-- Closes: a facility taken from an account twice
-- name: RemoveAccountFacility :execrows
DELETE FROM account_facilities
WHERE tenant_id = @tenant_id AND account_id = @account_id AND facility_id = @facility_id;
