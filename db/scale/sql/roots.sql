-- Tenants, and what there are thousands of.
INSERT INTO tenants (id, slug, name)
SELECT pg_temp.key_of(1, t, 0), 'scale-' || t, 'Scale ' || t FROM generate_series(0::bigint, 51) AS t;

INSERT INTO flags (tenant_id, name, enabled)
SELECT t.id, f.name, f.name = 'pickup_texts' FROM tenants AS t,
    (VALUES ('pickup_texts'), ('auto_dispatch')) AS f (name);

INSERT INTO facilities (tenant_id, id, name, address, latitude, longitude, request_digest, created_at)
SELECT
    pg_temp.key_of(1, t, 0), pg_temp.key_of(2, t, f), 'Clinic ' || f, f || ' Main St',
    37 + pg_temp.chance(f), -122 - pg_temp.chance(f + 1), 'scale', pg_temp.time_of(s.begin_ms + f)
FROM scale AS s, generate_series(0::bigint, 51) AS t,
    LATERAL generate_series(0::bigint, pg_temp.facilities_of(t, s.facilities) - 1) AS f;

-- Two of five are open to all facilities, the others to one each; account 1 is listed for every facility.
INSERT INTO accounts (tenant_id, id, name, currency, all_facilities, request_digest, created_at)
SELECT
    pg_temp.key_of(1, t, 0), pg_temp.key_of(3, t, a), 'Account ' || a, 'USD', a % 5 IN (0, 2), 'scale',
    pg_temp.time_of(s.begin_ms + a)
FROM scale AS s, generate_series(0::bigint, 51) AS t,
    LATERAL generate_series(0::bigint, pg_temp.facilities_of(t, s.facilities) - 1) AS a;

INSERT INTO account_facilities (tenant_id, account_id, facility_id, account_created_at)
SELECT c.tenant_id, c.id, f.id, c.created_at
FROM generate_series(0::bigint, 51) AS t
JOIN accounts AS c ON c.tenant_id = pg_temp.key_of(1, t, 0)
JOIN facilities AS f ON f.tenant_id = c.tenant_id
    AND (f.id = pg_temp.key_of(2, t, pg_temp.number_of(c.id)) OR c.id = pg_temp.key_of(3, t, 1));

-- 0 admin, 1 dispatcher, 2 hub, 3 driver, and staff: 4 of the small clinic, 5 of the new one,
-- 6 of all, 7 of forty, the others of one or some. One of ten is deactivated.
INSERT INTO users (tenant_id, id, email, name, role, active, password_hash, request_digest, created_at)
SELECT
    pg_temp.key_of(1, t, 0), pg_temp.key_of(4, t, u), 'user' || u || '@scale.example', 'User ' || u,
    CASE u WHEN 0 THEN 'admin' WHEN 1 THEN 'dispatcher' WHEN 2 THEN 'hub' WHEN 3 THEN 'driver'
        ELSE 'staff' END::user_role,
    u < 8 OR u % 10 <> 9,
    'none', 'scale', pg_temp.time_of(s.begin_ms + u)
FROM scale AS s, generate_series(0::bigint, 51) AS t,
    LATERAL generate_series(0::bigint, CASE t WHEN 0 THEN s.users ELSE 10 END - 1) AS u;

INSERT INTO phone_numbers (tenant_id, id, user_id, number, request_digest)
SELECT tenant_id, id, id, '+1' || 2000000000 + pg_temp.number_of(id), 'scale' FROM users;

INSERT INTO sessions (tenant_id, token_hash, user_id, password_epoch, created_at, last_seen_at, expires_at)
SELECT
    u.tenant_id, sha256(uuid_send(u.id)), u.id, u.password_epoch,
    now() - interval '40 days', now() - interval '30 days', now() - interval '10 days'
FROM users AS u;

-- Group 0 has all facilities, 1 the small clinic, 2 the new one, 3 forty; then one for each.
INSERT INTO groups (tenant_id, id, name, request_digest, created_at)
SELECT
    pg_temp.key_of(1, t, 0), pg_temp.key_of(5, t, g), 'Group ' || g, 'scale', pg_temp.time_of(s.begin_ms + g)
FROM scale AS s, generate_series(0::bigint, 51) AS t,
    LATERAL generate_series(0::bigint, pg_temp.facilities_of(t, s.facilities) + 3) AS g;

INSERT INTO group_facilities (tenant_id, group_id, facility_id)
SELECT f.tenant_id, pg_temp.key_of(5, t, g.n), f.id
FROM generate_series(0::bigint, 51) AS t
JOIN facilities AS f ON f.tenant_id = pg_temp.key_of(1, t, 0)
CROSS JOIN LATERAL (
    SELECT unnest(ARRAY[0, 4 + pg_temp.number_of(f.id)]) AS n
    UNION ALL SELECT 1 WHERE pg_temp.number_of(f.id) = 0
    UNION ALL SELECT 2 WHERE pg_temp.number_of(f.id) = 1
    UNION ALL SELECT 3 WHERE pg_temp.number_of(f.id) BETWEEN 2 AND 41
) AS g;

INSERT INTO group_members (tenant_id, group_id, user_id)
SELECT pg_temp.key_of(1, t, 0), pg_temp.key_of(5, t, m.g), pg_temp.key_of(4, t, m.u)
FROM scale AS s, generate_series(0::bigint, 51) AS t, LATERAL (
    VALUES (0, 1), (0, 2), (0, 6), (1, 4), (2, 5), (3, 7)
    UNION ALL
    SELECT 4 + f, 8 + f % (CASE t WHEN 0 THEN s.users ELSE 10 END - 8)
    FROM generate_series(0::bigint, pg_temp.facilities_of(t, s.facilities) - 1) AS f
) AS m (g, u);

INSERT INTO drivers (tenant_id, id, user_id, name, on_duty, latitude, longitude, located_at, request_digest, created_at)
SELECT
    pg_temp.key_of(1, t, 0), pg_temp.key_of(6, t, d), CASE d WHEN 0 THEN pg_temp.key_of(4, t, 3) END, 'Driver ' || d,
    d % 2 = 0, 37 + pg_temp.chance(d), -122 - pg_temp.chance(d + 1), now(), 'scale', pg_temp.time_of(s.begin_ms + d)
FROM scale AS s, generate_series(0::bigint, 51) AS t,
    LATERAL generate_series(0::bigint, CASE t WHEN 0 THEN s.drivers WHEN 1 THEN 100 ELSE 20 END - 1) AS d;

-- A hundred lists of the small clinic, the most that are kept of one, and two of each other facility.
INSERT INTO feed_reports (tenant_id, id, facility_id, actor_id, as_of, outcome, records, created, updated, unchanged,
    canceled, consent_withdrawn, error_records, error_fields, error_codes, created_at)
SELECT
    f.tenant_id, gen_random_uuid(), f.id, pg_temp.key_of(4, t, 4), pg_temp.time_of(s.begin_ms + r), 'APPLIED', 1, 1, 0,
    0, 0, 0, '{}', '{}', '{}', pg_temp.time_of(s.begin_ms + r)
FROM scale AS s
CROSS JOIN generate_series(0::bigint, 51) AS t
JOIN facilities AS f ON f.tenant_id = pg_temp.key_of(1, t, 0)
CROSS JOIN LATERAL generate_series(1, CASE WHEN pg_temp.number_of(f.id) = 0 THEN 100 ELSE 2 END) AS r;
