-- Facilities, $3 of them, that a user sees by $4 groups in turn.
WITH numbered AS (
    SELECT n, new_id() AS id FROM generate_series(0, $4::int - 1) AS n
), made AS (
    INSERT INTO groups (tenant_id, id, name, request_digest)
    SELECT $1::uuid, id, 'Group', '' FROM numbered
), joined AS (
    INSERT INTO group_members (tenant_id, group_id, user_id)
    SELECT $1::uuid, id, $2::uuid FROM numbered
), opened AS (
    INSERT INTO facilities (tenant_id, id, name, address, latitude, longitude, request_digest)
    SELECT $1::uuid, new_id(), 'Clinic', '1 Main St', 0, 0, '' FROM generate_series(1, $3::int)
    RETURNING id
)
INSERT INTO group_facilities (tenant_id, group_id, facility_id)
SELECT $1::uuid, g.id, f.id
FROM (SELECT id, row_number() OVER () AS n FROM opened) AS f
JOIN numbered AS g ON g.n = f.n % $4::int
