-- Half as many appointments as patients, up to two months ahead; the small clinic has 600 more,
-- in the month to come.
INSERT INTO appointments (
    tenant_id, id, facility_id, patient_id, external_id, starts_at, ends_at, status, created_at, updated_at)
SELECT
    pg_temp.key_of(1, t, 0), pg_temp.id_of(p.ms, 11, t, n),
    pg_temp.key_of(2, t, pg_temp.facility_of(n, s.facilities, s.step)),
    pg_temp.id_of(p.ms, 7, t, n), 'a' || n, p.starts_at, p.starts_at + interval '20 minutes',
    CASE WHEN n % 9 = 0 THEN 'CANCELED' WHEN p.starts_at > now() THEN 'BOOKED' WHEN n % 11 = 0 THEN 'NO_SHOW'
        ELSE 'FULFILLED' END
        ::appointment_status,
    pg_temp.time_of(p.ms), pg_temp.time_of(p.ms)
FROM scale AS s
CROSS JOIN generate_series(0::bigint, s.pickups / 2 - 1) AS a
CROSS JOIN LATERAL (SELECT 2 * a + a % 2 AS n) AS k
CROSS JOIN LATERAL (SELECT pg_temp.tenant_of(n) AS t) AS o
CROSS JOIN LATERAL (
    SELECT s.begin_ms + n * s.every_ms AS ms, date_trunc('minute', pg_temp.time_of(s.begin_ms + n * s.every_ms))
        + interval '60 days' AS starts_at
) AS p
UNION ALL
SELECT
    pg_temp.key_of(1, 0, 0), pg_temp.id_of(s.begin_ms, 11, 0, s.pickups + a), pg_temp.key_of(2, 0, 0),
    pg_temp.id_of(s.begin_ms + p.n * s.every_ms, 7, 0, p.n), 'next' || a, p.starts_at,
    p.starts_at + interval '20 minutes', 'BOOKED',
    pg_temp.time_of(s.begin_ms), pg_temp.time_of(s.begin_ms)
FROM scale AS s
CROSS JOIN generate_series(0::bigint, 599) AS a
CROSS JOIN LATERAL (
    SELECT a % ((s.pickups - 1) / s.step + 1) * s.step AS n,
        date_trunc('day', now()) + interval '1 day' + a * interval '1 hour' AS starts_at
) AS p;
