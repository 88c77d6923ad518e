-- Pickups: a fifth of those that ended were canceled, the others delivered; three of five are
-- for a patient. What is open is new, but for the small clinic's last ones.
INSERT INTO pickups (
    tenant_id, id, status, previous_status, facility_id, account_id, requested_by, driver_id, price_cents,
    charged_cents,
    refunded_cents, pickup_address, dropoff_address, window_start, window_end, note, version, request_digest,
    created_at,
    updated_at, patient_id, submitted_at)
SELECT
    pg_temp.key_of(1, p.t, 0), pg_temp.id_of(p.ms, 8, p.t, p.n), p.status, q.previous_status,
    pg_temp.key_of(2, p.t, p.facility), pg_temp.key_of(3, p.t, p.facility),
    pg_temp.key_of(4, p.t, CASE WHEN p.facility = 0 THEN 4 ELSE 8
        + p.n % (CASE p.t WHEN 0 THEN p.users ELSE 10 END - 8) END),
    CASE WHEN p.status BETWEEN 'ASSIGNED' AND 'DELIVERED' THEN pg_temp.key_of(6, p.t, p.driver) END,
    1200, CASE WHEN p.status IN ('DRAFT', 'CANCELED') THEN 0 ELSE 1200 END,
    CASE p.status WHEN 'CANCELED' THEN 1200 ELSE 0 END,
    p.facility || ' Main St', '1 Lab Way, South San Francisco', pg_temp.time_of(p.ms + 3600000),
    pg_temp.time_of(p.ms + 7200000),
    CASE WHEN p.n % 4 = 0 THEN 'Ring twice' END, q.version, '\x7363616c65', pg_temp.time_of(p.ms),
    pg_temp.time_of(p.ms + 60000 * (q.version - 1)),
    CASE WHEN p.n / 10 % 5 < 3 THEN pg_temp.id_of(p.ms, 7, p.t, p.n) END,
    CASE WHEN p.status <> 'DRAFT' THEN pg_temp.time_of(p.ms + 60000) END
FROM (
    SELECT
        n, t, s.users, s.begin_ms + n * s.every_ms AS ms, pg_temp.facility_of(n, s.facilities, s.step) AS facility,
        CASE WHEN n / 7 % 5 = 0 THEN 'CANCELED' ELSE 'DELIVERED' END::pickup_status AS status,
        n / 10 % CASE t WHEN 0 THEN s.drivers WHEN 1 THEN 100 ELSE 20 END AS driver
    FROM scale AS s
    CROSS JOIN generate_series(0::bigint, s.pickups - 1) AS n
    CROSS JOIN LATERAL (SELECT pg_temp.tenant_of(n) AS t) AS o
    WHERE n < s.open_from AND (n % s.step <> 0 OR n < s.pickups - 8 * s.step)
    UNION ALL
    -- A driver is assigned one pickup at a time.
    SELECT
        n, t, users, ms, facility, status,
        (row_number() OVER (PARTITION BY t, status ORDER BY n) - 1) % CASE t WHEN 0 THEN drivers WHEN 1 THEN 100
            ELSE 20 END
    FROM (
        SELECT
            n, t, s.users, s.drivers, s.begin_ms + n * s.every_ms AS ms,
            pg_temp.facility_of(n, s.facilities, s.step) AS facility,
            (ARRAY['DRAFT', 'SUBMITTED', 'ASSIGNED', 'COLLECTED', 'RECEIVED', 'PACKED', 'SHIPPED'])
                [1 + (CASE WHEN n % s.step = 0 THEN n / s.step ELSE n / 10 + n END) % 7]::pickup_status AS status
        FROM scale AS s
        CROSS JOIN generate_series(least(s.open_from, s.pickups - 8 * s.step), s.pickups - 1) AS n
        CROSS JOIN LATERAL (SELECT pg_temp.tenant_of(n) AS t) AS o
        WHERE n >= 0 AND (n >= s.open_from OR n % s.step = 0)
    ) AS w
) AS p
CROSS JOIN LATERAL (
    SELECT
        CASE p.status
            WHEN 'DRAFT' THEN NULL WHEN 'CANCELED' THEN 'SUBMITTED' WHEN 'SUBMITTED' THEN 'DRAFT'
                WHEN 'ASSIGNED' THEN 'SUBMITTED'
            WHEN 'COLLECTED' THEN 'ASSIGNED' WHEN 'RECEIVED' THEN 'COLLECTED' WHEN 'PACKED' THEN 'RECEIVED'
            WHEN 'SHIPPED' THEN 'PACKED' ELSE 'SHIPPED'
        END::pickup_status AS previous_status,
        CASE p.status
            WHEN 'DRAFT' THEN 1 WHEN 'CANCELED' THEN 3 WHEN 'SUBMITTED' THEN 2 WHEN 'ASSIGNED' THEN 3
            WHEN 'COLLECTED' THEN 4 WHEN 'RECEIVED' THEN 5 WHEN 'PACKED' THEN 6 WHEN 'SHIPPED' THEN 7 ELSE 8
        END AS version
) AS q;

UPDATE driver_slots AS s
SET pickup_id = p.id
FROM pickups AS p
WHERE p.tenant_id = s.tenant_id AND p.driver_id = s.driver_id AND p.status = 'ASSIGNED';
