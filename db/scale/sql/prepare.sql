-- The figures that the other files compute with, and how a number becomes a row. All that is
-- generated follows from its number, so that two loads of one size have the same shape.
SET LOCAL synchronous_commit = off;
SET LOCAL maintenance_work_mem = '256MB';
SET LOCAL work_mem = '64MB';
SET LOCAL jit = off;

-- Events that are there when a database begins its history are none of it, and no stream sends them.
SELECT begin_event_history();

CREATE TEMP TABLE scale ON COMMIT DROP AS
SELECT
    s.pickups, s.facilities,
    -- Two years up to now.
    (extract(epoch FROM date_trunc('minute', now()) - interval '730 days') * 1000)::bigint AS begin_ms,
    730::bigint * 86400000 / s.pickups AS every_ms,
    -- Each so many pickups and patients, one is the small clinic's: it has as many at any size.
    greatest(10, s.pickups / 200 / 20 * 20) AS step,
    -- From here on, pickups are not yet delivered.
    s.pickups - least(s.pickups / 5, 2000) AS open_from,
    greatest(100, s.pickups / 1000) AS users,
    -- Not a multiple of seven or five, by which statuses go.
    301 + s.pickups / 20000 AS drivers,
    pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1 AS last_xid
FROM (
    SELECT current_setting('scale.pickups')::bigint AS pickups,
        current_setting('scale.facilities')::bigint AS facilities
) AS s;
ANALYZE scale;

-- Tenant 0 has 70 % of all, tenant 1 20 %, and fifty share the rest.
CREATE FUNCTION pg_temp.tenant_of(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN n % 10 < 7 THEN 0 WHEN n % 10 < 9 THEN 1 ELSE 2 + n / 10 % 50 END
$$;

-- A number from 0 to 1 that looks like chance.
CREATE FUNCTION pg_temp.chance(n bigint) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
    SELECT (n * 2654435761 % 4294967296)::float8 / 4294967296
$$;

-- How many facilities a tenant has, and as many accounts.
CREATE FUNCTION pg_temp.facilities_of(tenant bigint, facilities bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE tenant WHEN 0 THEN facilities WHEN 1 THEN greatest(3, facilities / 5) ELSE 3 END
$$;

-- The facility of the nth pickup and the nth patient. In tenant 0, facility 0 is the small
-- clinic, 1 the new one, which has none, 2 the busiest with 8 % of all, and so on down.
CREATE FUNCTION pg_temp.facility_of(n bigint, facilities bigint, step bigint) RETURNS bigint LANGUAGE sql IMMUTABLE
    AS $$
    SELECT CASE
        WHEN n % step = 0 THEN 0
        WHEN n % 10 < 7 THEN 2 + floor((facilities - 2) * pg_temp.chance(n) ^ 3)::bigint
        WHEN n % 10 < 9 THEN floor(greatest(3, facilities / 5) * pg_temp.chance(n) ^ 3)::bigint
        ELSE n / 500 % 3
    END
$$;

-- The other facility that knows a patient: never the small clinic, nor the new one.
CREATE FUNCTION pg_temp.neighbor_of(facility bigint, tenant bigint, facilities bigint) RETURNS bigint
    LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE tenant
        WHEN 0 THEN 2 + (facility - 1) % (facilities - 2)
        ELSE (facility + 1) % pg_temp.facilities_of(tenant, facilities)
    END
$$;

-- An id of version 7: the time, what it is of, and its number.
CREATE FUNCTION pg_temp.id_of(ms bigint, kind bigint, tenant bigint, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex(ms), 12, '0') || '7' || lpad(to_hex(kind), 3, '0') || '8' || lpad(to_hex(tenant), 3, '0')
        || lpad(to_hex(n), 12, '0'))::uuid
$$;

CREATE FUNCTION pg_temp.number_of(id uuid) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT ('x' || right(id::text, 12))::bit(48)::bigint
$$;

CREATE FUNCTION pg_temp.time_of(ms bigint) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT '1970-01-01 00:00:00Z'::timestamptz + ms * interval '1 millisecond'
$$;

-- Rows with an id: the tenants and what each has before its first pickup. Kinds: 1 tenant,
-- 2 facility, 3 account, 4 user, 5 group, 6 driver, 7 patient, 8 pickup, 9 event and its text,
-- 10 entry, 11 appointment, 12 read, 13 consent.
CREATE FUNCTION pg_temp.key_of(kind bigint, tenant bigint, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT pg_temp.id_of(1600000000000, kind, tenant, n)
$$;
