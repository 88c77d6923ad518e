-- The statements that release 0.0.1 sends. Written by schemaguard; never changed.
-- Newest migration: 00039

-- name: CreateAccount :one
INSERT INTO accounts (tenant_id, id, name, currency, request_digest)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant_id, id) DO NOTHING
RETURNING tenant_id, id, name, currency, balance_cents, balance_version, version, request_digest, created_at;

-- name: EditAccount :one
UPDATE accounts
SET name = coalesce($1, name),
    version = version + 1
WHERE tenant_id = $2 AND id = $3 AND version = $4
RETURNING tenant_id, id, name, currency, balance_cents, balance_version, version, request_digest, created_at;

-- name: GetAccount :one
SELECT tenant_id, id, name, currency, balance_cents, balance_version, version, request_digest, created_at FROM accounts WHERE tenant_id = $1 AND id = $2;

-- name: ListAccounts :many
SELECT tenant_id, id, name, currency, balance_cents, balance_version, version, request_digest, created_at FROM accounts
WHERE tenant_id = $1
    AND (created_at, id) < ($2::timestamptz, $3::uuid)
ORDER BY created_at DESC, id DESC
LIMIT $4::int;

-- name: CheckFeed :one
SELECT
    EXISTS (
        SELECT FROM facility_viewers AS v
        WHERE v.tenant_id = $1 AND v.facility_id = $2 AND v.user_id = $3) AS sees_facility,
    ($4::timestamptz <= latest_as_of())::boolean AS in_time;

-- name: DropFeedRecords :execrows
DELETE FROM appointment_feed_chunks
WHERE tenant_id = $1 AND feed_id = $2;

-- name: FeedContradictsItself :one
SELECT (
    EXISTS (
        SELECT FROM appointment_feed_records AS r
        WHERE r.tenant_id = $1 AND r.feed_id = $2
        GROUP BY r.external_id
        HAVING count(*) > 1)
    OR EXISTS (
        SELECT FROM appointment_feed_records AS r
        WHERE r.tenant_id = $1 AND r.feed_id = $2
        GROUP BY r.patient_external_id
        HAVING (min(r.given_name), min(r.family_name), min(r.birth_date), min(coalesce(r.phone, '')))
            <> (max(r.given_name), max(r.family_name), max(r.birth_date), max(coalesce(r.phone, ''))))
)::boolean;

-- name: FindFeedContradiction :one
SELECT c.position::int AS position, c.earlier::int AS earlier, c.is_duplicate
FROM (
    SELECT d.position, d.earlier, true AS is_duplicate
    FROM (
        SELECT r.position, first_value(r.position) OVER (PARTITION BY r.external_id ORDER BY r.position) AS earlier
        FROM appointment_feed_records AS r
        WHERE r.tenant_id = $1 AND r.feed_id = $2
    ) AS d
    WHERE d.position > d.earlier
    UNION ALL
    SELECT d.position, d.earlier, false AS is_duplicate
    FROM (
        SELECT
            r.position,
            first_value(r.position) OVER w AS earlier,
            (r.given_name, r.family_name, r.birth_date, coalesce(r.phone, '')) <> (
                first_value(r.given_name) OVER w, first_value(r.family_name) OVER w,
                first_value(r.birth_date) OVER w, coalesce(first_value(r.phone) OVER w, '')) AS differs
        FROM appointment_feed_records AS r
        WHERE r.tenant_id = $1 AND r.feed_id = $2
        WINDOW w AS (PARTITION BY r.patient_external_id ORDER BY r.position)
    ) AS d
    WHERE d.differs
) AS c
ORDER BY c.position, c.is_duplicate DESC
LIMIT 1;

-- name: MoveFeed :execrows
INSERT INTO appointment_feeds (tenant_id, facility_id, as_of)
SELECT v.tenant_id, v.facility_id, $1::timestamptz
FROM facility_viewers AS v
WHERE v.tenant_id = $2
    AND v.facility_id = $3
    AND v.user_id = $4
    AND $1 <= latest_as_of()
LIMIT 1
ON CONFLICT (tenant_id, facility_id) DO UPDATE
SET as_of = excluded.as_of
WHERE appointment_feeds.as_of < excluded.as_of;

-- name: SetFeedLimits :exec
SELECT
    set_config('statement_timeout', $1::text, true),
    set_config('lock_timeout', $2::text, true),
    set_config('work_mem', $3::text, true),
    set_config('plan_cache_mode', 'auto', true),
    set_config('enable_seqscan', 'off', true),
    set_config('enable_hashjoin', 'off', true),
    set_config('enable_mergejoin', 'off', true),
    set_config('enable_sort', 'off', true);

-- name: StageFeedChunk :execrows
INSERT INTO appointment_feed_chunks (
    tenant_id, feed_id, first_position, external_ids, patient_external_ids, new_patient_ids,
    given_names, family_names, birth_dates, phones, starts_at, ends_at, statuses)
VALUES (
    $1, $2, $3, $4::text[], $5::text[],
        $6::uuid[],
    $7::text[], $8::text[], $9::date[], $10::text[],
    $11::timestamptz[], $12::timestamptz[], ($13::text[])::appointment_status[]);

-- name: SweepFeedRecords :execrows
DELETE FROM appointment_feed_chunks
WHERE tenant_id = $1 AND created_at < now() - interval '1 day';

-- name: SyncAppointments :one
WITH feed AS MATERIALIZED (
    SELECT f.tenant_id, f.facility_id, f.as_of, w.max_cancel_share
    FROM appointment_feeds AS f
    JOIN facilities AS w ON w.tenant_id = f.tenant_id AND w.id = f.facility_id
    WHERE f.tenant_id = $1
        AND f.facility_id = $2
        AND f.as_of = $3::timestamptz
        AND EXISTS (
            SELECT FROM facility_viewers AS v
            WHERE v.tenant_id = f.tenant_id AND v.facility_id = f.facility_id AND v.user_id = $4)
    FOR NO KEY UPDATE OF f
), denied AS MATERIALIZED (
    SELECT d.patient_id, d.external_id
    FROM feed AS f
    JOIN denied_feed_patients AS d ON d.tenant_id = f.tenant_id AND d.facility_id = f.facility_id
), compared AS MATERIALIZED (
    SELECT
        $1::uuid AS tenant_id,
        $2::uuid AS facility_id,
        coalesce(k.id, o.id) AS id,
        coalesce(k.patient_id, o.patient_id) AS former_patient_id,
        r.external_id, r.patient_external_id, r.given_name, r.family_name, r.birth_date, r.phone,
        r.starts_at, r.ends_at, r.status,
        coalesce(p.id, r.new_patient_id) AS patient_id,
        p.id IS NULL AND r.external_id IS NOT NULL AS patient_is_new,
        coalesce(p.differs, false) AS patient_differs,
        (coalesce(k.patient_id, o.patient_id), coalesce(k.starts_at, o.starts_at),
            coalesce(k.ends_at, o.ends_at), coalesce(k.status, o.status))
            IS DISTINCT FROM (p.id, r.starts_at, r.ends_at, r.status) AS differs,
        r.external_id IS NULL AS is_missing,
        coalesce(k.ends_at > $3 AND k.status <> 'CANCELED', false) AS is_current,
        coalesce(r.patient_external_id IN (SELECT d.external_id FROM denied AS d), false)
            OR coalesce(coalesce(k.patient_id, o.patient_id) IN (SELECT d.patient_id FROM denied AS d),
                false) AS is_denied
    FROM (
        SELECT s.tenant_id, s.feed_id, s.position, s.external_id, s.patient_external_id, s.new_patient_id, s.given_name, s.family_name, s.birth_date, s.phone, s.starts_at, s.ends_at, s.status
        FROM feed AS f
        JOIN appointment_feed_records AS s ON s.tenant_id = f.tenant_id AND s.feed_id = $5
    ) AS r
    FULL JOIN (
        SELECT a.id, a.external_id, a.patient_id, a.starts_at, a.ends_at, a.status
        FROM feed AS f
        JOIN appointments AS a ON a.tenant_id = f.tenant_id AND a.facility_id = f.facility_id
        WHERE a.starts_at > ($3::timestamptz) - longest_appointment()
    ) AS k ON k.external_id = r.external_id
    LEFT JOIN LATERAL (
        SELECT n.id, n.external_id, n.patient_id, n.starts_at, n.ends_at, n.status
        FROM (
            SELECT x.id, x.external_id, x.patient_id, x.starts_at, x.ends_at, x.status
            FROM appointments AS x
            WHERE x.tenant_id = $1
                AND x.facility_id = $2
                AND x.external_id >= r.external_id
                AND k.id IS NULL
            ORDER BY x.external_id
            LIMIT 1
        ) AS n
        WHERE n.external_id = r.external_id
    ) AS o ON true
    LEFT JOIN LATERAL (
        SELECT
            n.id,
            (n.given_name, n.family_name, n.birth_date, coalesce(n.phone, ''))
                <> (r.given_name, r.family_name, r.birth_date, coalesce(r.phone, '')) AS differs
        FROM (
            SELECT x.id, x.external_id, x.given_name, x.family_name, x.birth_date, x.phone
            FROM patients AS x
            WHERE x.tenant_id = $1
                AND x.facility_id = $2
                AND x.external_id >= r.patient_external_id
            ORDER BY x.external_id
            LIMIT 1
        ) AS n
        WHERE n.external_id = r.patient_external_id
    ) AS p ON true
    WHERE (r.external_id IS NOT NULL OR (k.ends_at > $3 AND k.status <> 'CANCELED'))
), consented AS MATERIALIZED (
    SELECT f.patient_id
    FROM (
        SELECT DISTINCT e.patient_id
        FROM compared AS c
        CROSS JOIN unnest(ARRAY[c.patient_id, c.former_patient_id]) AS e (patient_id)
        WHERE (c.differs OR c.patient_differs)
    ) AS e
    CROSS JOIN LATERAL (
        SELECT x.patient_id
        FROM patient_facilities AS x
        WHERE x.tenant_id = $1
            AND x.patient_id = e.patient_id
            AND x.facility_id = $2
            AND x.allowed
        LIMIT 1
        FOR SHARE OF x
    ) AS f
), written AS MATERIALIZED (
    SELECT c.tenant_id, c.facility_id, c.id, c.former_patient_id, c.external_id, c.patient_external_id, c.given_name, c.family_name, c.birth_date, c.phone, c.starts_at, c.ends_at, c.status, c.patient_id, c.patient_is_new, c.patient_differs, c.differs, c.is_missing, c.is_current, c.is_denied
    FROM compared AS c
    WHERE (c.differs OR c.patient_differs)
        AND NOT c.is_denied
        AND (c.patient_is_new OR c.is_missing OR c.patient_id IN (SELECT o.patient_id FROM consented AS o))
        AND (c.former_patient_id IS NULL OR c.former_patient_id IN (SELECT o.patient_id FROM consented AS o))
), made_patients AS (
    INSERT INTO patients (tenant_id, id, facility_id, external_id, given_name, family_name, birth_date, phone)
    SELECT DISTINCT ON (c.patient_id)
        c.tenant_id, c.patient_id, c.facility_id, c.patient_external_id, c.given_name, c.family_name, c.birth_date,
            c.phone
    FROM written AS c
    WHERE c.patient_is_new
), met AS (
    INSERT INTO patient_facilities (tenant_id, patient_id, facility_id)
    SELECT DISTINCT c.tenant_id, c.patient_id, c.facility_id
    FROM written AS c
    WHERE c.patient_is_new
), held_patients AS MATERIALIZED (
    SELECT d.tenant_id, h.id, d.given_name, d.family_name, d.birth_date, d.phone
    FROM (
        SELECT DISTINCT ON (c.patient_id) c.tenant_id, c.facility_id, c.id, c.former_patient_id, c.external_id, c.patient_external_id, c.given_name, c.family_name, c.birth_date, c.phone, c.starts_at, c.ends_at, c.status, c.patient_id, c.patient_is_new, c.patient_differs, c.differs, c.is_missing, c.is_current, c.is_denied
        FROM written AS c
    ) AS d
    CROSS JOIN LATERAL (
        SELECT x.id
        FROM patients AS x
        WHERE x.tenant_id = d.tenant_id
            AND x.id = d.patient_id
            AND x.external_id = d.patient_external_id
            AND (x.given_name, x.family_name, x.birth_date, coalesce(x.phone, ''))
                <> (d.given_name, d.family_name, d.birth_date, coalesce(d.phone, ''))
        LIMIT 1
        FOR NO KEY UPDATE OF x
    ) AS h
), changed_patients AS (
    UPDATE patients AS p
    SET given_name = h.given_name,
        family_name = h.family_name,
        birth_date = h.birth_date,
        phone = h.phone,
        version = p.version + 1
    FROM held_patients AS h
    WHERE p.tenant_id = h.tenant_id AND p.id = h.id
), made AS (
    INSERT INTO appointments (tenant_id, facility_id, patient_id, external_id, starts_at, ends_at, status)
    SELECT c.tenant_id, c.facility_id, c.patient_id, c.external_id, c.starts_at, c.ends_at, c.status
    FROM written AS c
    WHERE c.id IS NULL
), held_appointments AS MATERIALIZED (
    SELECT d.tenant_id, h.id, d.patient_id, d.starts_at, d.ends_at, d.status
    FROM (
        SELECT
            c.tenant_id, c.id, c.patient_id, c.starts_at, c.ends_at,
            coalesce(c.status, 'CANCELED') AS status
        FROM written AS c
        ORDER BY c.id
    ) AS d
    CROSS JOIN LATERAL (
        SELECT x.id
        FROM appointments AS x
        WHERE x.tenant_id = d.tenant_id
            AND x.id = d.id
            AND (x.patient_id, x.starts_at, x.ends_at, x.status)
                <> (
                    coalesce(d.patient_id, x.patient_id), coalesce(d.starts_at, x.starts_at),
                    coalesce(d.ends_at, x.ends_at), d.status)
        LIMIT 1
        FOR NO KEY UPDATE OF x
    ) AS h
), changed AS (
    UPDATE appointments AS a
    SET patient_id = coalesce(h.patient_id, a.patient_id),
        starts_at = coalesce(h.starts_at, a.starts_at),
        ends_at = coalesce(h.ends_at, a.ends_at),
        status = h.status,
        updated_at = now()
    FROM held_appointments AS h
    WHERE a.tenant_id = h.tenant_id AND a.id = h.id
), audited AS (
    INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
    SELECT DISTINCT c.tenant_id, e.patient_id, $4::uuid, 'sync-appointments'
    FROM written AS c
    CROSS JOIN unnest(ARRAY[c.patient_id, c.former_patient_id]) AS e (patient_id)
    WHERE e.patient_id IS NOT NULL
), counted AS (
    SELECT
        count(*) FILTER (WHERE c.id IS NULL) AS created,
        count(*) FILTER (WHERE c.id IS NOT NULL AND NOT c.is_missing) AS updated,
        count(*) FILTER (WHERE c.is_missing) AS canceled
    FROM written AS c
), looked_at AS (
    SELECT
        count(*) FILTER (WHERE NOT c.is_missing) AS records,
        count(*) FILTER (WHERE NOT (c.is_denied OR c.differs OR c.patient_differs)) AS unchanged,
        count(*) FILTER (WHERE c.is_current AND NOT c.is_denied) AS current_appointments
    FROM compared AS c
)
SELECT
    n.created, n.updated, l.unchanged, n.canceled,
    (l.records - n.created - n.updated - l.unchanged)::bigint AS consent_withdrawn,
    l.current_appointments,
    coalesce(
        n.canceled > 10 AND n.canceled > l.current_appointments * (SELECT f.max_cancel_share FROM feed AS f),
        false)::boolean AS cancels_too_many,
    EXISTS (SELECT FROM feed) AS current
FROM counted AS n
CROSS JOIN looked_at AS l;

-- name: ListAppointments :many
WITH found AS MATERIALIZED (
    SELECT a.tenant_id, a.id, a.facility_id, a.patient_id, a.external_id, a.starts_at, a.ends_at, a.status, a.created_at, a.updated_at, p.given_name, p.family_name
    FROM appointments AS a
    CROSS JOIN LATERAL (
        SELECT k.given_name, k.family_name
        FROM patients AS k
        WHERE k.tenant_id = a.tenant_id
            AND k.id = a.patient_id
            AND EXISTS (
                SELECT FROM patient_viewers AS v
                WHERE v.tenant_id = k.tenant_id
                    AND v.patient_id = k.id
                    AND v.facility_id = a.facility_id
                    AND v.user_id = $2::uuid)
        LIMIT 1
    ) AS p
    WHERE a.tenant_id = $3
        AND a.facility_id = $4
        AND (a.starts_at, a.id) > (
            greatest($5::timestamptz, ($6::timestamptz) - longest_appointment()), $7::uuid)
        AND a.starts_at < $8::timestamptz
        AND a.ends_at > $6
        AND ($9::appointment_status IS NULL OR a.status = $9)
    ORDER BY a.starts_at, a.id
    LIMIT 1 + $1::int
), shown AS MATERIALIZED (
    SELECT tenant_id, id, facility_id, patient_id, external_id, starts_at, ends_at, status, created_at, updated_at, given_name, family_name
    FROM found AS f
    ORDER BY f.starts_at, f.id
    LIMIT $1::int
), audited AS (
    INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
    SELECT DISTINCT s.tenant_id, s.patient_id, $2::uuid, 'list-appointments'
    FROM shown AS s
)
SELECT
    s.id, s.facility_id, s.patient_id, s.external_id, s.given_name, s.family_name,
    s.starts_at, s.ends_at, s.status, s.created_at, s.updated_at,
    ((SELECT count(*) FROM found) > $1::int)::boolean AS more
FROM shown AS s
ORDER BY s.starts_at, s.id;

-- name: CreateDriver :one
INSERT INTO drivers (tenant_id, id, user_id, name, on_duty, latitude, longitude, located_at, request_digest)
VALUES (
    $1, $2, $3, $4, $5,
    $6, $7,
    CASE WHEN $6::float8 IS NOT NULL THEN now() END,
    $8)
ON CONFLICT (tenant_id, id) DO NOTHING
RETURNING tenant_id, id, user_id, name, on_duty, latitude, longitude, located_at, location_version, version, request_digest, created_at, user_since;

-- name: EditDriver :one
WITH slot AS MATERIALIZED (
    -- Locks the slot before the driver, in the lock order of dispatch.
    SELECT s.tenant_id, s.driver_id
    FROM driver_slots AS s
    WHERE s.tenant_id = $10 AND s.driver_id = $11
    FOR NO KEY UPDATE OF s
)
UPDATE drivers AS d
SET name = coalesce($1, d.name),
    user_id = CASE WHEN $2::boolean THEN $3::uuid ELSE d.user_id END,
    on_duty = coalesce($4, d.on_duty),
    latitude = coalesce($5, d.latitude),
    longitude = coalesce($6, d.longitude),
    -- Never decreases: an older observation came too late.
    located_at = CASE
        WHEN $5::float8 IS NULL THEN d.located_at
        ELSE greatest(d.located_at, clock_timestamp())
    END,
    version = d.version + 1
FROM slot AS s
WHERE d.tenant_id = s.tenant_id
    AND d.id = s.driver_id
    AND d.version = $7
    AND ($8::user_role <> 'driver' OR d.id = $9::uuid)
RETURNING d.tenant_id, d.id, d.user_id, d.name, d.on_duty, d.latitude, d.longitude, d.located_at, d.location_version, d.version, d.request_digest, d.created_at, d.user_since;

-- name: GetDriver :one
SELECT tenant_id, id, user_id, name, on_duty, latitude, longitude, located_at, location_version, version, request_digest, created_at, user_since FROM drivers
WHERE tenant_id = $1
    AND id = $2
    AND ($3::user_role <> 'driver' OR id = $4::uuid);

-- name: ListDrivers :many
SELECT tenant_id, id, user_id, name, on_duty, latitude, longitude, located_at, location_version, version, request_digest, created_at, user_since FROM drivers
WHERE tenant_id = $1
    AND ($2::user_role <> 'driver' OR id = $3::uuid)
    AND (created_at, id) < ($4::timestamptz, $5::uuid)
ORDER BY created_at DESC, id DESC
LIMIT $6::int;

-- name: LocateDrivers :many
WITH asked AS (
    SELECT
        unnest($1::uuid[]) AS tenant_id,
        unnest($2::uuid[]) AS id,
        unnest($3::text[])::user_role AS viewer_role,
        unnest($4::uuid[]) AS viewer_driver_id,
        unnest($5::float8[]) AS latitude,
        unnest($6::float8[]) AS longitude,
        unnest($7::timestamptz[]) AS located_at
), locked AS MATERIALIZED (
    SELECT d.tenant_id, d.id, a.latitude, a.longitude, a.located_at
    FROM asked AS a
    JOIN drivers AS d ON d.tenant_id = a.tenant_id AND d.id = a.id
    WHERE coalesce(d.located_at, '-infinity') < a.located_at
        AND (a.viewer_role <> 'driver' OR d.id = a.viewer_driver_id)
    ORDER BY d.tenant_id, d.id
    FOR NO KEY UPDATE OF d
)
UPDATE drivers AS d
SET latitude = l.latitude,
    longitude = l.longitude,
    located_at = l.located_at,
    location_version = d.location_version + 1
FROM locked AS l
WHERE d.tenant_id = l.tenant_id AND d.id = l.id
RETURNING d.tenant_id, d.id, d.user_id, d.name, d.on_duty, d.latitude, d.longitude, d.located_at, d.location_version, d.version, d.request_digest, d.created_at, d.user_since;

-- name: ConfirmFacility :exec
SELECT refuse_authority('WB003')
WHERE NOT EXISTS (
    SELECT FROM facility_viewers AS v
    WHERE v.tenant_id = $1 AND v.facility_id = $2 AND v.user_id = $3);

-- name: CreateFacility :one
INSERT INTO facilities (tenant_id, id, name, address, latitude, longitude, request_digest)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (tenant_id, id) DO NOTHING
RETURNING tenant_id, id, name, address, latitude, longitude, version, request_digest, created_at, max_cancel_share;

-- name: EditFacility :one
UPDATE facilities
SET name = coalesce($1, name),
    address = coalesce($2, address),
    latitude = coalesce($3, latitude),
    longitude = coalesce($4, longitude),
    max_cancel_share = coalesce($5, max_cancel_share),
    version = version + 1
WHERE tenant_id = $6 AND id = $7 AND version = $8
RETURNING tenant_id, id, name, address, latitude, longitude, version, request_digest, created_at, max_cancel_share;

-- name: GetFacility :one
SELECT tenant_id, id, name, address, latitude, longitude, version, request_digest, created_at, max_cancel_share FROM facilities AS f
WHERE f.tenant_id = $1
    AND f.id = $2
    AND CASE $3::user_role
        WHEN 'admin' THEN true
        WHEN 'dispatcher' THEN true
        WHEN 'driver' THEN EXISTS (
            SELECT FROM pickups AS p
            WHERE p.tenant_id = f.tenant_id
                AND p.facility_id = f.id
                AND role_sees_pickup('driver', p.status, p.driver_id, $4::uuid))
        ELSE EXISTS (
            SELECT FROM facility_viewers AS v
            WHERE v.tenant_id = f.tenant_id AND v.facility_id = f.id AND v.user_id = $5)
    END;

-- name: ListFacilities :many
WITH asked AS MATERIALIZED (
    SELECT
        $2::uuid AS tenant_id,
        $3::uuid AS viewer_id,
        $4::user_role AS viewer_role,
        $5::uuid AS viewer_driver_id,
        $6::timestamptz AS created_at,
        $7::uuid AS id,
        $1::int AS most
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
SELECT f.tenant_id, f.id, f.name, f.address, f.latitude, f.longitude, f.version, f.request_digest, f.created_at, f.max_cancel_share
FROM asked AS a
CROSS JOIN found AS n
CROSS JOIN LATERAL (
    SELECT tenant_id, id, name, address, latitude, longitude, version, request_digest, created_at, max_cancel_share FROM facilities AS k WHERE k.tenant_id = a.tenant_id AND k.id = n.id LIMIT 1
) AS f
WHERE (f.created_at, f.id) < (a.created_at, a.id)
ORDER BY f.created_at DESC, f.id DESC
LIMIT $1::int;

-- name: SeesFacility :one
SELECT EXISTS (
    SELECT FROM facility_viewers AS v
    WHERE v.tenant_id = $1 AND v.facility_id = $2 AND v.user_id = $3);

-- name: GetFlag :one
SELECT tenant_id, name, enabled, version, updated_at FROM flags WHERE tenant_id = $1 AND name = $2;

-- name: ListFlags :many
SELECT tenant_id, name, enabled, version, updated_at FROM flags
WHERE tenant_id = $1 AND name > $2
ORDER BY name
LIMIT $3::int;

-- name: SetFlag :one
UPDATE flags
SET enabled = $1, version = version + 1, updated_at = now()
WHERE tenant_id = $2 AND name = $3 AND version = $4
RETURNING tenant_id, name, enabled, version, updated_at;

-- name: AddGroupFacility :execrows
INSERT INTO group_facilities (tenant_id, group_id, facility_id)
VALUES ($1, $2, $3)
ON CONFLICT (tenant_id, group_id, facility_id) DO NOTHING;

-- name: AddGroupMember :execrows
INSERT INTO group_members (tenant_id, group_id, user_id)
VALUES ($1, $2, $3)
ON CONFLICT (tenant_id, group_id, user_id) DO NOTHING;

-- name: CreateGroup :one
INSERT INTO groups (tenant_id, id, name, request_digest)
VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant_id, id) DO NOTHING
RETURNING tenant_id, id, name, version, request_digest, created_at;

-- name: EditGroup :one
UPDATE groups
SET name = coalesce($1, name),
    version = version + 1
WHERE tenant_id = $2 AND id = $3 AND version = $4
RETURNING tenant_id, id, name, version, request_digest, created_at;

-- name: GetGroup :one
SELECT tenant_id, id, name, version, request_digest, created_at FROM groups WHERE tenant_id = $1 AND id = $2;

-- name: ListGroupFacilities :many
SELECT tenant_id, group_id, facility_id, created_at FROM group_facilities
WHERE tenant_id = $1 AND group_id = $2 AND facility_id > $3::uuid
ORDER BY facility_id
LIMIT $4::int;

-- name: ListGroupMembers :many
SELECT tenant_id, group_id, user_id, created_at FROM group_members
WHERE tenant_id = $1 AND group_id = $2 AND user_id > $3::uuid
ORDER BY user_id
LIMIT $4::int;

-- name: ListGroups :many
SELECT tenant_id, id, name, version, request_digest, created_at FROM groups
WHERE tenant_id = $1
    AND (created_at, id) < ($2::timestamptz, $3::uuid)
ORDER BY created_at DESC, id DESC
LIMIT $4::int;

-- name: RemoveGroupFacility :execrows
DELETE FROM group_facilities
WHERE tenant_id = $1 AND group_id = $2 AND facility_id = $3;

-- name: RemoveGroupMember :execrows
DELETE FROM group_members
WHERE tenant_id = $1 AND group_id = $2 AND user_id = $3;

-- name: CountJobs :many
SELECT
    w.queue, w.state::text AS state, w.jobs,
    extract(epoch FROM now() - j.created_at)::float8 AS oldest_seconds
FROM (
    SELECT queue, state, count(*) AS jobs, min(id) AS oldest
    FROM river_job
    WHERE state IN ('available', 'cancelled', 'discarded', 'pending', 'retryable', 'running', 'scheduled')
    GROUP BY queue, state
) AS w
JOIN river_job AS j ON j.id = w.oldest
ORDER BY w.queue, w.state
LIMIT 100;

-- name: GetJobTable :one
SELECT
    pg_stat_get_live_tuples(c.oid) AS live_rows,
    pg_stat_get_dead_tuples(c.oid) AS dead_rows,
    pg_relation_size(c.oid) AS table_bytes,
    pg_indexes_size(c.oid) AS index_bytes
FROM pg_class AS c
WHERE c.oid = 'river_job'::regclass;

-- name: ListPausedQueues :many
SELECT
    q.name, q.paused_at::timestamptz AS paused_at,
    (SELECT count(*) FROM river_job AS j WHERE j.queue = q.name AND j.state = 'available') AS waiting
FROM river_queue AS q
WHERE q.paused_at IS NOT NULL
ORDER BY q.name
LIMIT 100;

-- name: ListTroubledJobs :many
SELECT
    id, kind, state::text AS state, args, attempt, max_attempts, created_at, scheduled_at,
    coalesce((metadata ->> 'snoozes')::int, 0)::int AS snoozes,
    coalesce(errors[cardinality(errors)] ->> 'error', '')::text AS last_error
FROM river_job
WHERE state IN ('cancelled', 'discarded', 'retryable', 'running', 'scheduled')
    AND (state <> 'running' OR attempted_at < $1::timestamptz)
    AND id > $2
ORDER BY id
LIMIT $3::int;

-- name: CreateLedgerEntries :many
WITH asked AS (
    SELECT tenant_id, id, account_id, kind, amount_cents, note, actor_id, request_digest, ord
    FROM unnest(
        $1::uuid[],
        $2::uuid[],
        $3::uuid[],
        ($4::text[])::entry_kind[],
        $5::bigint[],
        $6::text[],
        $7::uuid[],
        $8::bytea[]
    ) WITH ORDINALITY AS a (
        tenant_id, id, account_id, kind, amount_cents, note, actor_id, request_digest, ord)
), locked AS MATERIALIZED (
    SELECT c.tenant_id, c.id, c.balance_cents
    FROM accounts AS c
    WHERE (c.tenant_id, c.id) IN (SELECT a.tenant_id, a.account_id FROM asked AS a)
    ORDER BY c.tenant_id, c.id
    FOR NO KEY UPDATE OF c
), spent AS (
    SELECT
        a.tenant_id, a.id, a.account_id, a.kind, a.amount_cents, a.note, a.actor_id, a.request_digest, a.ord,
        l.balance_cents AS first_balance,
        CASE a.kind WHEN 'charge' THEN -a.amount_cents ELSE a.amount_cents END AS delta_cents,
        spend_in_order(
            l.balance_cents,
            CASE a.kind WHEN 'charge' THEN -a.amount_cents ELSE a.amount_cents END
        ) OVER (PARTITION BY a.tenant_id, a.account_id ORDER BY a.ord) AS balance_after
    FROM asked AS a
    JOIN locked AS l ON l.tenant_id = a.tenant_id AND l.id = a.account_id
    -- Known replays must not use up the balance; the primary key decides.
    WHERE NOT EXISTS (
        SELECT FROM ledger_entries AS e WHERE e.tenant_id = a.tenant_id AND e.id = a.id)
), fitting AS (
    SELECT
        s.tenant_id, s.id, s.account_id, s.kind, s.amount_cents, s.note, s.actor_id, s.request_digest, s.ord, s.first_balance, s.delta_cents, s.balance_after,
        lag(s.balance_after, 1, s.first_balance)
            OVER (PARTITION BY s.tenant_id, s.account_id ORDER BY s.ord) AS balance_before
    FROM spent AS s
), entered AS (
    INSERT INTO ledger_entries (tenant_id, id, account_id, kind, amount_cents, note, actor_id, request_digest)
    SELECT f.tenant_id, f.id, f.account_id, f.kind, f.amount_cents, nullif(f.note, ''), f.actor_id, f.request_digest
    FROM fitting AS f
    WHERE f.balance_after - f.balance_before = f.delta_cents
    ORDER BY f.tenant_id, f.id
    ON CONFLICT (tenant_id, id) DO NOTHING
    RETURNING tenant_id, id, account_id, kind, amount_cents, delta_cents, note, pickup_id, actor_id, request_digest, created_at
), moved AS (
    UPDATE accounts AS c
    SET balance_cents = l.balance_cents + s.delta_cents,
        balance_version = c.balance_version + 1
    FROM locked AS l
    JOIN (
        SELECT e.tenant_id, e.account_id, sum(e.delta_cents)::bigint AS delta_cents
        FROM entered AS e
        GROUP BY e.tenant_id, e.account_id
    ) AS s ON s.tenant_id = l.tenant_id AND s.account_id = l.id
    WHERE c.tenant_id = l.tenant_id AND c.id = l.id
)
SELECT ledger_entries.tenant_id, ledger_entries.id, ledger_entries.account_id, ledger_entries.kind, ledger_entries.amount_cents, ledger_entries.delta_cents, ledger_entries.note, ledger_entries.pickup_id, ledger_entries.actor_id, ledger_entries.request_digest, ledger_entries.created_at FROM entered AS ledger_entries;

-- name: GetLedgerEntry :one
SELECT tenant_id, id, account_id, kind, amount_cents, delta_cents, note, pickup_id, actor_id, request_digest, created_at FROM ledger_entries WHERE tenant_id = $1 AND id = $2;

-- name: ListLedgerEntries :many
SELECT tenant_id, id, account_id, kind, amount_cents, delta_cents, note, pickup_id, actor_id, request_digest, created_at FROM ledger_entries
WHERE tenant_id = $1
    AND account_id = $2
    AND (created_at, id) < ($3::timestamptz, $4::uuid)
ORDER BY created_at DESC, id DESC
LIMIT $5::int;

-- name: ListLeakyLogSettings :many
SELECT s.name::text AS name, s.wanted::text AS wanted
FROM (
    VALUES
        ('log_error_verbosity', 'terse', current_setting('log_error_verbosity') <> 'terse'),
        ('log_destination', 'stderr or syslog', current_setting('log_destination') ~ 'csvlog|jsonlog'),
        ('log_parameter_max_length_on_error', '0', current_setting('log_parameter_max_length_on_error') <> '0'),
        ('log_parameter_max_length', '0', current_setting('log_parameter_max_length') <> '0'
            AND (current_setting('log_statement') IN ('mod', 'all')
                OR current_setting('log_min_duration_statement') <> '-1'
                OR current_setting('log_min_duration_sample') <> '-1'))
) AS s (name, wanted, is_telling)
WHERE s.is_telling
ORDER BY s.name
LIMIT 10;

-- name: CountLoginAttempt :one
INSERT INTO login_attempts AS a (key, failures, expires_at)
VALUES ($1, 1, now() + interval '1 hour')
ON CONFLICT (key) DO UPDATE
SET failures = a.failures + 1,
    next_at = CASE
        WHEN a.failures < 3 THEN a.next_at
        ELSE now() + least(interval '1 second' * 2 ^ least(a.failures - 3, 20), interval '15 minutes')
    END,
    expires_at = greatest(a.expires_at, excluded.expires_at)
WHERE a.next_at <= now()
RETURNING failures;

-- name: ForgetLoginAttempts :execrows
DELETE FROM login_attempts WHERE key = $1;

-- name: GetLoginAttempt :one
SELECT
    (known AND expires_at > now())::boolean AS known,
    (next_at - now())::interval AS wait
FROM login_attempts
WHERE key = $1;

-- name: RememberLogin :one
INSERT INTO login_attempts AS a (key, known, expires_at)
VALUES ($1, true, now() + $2::interval)
ON CONFLICT (key) DO UPDATE
SET failures = 0,
    next_at = 'epoch',
    known = true,
    expires_at = greatest(a.expires_at, excluded.expires_at)
RETURNING expires_at;

-- name: SweepLoginAttempts :execrows
WITH expired AS MATERIALIZED (
    SELECT key FROM login_attempts
    WHERE expires_at < now()
    ORDER BY expires_at
    LIMIT 8
    FOR UPDATE SKIP LOCKED
)
DELETE FROM login_attempts AS a
USING expired AS e
WHERE a.key = e.key;

-- name: GetLoginTokenWait :one
SELECT (full_at - now() - $1::interval)::interval AS wait
FROM login_buckets
WHERE key = $2;

-- name: ReturnLoginToken :execrows
UPDATE login_buckets
SET full_at = full_at - $1::interval
WHERE key = $2;

-- name: SweepLoginBuckets :execrows
WITH filled AS MATERIALIZED (
    SELECT key FROM login_buckets
    WHERE full_at < now()
    ORDER BY full_at
    LIMIT 8
    FOR UPDATE SKIP LOCKED
)
DELETE FROM login_buckets AS b
USING filled AS f
WHERE b.key = f.key;

-- name: TakeLoginToken :one
INSERT INTO login_buckets AS b (key, full_at)
VALUES ($1, now() + $2::interval)
ON CONFLICT (key) DO UPDATE
SET full_at = greatest(b.full_at, now()) + (excluded.full_at - now())
WHERE b.full_at <= now() + $3::interval
RETURNING full_at;

-- name: GetMessage :one
SELECT tenant_id, id, pickup_id, event_id, to_number, body, status, reason, created_at, sent_at FROM messages WHERE tenant_id = $1 AND id = $2;

-- name: ListMessages :many
SELECT
    m.id, m.pickup_id,
    CASE
        WHEN $1::user_role IN ('admin', 'dispatcher') OR p.requested_by = $2::uuid THEN m.to_number
    END AS to,
    m.body, m.status, m.reason, m.created_at, m.sent_at
FROM messages AS m
JOIN pickups AS p ON p.tenant_id = m.tenant_id AND p.id = m.pickup_id
WHERE m.tenant_id = $3
    AND m.pickup_id = $4
    AND (role_sees_pickup($1::user_role, p.status, p.driver_id, $5::uuid)
        OR $1::user_role = 'staff' AND EXISTS (
        SELECT FROM facility_viewers AS v
        WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = $2))
    AND (m.created_at, m.id) < ($6::timestamptz, $7::uuid)
ORDER BY m.created_at DESC, m.id DESC
LIMIT $8::int;

-- name: ListRefusedMessages :many
SELECT m.id, coalesce(m.reason, '')::text AS reason, m.created_at
FROM messages AS m
WHERE m.tenant_id = $1
    AND m.status = 'FAILED'
    AND m.reason <> 'no_number'
    AND (m.created_at, m.id) > ($2::timestamptz, $3::uuid)
    AND starts_with(m.reason, $4::text)
ORDER BY m.created_at, m.id
LIMIT $5::int;

-- name: RequeueMessage :execrows
WITH requeued AS (
    UPDATE messages
    SET status = 'QUEUED', reason = NULL
    WHERE tenant_id = $1::uuid
        AND id = $2::uuid
        AND status = 'FAILED'
        AND reason IS DISTINCT FROM 'no_number'
    RETURNING tenant_id, id
)
INSERT INTO river_job (kind, queue, args)
SELECT 'send_text', 'texts', jsonb_build_object('tenant_id', r.tenant_id, 'message_id', r.id)
FROM requeued AS r;

-- name: SettleMessage :execrows
UPDATE messages
SET status = CASE WHEN $1::text = '' THEN 'SENT'::message_status ELSE 'FAILED' END,
    reason = nullif($1, ''),
    sent_at = CASE WHEN $1 = '' THEN now() END
WHERE tenant_id = $2
    AND id = $3
    AND status = 'QUEUED';

-- name: AllowFacility :execrows
WITH seen AS MATERIALIZED (
    SELECT v.tenant_id, v.patient_id
    FROM patient_viewers AS v
    WHERE v.tenant_id = $2 AND v.patient_id = $3 AND v.user_id = $1::uuid
    LIMIT 1
), allowed AS (
    INSERT INTO patient_facilities AS f (tenant_id, patient_id, facility_id)
    SELECT s.tenant_id, s.patient_id, $4::uuid
    FROM seen AS s
    ON CONFLICT (tenant_id, patient_id, facility_id) DO UPDATE
    SET allowed = true, version = f.version + 1
    WHERE NOT f.allowed
    RETURNING f.tenant_id, f.patient_id, f.facility_id, f.created_at, f.allowed, f.version
), counted AS (
    UPDATE patients AS p
    SET allowed_facilities = coalesce(p.allowed_facilities, 0) + 1,
        consents = p.consents + 1
    FROM allowed AS a
    WHERE p.tenant_id = a.tenant_id AND p.id = a.patient_id
    RETURNING a.tenant_id, a.patient_id, a.facility_id, a.created_at, a.allowed, a.version, p.consents
)
INSERT INTO patient_consents (tenant_id, patient_id, facility_id, allowed, actor_id, seq, created_at)
SELECT c.tenant_id, c.patient_id, c.facility_id, c.allowed, $1, c.consents, clock_timestamp()
FROM counted AS c;

-- name: DisallowFacility :execrows
WITH seen AS MATERIALIZED (
    SELECT v.tenant_id, v.patient_id
    FROM patient_viewers AS v
    WHERE v.tenant_id = $2 AND v.patient_id = $3 AND v.user_id = $1::uuid
    LIMIT 1
), denied AS (
    INSERT INTO patient_facilities AS f (tenant_id, patient_id, facility_id, allowed)
    SELECT s.tenant_id, s.patient_id, $4::uuid, false
    FROM seen AS s
    ON CONFLICT (tenant_id, patient_id, facility_id) DO UPDATE
    SET allowed = false, version = f.version + 1
    WHERE f.allowed
    RETURNING f.tenant_id, f.patient_id, f.facility_id, f.created_at, f.allowed, f.version
), locked AS MATERIALIZED (
    SELECT d.tenant_id, d.patient_id, d.facility_id, d.created_at, d.allowed, d.version, p.allowed_facilities, p.consents AS consents_before
    FROM denied AS d
    JOIN patients AS p ON p.tenant_id = d.tenant_id AND p.id = d.patient_id
    FOR NO KEY UPDATE OF p
), counted AS (
    UPDATE patients AS p
    SET allowed_facilities = l.allowed_facilities - CASE WHEN l.version = 1 THEN 0 ELSE 1 END,
        consents = l.consents_before + 1
    FROM locked AS l
    WHERE p.tenant_id = l.tenant_id AND p.id = l.patient_id
    RETURNING l.tenant_id, l.patient_id, l.facility_id, l.created_at, l.allowed, l.version, l.allowed_facilities, l.consents_before, p.consents
)
INSERT INTO patient_consents (tenant_id, patient_id, facility_id, allowed, actor_id, seq, created_at)
SELECT c.tenant_id, c.patient_id, c.facility_id, c.allowed, $1, c.consents, clock_timestamp()
FROM counted AS c;

-- name: ListConsents :many
SELECT tenant_id, id, patient_id, facility_id, allowed, actor_id, created_at, seq FROM patient_consents
WHERE tenant_id = $1 AND patient_id = $2 AND seq < $3
ORDER BY seq DESC
LIMIT $4::int;

-- name: ConfirmPatient :exec
SELECT refuse_authority('WB003')
WHERE NOT EXISTS (
    SELECT FROM patient_viewers AS v
    WHERE v.tenant_id = $1 AND v.patient_id = $2 AND v.user_id = $3);

-- name: CreatePatient :one
WITH created AS (
    INSERT INTO patients (
        tenant_id, id, facility_id, external_id, given_name, family_name, birth_date, phone, request_digest)
    SELECT
        v.tenant_id, $1::uuid, v.facility_id, $2::text, $3::text,
        $4::text, $5::date, $6::text, $7::bytea
    FROM facility_viewers AS v
    WHERE v.tenant_id = $8
        AND v.facility_id = $9
        AND v.user_id = $10
        AND NOT EXISTS (
            SELECT FROM patient_denials AS d
            WHERE d.tenant_id = v.tenant_id AND d.patient_id = $1 AND d.facility_id = v.facility_id)
    LIMIT 1
    ON CONFLICT (tenant_id, id) DO NOTHING
    RETURNING tenant_id, id, facility_id, external_id, given_name, family_name, birth_date, phone, version, request_digest, created_at, allowed_facilities, consents
), met AS (
    INSERT INTO patient_facilities (tenant_id, patient_id, facility_id)
    SELECT c.tenant_id, c.id, c.facility_id
    FROM created AS c
), audited AS (
    INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
    SELECT c.tenant_id, c.id, $10, 'create-patient'
    FROM created AS c
)
SELECT patients.tenant_id, patients.id, patients.facility_id, patients.external_id, patients.given_name, patients.family_name, patients.birth_date, patients.phone, patients.version, patients.request_digest, patients.created_at, patients.allowed_facilities, patients.consents FROM created AS patients;

-- name: EditPatient :one
WITH consented AS MATERIALIZED (
    SELECT f.tenant_id, f.patient_id
    FROM facility_viewers AS v
    JOIN patient_facilities AS f ON f.tenant_id = v.tenant_id AND f.facility_id = v.facility_id
    WHERE v.tenant_id = $1
        AND v.user_id = $2::uuid
        AND f.patient_id = $3
        AND f.allowed
    LIMIT 1
    FOR SHARE OF f
), edited AS (
    UPDATE patients AS p
    SET external_id = CASE WHEN $4::boolean THEN $5::text ELSE p.external_id END,
        given_name = coalesce($6::text, p.given_name),
        family_name = coalesce($7::text, p.family_name),
        birth_date = coalesce($8::date, p.birth_date),
        phone = CASE WHEN $9::boolean THEN $10::text ELSE p.phone END,
        version = p.version + 1
    FROM consented AS c
    WHERE p.tenant_id = c.tenant_id
        AND p.id = c.patient_id
        AND p.version = $11
        AND (NOT $4 OR EXISTS (
            SELECT FROM facility_viewers AS v
            WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = $2))
        AND (NOT $4 OR NOT EXISTS (
            SELECT FROM patient_denials AS d
            WHERE d.tenant_id = p.tenant_id AND d.patient_id = p.id AND d.facility_id = p.facility_id))
    RETURNING p.tenant_id, p.id, p.facility_id, p.external_id, p.given_name, p.family_name, p.birth_date, p.phone, p.version, p.request_digest, p.created_at, p.allowed_facilities, p.consents
), audited AS (
    INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
    SELECT e.tenant_id, e.id, $2, 'edit-patient'
    FROM edited AS e
)
SELECT patients.tenant_id, patients.id, patients.facility_id, patients.external_id, patients.given_name, patients.family_name, patients.birth_date, patients.phone, patients.version, patients.request_digest, patients.created_at, patients.allowed_facilities, patients.consents FROM edited AS patients;

-- name: ExplainEditPatient :one
SELECT
    p.version,
    (EXISTS (
        SELECT FROM facility_viewers AS v
        WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = $1)
    AND NOT EXISTS (
        SELECT FROM patient_denials AS d
        WHERE d.tenant_id = p.tenant_id AND d.patient_id = p.id
            AND d.facility_id = p.facility_id))::boolean AS may_set_external_id
FROM patients AS p
WHERE p.tenant_id = $2
    AND p.id = $3
    AND EXISTS (
        SELECT FROM patient_viewers AS v
        WHERE v.tenant_id = p.tenant_id AND v.patient_id = p.id AND v.user_id = $1::uuid);

-- name: GetPatient :one
WITH seen AS MATERIALIZED (
    SELECT p.tenant_id, p.id, p.facility_id, p.external_id, p.given_name, p.family_name, p.birth_date, p.phone, p.version, p.request_digest, p.created_at, p.allowed_facilities, p.consents
    FROM patients AS p
    WHERE p.tenant_id = $1
        AND p.id = $2
        AND ($3::bytea IS NULL OR p.request_digest = $3)
        AND EXISTS (
            SELECT FROM patient_viewers AS v
            WHERE v.tenant_id = p.tenant_id AND v.patient_id = p.id AND v.user_id = $4::uuid)
), audited AS (
    INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
    SELECT s.tenant_id, s.id, $4, $5::text
    FROM seen AS s
)
SELECT patients.tenant_id, patients.id, patients.facility_id, patients.external_id, patients.given_name, patients.family_name, patients.birth_date, patients.phone, patients.version, patients.request_digest, patients.created_at, patients.allowed_facilities, patients.consents FROM seen AS patients;

-- name: GetPickupPatient :one
WITH seen AS MATERIALIZED (
    SELECT p.tenant_id, p.id, p.given_name, p.family_name, p.birth_date, p.phone
    FROM pickups AS k
    JOIN patients AS p ON p.tenant_id = k.tenant_id AND p.id = k.patient_id
    WHERE k.tenant_id = $2
        AND k.id = $3
        AND CASE $1::user_role
            WHEN 'hub' THEN false
            WHEN 'driver' THEN role_sees_pickup('driver', k.status, k.driver_id, $4::uuid)
            ELSE EXISTS (
                    SELECT FROM patient_viewers AS v
                    WHERE v.tenant_id = p.tenant_id AND v.patient_id = p.id AND v.user_id = $5::uuid)
                AND ($1::user_role <> 'staff' OR EXISTS (
                    SELECT FROM facility_viewers AS v
                    WHERE v.tenant_id = k.tenant_id AND v.facility_id = k.facility_id AND v.user_id = $5))
        END
), audited AS (
    INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
    SELECT s.tenant_id, s.id, $5, 'get-pickup-patient'
    FROM seen AS s
)
SELECT
    s.id,
    s.given_name,
    s.family_name,
    CASE WHEN $1::user_role <> 'driver' THEN s.birth_date END AS birth_date,
    CASE WHEN $1::user_role <> 'driver' THEN s.phone END AS phone
FROM seen AS s;

-- name: ListPatients :many
WITH mine AS MATERIALIZED (
    SELECT DISTINCT v.facility_id
    FROM facility_viewers AS v
    WHERE v.tenant_id = $2
        AND v.user_id = $3
        AND ($4::uuid IS NULL OR v.facility_id = $4)
), known AS MATERIALIZED (
    SELECT DISTINCT k.patient_id
    FROM mine AS m
    CROSS JOIN LATERAL (
        SELECT f.patient_id
        FROM patient_facilities AS f
        WHERE f.tenant_id = $2 AND f.facility_id = m.facility_id AND f.patient_id > $5 AND f.allowed
        ORDER BY f.patient_id
        LIMIT 1 + $1::int
    ) AS k
    ORDER BY k.patient_id
    LIMIT 1 + $1::int
), shown AS MATERIALIZED (
    SELECT p.tenant_id, p.id, p.facility_id, p.external_id, p.given_name, p.family_name, p.birth_date, p.phone, p.version, p.request_digest, p.created_at, p.allowed_facilities, p.consents
    FROM known AS k
    JOIN patients AS p ON p.tenant_id = $2 AND p.id = k.patient_id
    ORDER BY p.id
    LIMIT $1::int
), audited AS (
    INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
    SELECT s.tenant_id, s.id, $3, 'list-patients'
    FROM shown AS s
)
SELECT patients.tenant_id, patients.id, patients.facility_id, patients.external_id, patients.given_name, patients.family_name, patients.birth_date, patients.phone, patients.version, patients.request_digest, patients.created_at, patients.allowed_facilities, patients.consents, ((SELECT count(*) FROM known) > $1::int)::boolean AS more
FROM shown AS patients
ORDER BY patients.id;

-- name: PatientExists :one
SELECT patient_exists($1, $2)::boolean;

-- name: SeesPatient :one
SELECT EXISTS (
    SELECT FROM patient_viewers AS v
    WHERE v.tenant_id = $1 AND v.patient_id = $2 AND v.user_id = $3);

-- name: ListPatientReads :many
SELECT tenant_id, id, patient_id, user_id, operation, created_at FROM phi_reads
WHERE tenant_id = $1
    AND patient_id = $2
    AND (created_at, id) < ($3::timestamptz, $4::uuid)
ORDER BY created_at DESC, id DESC
LIMIT $5::int;

-- name: CreatePhoneNumber :one
INSERT INTO phone_numbers (tenant_id, id, user_id, number, request_digest)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant_id, id) DO NOTHING
RETURNING tenant_id, id, user_id, number, request_digest, created_at;

-- name: DeletePhoneNumber :execrows
DELETE FROM phone_numbers
WHERE tenant_id = $1 AND user_id = $2 AND id = $3;

-- name: GetPhoneNumber :one
SELECT tenant_id, id, user_id, number, request_digest, created_at FROM phone_numbers WHERE tenant_id = $1 AND id = $2;

-- name: ListPhoneNumbers :many
SELECT tenant_id, id, user_id, number, request_digest, created_at FROM phone_numbers
WHERE tenant_id = $1
    AND user_id = $2
    AND (created_at, id) < ($3::timestamptz, $4::uuid)
ORDER BY created_at DESC, id DESC
LIMIT $5::int;

-- name: FindNewEvents :many
SELECT t.tenant_id::uuid AS tenant_id, e.xid
FROM unnest($1::uuid[], $2::text[]) AS t (tenant_id, since_xid)
CROSS JOIN LATERAL (
    SELECT e.xid
    FROM pickup_events AS e
    WHERE e.tenant_id = t.tenant_id AND e.xid >= t.since_xid::xid8
    ORDER BY e.xid, e.seq
    LIMIT 1
) AS e;

-- name: GetMovedPickup :one
WITH told AS MATERIALIZED (
    SELECT
        p.tenant_id,
        p.id,
        p.patient_id,
        coalesce(role_sees_pickup($1::user_role, p.status, p.driver_id, $2::uuid)
            OR $1 = 'staff' AND EXISTS (
                SELECT FROM facility_viewers AS v
                WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = $3),
                    false) AS seen,
        e.transition,
        e.after AS event_after,
        e.version AS event_version,
        e.created_at AS event_created_at
    FROM pickup_events AS e
    JOIN pickups AS p ON p.tenant_id = e.tenant_id AND p.id = e.pickup_id
    WHERE e.tenant_id = $4
        AND e.id = $5
        AND e.actor_id = $3::uuid
), audited AS (
    INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
    SELECT t.tenant_id, t.patient_id, $3, t.transition::text || '-pickup'
    FROM told AS t
    WHERE t.patient_id IS NOT NULL AND t.seen
)
SELECT
    p.tenant_id, p.id, p.status, p.previous_status, p.facility_id, p.account_id, p.requested_by, p.driver_id, p.price_cents, p.charged_cents, p.refunded_cents, p.pickup_address, p.pickup_latitude, p.pickup_longitude, p.dropoff_address, p.window_start, p.window_end, p.note, p.cancel_reason, p.version, p.request_digest, p.created_at, p.updated_at, p.patient_id,
    t.seen::boolean AS seen,
    t.event_after::pickup_status AS event_after,
    t.event_version::bigint AS event_version,
    t.event_created_at::timestamptz AS event_created_at
FROM told AS t
JOIN pickups AS p ON p.tenant_id = t.tenant_id AND p.id = t.id;

-- name: GetPickupEvent :one
SELECT tenant_id, id, pickup_id, version, transition, actor_id, before, after, driver_id, idempotency_key, request_digest, created_at, xid, seq FROM pickup_events WHERE tenant_id = $1 AND id = $2;

-- name: GetStreamHorizon :one
WITH locks AS MATERIALIZED (
    SELECT l.virtualtransaction, l.transactionid, l.relation
    FROM pg_locks AS l
    WHERE (l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock')
        OR (l.locktype = 'relation'
            AND l.mode = 'RowExclusiveLock'
            AND l.relation = 'pickup_events'::regclass
            AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()))
), writers AS (
    SELECT l.virtualtransaction, count(l.transactionid) > 0 AS has_xid
    FROM locks AS l
    GROUP BY l.virtualtransaction
    HAVING count(l.relation) > 0
), running AS (
    SELECT x.xid, l.virtualtransaction
    FROM pg_snapshot_xip(pg_current_snapshot()) AS x (xid)
    LEFT JOIN locks AS l ON l.transactionid = x.xid::xid
)
SELECT
    least(
        pg_snapshot_xmax(pg_current_snapshot()),
        (
            SELECT r.xid
            FROM running AS r
            WHERE r.virtualtransaction IN (SELECT w.virtualtransaction FROM writers AS w)
                OR (r.virtualtransaction IS NULL AND EXISTS (SELECT FROM writers AS w WHERE NOT w.has_xid))
            ORDER BY r.xid
            LIMIT 1
        )
    )::text AS xid,
    pg_snapshot_xmax(pg_current_snapshot())::text AS newest_xid;

-- name: ListPickupEvents :many
SELECT e.tenant_id, e.id, e.pickup_id, e.version, e.transition, e.actor_id, e.before, e.after, e.driver_id, e.idempotency_key, e.request_digest, e.created_at, e.xid, e.seq
FROM pickup_events AS e
JOIN pickups AS p ON p.tenant_id = e.tenant_id AND p.id = e.pickup_id
WHERE e.tenant_id = $1
    AND e.pickup_id = $2
    AND e.version > $3::bigint
    AND (role_sees_pickup($4::user_role, p.status, p.driver_id, $5::uuid)
        OR $4::user_role = 'staff' AND EXISTS (
        SELECT FROM facility_viewers AS v
        WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = $6))
    AND ($4 = 'staff' OR role_sees_event($4, e.after, e.driver_id, $5))
    AND ($4 <> 'driver' OR e.created_at >= (
        SELECT d.user_since FROM drivers AS d
        WHERE d.tenant_id = $1 AND d.id = $5 AND d.user_id = $6))
ORDER BY e.version
LIMIT $7::int;

-- name: MoveStreamHorizon :one
SELECT pg_current_xact_id()::text AS xid;

-- name: StreamPickupEvents :many
WITH page AS MATERIALIZED (
    SELECT e.tenant_id, e.id, e.pickup_id, e.version, e.transition, e.actor_id, e.before, e.after, e.driver_id, e.idempotency_key, e.request_digest, e.created_at, e.xid, e.seq
    FROM pickup_events AS e
    WHERE e.tenant_id = $1
        AND (e.xid, e.seq) > (($2::text)::xid8, $3::bigint)
        AND e.xid < ($4::text)::xid8
    ORDER BY e.xid, e.seq
    LIMIT $5::int
), staffs AS MATERIALIZED (
    SELECT p.id
    FROM (SELECT DISTINCT e.pickup_id FROM page AS e) AS k
    CROSS JOIN LATERAL (
        SELECT p.id
        FROM pickups AS p
        JOIN facility_viewers AS v ON v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id
        WHERE p.tenant_id = $1 AND p.id = k.pickup_id AND v.user_id = $6
        LIMIT 1
    ) AS p
), judged AS MATERIALIZED (
    SELECT
        e.tenant_id, e.id, e.pickup_id, e.version, e.transition, e.actor_id, e.before, e.after, e.driver_id, e.idempotency_key, e.request_digest, e.created_at, e.xid, e.seq,
        coalesce(
            (role_sees_event($7::user_role, e.after, e.driver_id, $8::uuid)
                OR $7 = 'staff' AND e.pickup_id IN (SELECT s.id FROM staffs AS s))
            AND ($7 <> 'driver' OR e.created_at >= (
                SELECT d.user_since FROM drivers AS d
                WHERE d.tenant_id = $1 AND d.id = $8 AND d.user_id = $6)),
            false) AS seen,
        row_number() OVER (ORDER BY e.xid, e.seq) AS place,
        count(*) OVER () AS page_rows
    FROM page AS e
)
SELECT
    j.tenant_id, j.id, j.pickup_id, j.version, j.transition, j.actor_id, j.before, j.after, j.driver_id,
    j.idempotency_key, j.request_digest, j.created_at, j.xid, j.seq,
    j.seen::boolean AS seen,
    j.page_rows::bigint AS page_rows
FROM judged AS j
WHERE (j.seen OR j.place = j.page_rows)
ORDER BY j.xid, j.seq;

-- name: ConfirmPickups :exec
SELECT refuse_authority('WB003')
FROM (
    SELECT DISTINCT a.tenant_id, a.viewer_id, p.facility_id
    FROM (
        SELECT tenant_id, id, viewer_id
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS u (tenant_id, id, viewer_id)
        LIMIT cardinality($1::uuid[]) -- see GetSessions
    ) AS a
    CROSS JOIN LATERAL (
        SELECT w.facility_id
        FROM pickups AS w
        WHERE w.tenant_id = a.tenant_id AND w.id = a.id AND w.xmin = pg_current_xact_id_if_assigned()::xid
        LIMIT 1
    ) AS p
) AS wrote
LEFT JOIN LATERAL (
    SELECT v.facility_id
    FROM facility_viewers AS v
    WHERE v.tenant_id = wrote.tenant_id AND v.facility_id = wrote.facility_id AND v.user_id = wrote.viewer_id
    LIMIT 1
) AS seen ON true
WHERE seen.facility_id IS NULL;

-- name: CreatePickups :many
WITH asked AS (
    SELECT u.batch, u.tenant_id, u.id, u.viewer_id, u.viewer_role, u.facility_id, u.account_id, u.patient_id, u.price_cents, u.pickup_address, u.pickup_latitude, u.pickup_longitude, u.dropoff_address, u.window_start, u.window_end, u.note, u.request_digest, row_number() OVER () AS ord
    FROM (
        SELECT
            unnest($1::int[]) AS batch,
            unnest($2::uuid[]) AS tenant_id,
            unnest($3::uuid[]) AS id,
            unnest($4::uuid[]) AS viewer_id,
            unnest($5::text[])::user_role AS viewer_role,
            unnest($6::uuid[]) AS facility_id,
            unnest($7::uuid[]) AS account_id,
            unnest($8::uuid[]) AS patient_id,
            unnest($9::bigint[]) AS price_cents,
            unnest($10::text[]) AS pickup_address,
            unnest($11::float8[]) AS pickup_latitude,
            unnest($12::float8[]) AS pickup_longitude,
            unnest($13::text[]) AS dropoff_address,
            unnest($14::timestamptz[]) AS window_start,
            unnest($15::timestamptz[]) AS window_end,
            unnest($16::text[]) AS note,
            unnest($17::bytea[]) AS request_digest
    ) AS u
), known AS (
    SELECT p.tenant_id, p.id, p.request_digest
    FROM asked AS a
    JOIN pickups AS p ON p.tenant_id = a.tenant_id AND p.id = a.id
), acceptable AS MATERIALIZED (
    SELECT a.ord
    FROM asked AS a
    JOIN facilities AS f ON f.tenant_id = a.tenant_id AND f.id = a.facility_id
    JOIN accounts AS c ON c.tenant_id = a.tenant_id AND c.id = a.account_id
    LEFT JOIN known AS k ON k.tenant_id = a.tenant_id AND k.id = a.id
    WHERE (k.id IS NULL OR k.request_digest = a.request_digest)
        AND (a.viewer_role = 'dispatcher' OR EXISTS (
            SELECT FROM facility_viewers AS v
            WHERE v.tenant_id = f.tenant_id AND v.facility_id = f.id AND v.user_id = a.viewer_id))
        AND (a.patient_id = '00000000-0000-0000-0000-000000000000' OR EXISTS (
            SELECT FROM patient_viewers AS v
            WHERE v.tenant_id = a.tenant_id AND v.patient_id = a.patient_id AND v.user_id = a.viewer_id))
), created AS (
    INSERT INTO pickups (
        tenant_id, id, requested_by, facility_id, account_id, patient_id, price_cents,
        pickup_address, pickup_latitude, pickup_longitude, dropoff_address, window_start, window_end,
        note, request_digest)
    SELECT
        a.tenant_id, a.id, a.viewer_id, a.facility_id, a.account_id,
        nullif(a.patient_id, '00000000-0000-0000-0000-000000000000'), a.price_cents,
        a.pickup_address, nullif(a.pickup_latitude, 'NaN'), nullif(a.pickup_longitude, 'NaN'), a.dropoff_address,
        nullif(a.window_start, '0001-01-01 00:00:00Z'), nullif(a.window_end, '0001-01-01 00:00:00Z'),
        nullif(a.note, ''), a.request_digest
    FROM asked AS a
    WHERE a.batch NOT IN (SELECT b.batch FROM asked AS b WHERE b.ord NOT IN (SELECT c.ord FROM acceptable AS c))
        AND NOT EXISTS (SELECT FROM known AS k WHERE k.tenant_id = a.tenant_id AND k.id = a.id)
    ORDER BY a.tenant_id, a.id
    RETURNING tenant_id, id, status, previous_status, facility_id, account_id, requested_by, driver_id, price_cents, charged_cents, refunded_cents, pickup_address, pickup_latitude, pickup_longitude, dropoff_address, window_start, window_end, note, cancel_reason, version, request_digest, created_at, updated_at, patient_id
), audited AS (
    INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
    SELECT c.tenant_id, c.patient_id, c.requested_by, $18::text
    FROM created AS c
    WHERE c.patient_id IS NOT NULL
)
SELECT pickups.tenant_id, pickups.id, pickups.status, pickups.previous_status, pickups.facility_id, pickups.account_id, pickups.requested_by, pickups.driver_id, pickups.price_cents, pickups.charged_cents, pickups.refunded_cents, pickups.pickup_address, pickups.pickup_latitude, pickups.pickup_longitude, pickups.dropoff_address, pickups.window_start, pickups.window_end, pickups.note, pickups.cancel_reason, pickups.version, pickups.request_digest, pickups.created_at, pickups.updated_at, pickups.patient_id FROM created AS pickups;

-- name: DispatchPickup :many
WITH locked AS MATERIALIZED (
    SELECT
        p.tenant_id, p.id, t.transition, t.after, t.text,
        coalesce(p.pickup_latitude, f.latitude) AS latitude,
        coalesce(p.pickup_longitude, f.longitude) AS longitude
    FROM pickups AS p
    JOIN facilities AS f ON f.tenant_id = p.tenant_id AND f.id = p.facility_id
    JOIN pickup_transitions AS t ON t.transition = 'dispatch' AND $1::user_role = ANY (t.roles)
    WHERE p.tenant_id = $2
        AND p.id = $3
        AND p.status = ANY (t.before)
        AND ($4::bigint = 0 OR p.version = $4)
        AND NOT EXISTS (
            SELECT FROM pickup_events AS e
            WHERE e.tenant_id = p.tenant_id AND e.pickup_id = p.id AND e.idempotency_key = $5::text)
    FOR NO KEY UPDATE OF p
), nearest AS MATERIALIZED (
    SELECT s.tenant_id, s.driver_id
    FROM locked AS l
    JOIN driver_slots AS s ON s.tenant_id = l.tenant_id
    JOIN drivers AS d ON d.tenant_id = s.tenant_id AND d.id = s.driver_id
    WHERE s.pickup_id IS NULL
        AND s.on_duty
        AND d.located_at IS NOT NULL
    ORDER BY
        -- The haversine: monotonic in the distance, and precise for short ones.
        sin(radians(d.latitude - l.latitude) / 2) ^ 2
            + cos(radians(l.latitude)) * cos(radians(d.latitude)) * sin(radians(d.longitude - l.longitude) / 2) ^ 2,
        d.id
    LIMIT 1
    FOR UPDATE OF s SKIP LOCKED
), moved AS (
    UPDATE pickups AS p
    SET status = l.after,
        previous_status = p.status,
        driver_id = n.driver_id,
        version = p.version + 1,
        updated_at = now()
    FROM locked AS l
    JOIN nearest AS n ON n.tenant_id = l.tenant_id
    WHERE p.tenant_id = l.tenant_id AND p.id = l.id
    RETURNING p.tenant_id, p.id, p.status, p.previous_status, p.facility_id, p.account_id, p.requested_by, p.driver_id, p.price_cents, p.charged_cents, p.refunded_cents, p.pickup_address, p.pickup_latitude, p.pickup_longitude, p.dropoff_address, p.window_start, p.window_end, p.note, p.cancel_reason, p.version, p.request_digest, p.created_at, p.updated_at, p.patient_id
), won AS MATERIALIZED (
    SELECT
        m.tenant_id, m.id, m.version, m.previous_status, m.status, m.driver_id, m.requested_by, m.patient_id,
        l.transition, $6::uuid AS viewer_id, $5::text AS idempotency_key,
        $7::bytea AS request_digest, $8::uuid AS move_id, l.text,
        coalesce(role_sees_pickup($1::user_role, m.status, m.driver_id, NULL), false) AS seen
    FROM moved AS m
    JOIN locked AS l ON l.tenant_id = m.tenant_id AND l.id = m.id
), taken AS (
    UPDATE driver_slots AS s
    SET pickup_id = w.id
    FROM won AS w
    WHERE s.tenant_id = w.tenant_id AND s.driver_id = w.driver_id
), event AS (
    INSERT INTO pickup_events (
        tenant_id, id, pickup_id, version, transition, actor_id, before, after, driver_id,
        idempotency_key, request_digest)
    SELECT
        w.tenant_id, w.move_id, w.id, w.version, w.transition, w.viewer_id, w.previous_status, w.status, w.driver_id,
        nullif(w.idempotency_key, ''), w.request_digest
    FROM won AS w
), audited AS (
    INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
    SELECT w.tenant_id, w.patient_id, w.viewer_id, w.transition::text || '-pickup'
    FROM won AS w
    WHERE w.patient_id IS NOT NULL AND w.seen
), owed AS (
    SELECT
        w.tenant_id, w.move_id, w.id AS pickup_id, w.text,
        (
            SELECT n.number
            FROM phone_numbers AS n
            WHERE n.tenant_id = w.tenant_id AND n.user_id = w.requested_by
            ORDER BY n.created_at, n.id
            LIMIT 1
        ) AS to_number
    FROM won AS w
    JOIN flags AS f ON f.tenant_id = w.tenant_id
    WHERE f.name = 'pickup_texts' AND f.enabled AND w.text IS NOT NULL
), message AS (
    INSERT INTO messages (tenant_id, id, pickup_id, event_id, to_number, body, status, reason)
    SELECT
        o.tenant_id, o.move_id, o.pickup_id, o.move_id, o.to_number, o.text,
        CASE WHEN o.to_number IS NULL THEN 'FAILED'::message_status ELSE 'QUEUED' END,
        CASE WHEN o.to_number IS NULL THEN 'no_number' END
    FROM owed AS o
), text_job AS (
    INSERT INTO river_job (kind, queue, args)
    SELECT 'send_text', 'texts', jsonb_build_object('tenant_id', o.tenant_id, 'message_id', o.move_id)
    FROM owed AS o
    WHERE o.to_number IS NOT NULL
)
SELECT
    pickups.tenant_id, pickups.id, pickups.status, pickups.previous_status, pickups.facility_id, pickups.account_id, pickups.requested_by, pickups.driver_id, pickups.price_cents, pickups.charged_cents, pickups.refunded_cents, pickups.pickup_address, pickups.pickup_latitude, pickups.pickup_longitude, pickups.dropoff_address, pickups.window_start, pickups.window_end, pickups.note, pickups.cancel_reason, pickups.version, pickups.request_digest, pickups.created_at, pickups.updated_at, pickups.patient_id,
    s.seen::boolean AS seen,
    (SELECT count(w.text) FROM won AS w)::int AS texts_owed,
    (SELECT count(*) FROM owed)::int AS texts_enqueued
FROM moved AS pickups
JOIN won AS s ON s.tenant_id = pickups.tenant_id AND s.id = pickups.id;

-- name: EditPickup :one
WITH edited AS (
    UPDATE pickups AS p
    SET facility_id = coalesce($1, p.facility_id),
        account_id = coalesce($2, p.account_id),
        patient_id = CASE WHEN $3::boolean THEN $4 ELSE p.patient_id END,
        price_cents = coalesce($5, p.price_cents),
        pickup_address = coalesce($6, p.pickup_address),
        pickup_latitude = CASE WHEN $7::boolean THEN $8
            ELSE p.pickup_latitude END,
        pickup_longitude = CASE WHEN $9::boolean THEN $10
            ELSE p.pickup_longitude END,
        dropoff_address = coalesce($11, p.dropoff_address),
        window_start = CASE WHEN $12::boolean THEN $13::timestamptz
            ELSE p.window_start END,
        window_end = CASE WHEN $14::boolean THEN $15::timestamptz ELSE p.window_end END,
        note = CASE WHEN $16::boolean THEN $17 ELSE p.note END,
        version = p.version + 1,
        updated_at = now()
    WHERE p.tenant_id = $18
        AND p.id = $19
        AND p.version = $20
        AND p.status = 'DRAFT'
        -- As in the row's constraints, whose violation would write an error to the server's log.
        AND (CASE WHEN $12::boolean THEN $13::timestamptz ELSE p.window_start END
            < CASE WHEN $14::boolean THEN $15::timestamptz
                ELSE p.window_end END) IS NOT FALSE
        AND num_nulls(
            CASE WHEN $7::boolean THEN $8::float8
                ELSE p.pickup_latitude END,
            CASE WHEN $9::boolean THEN $10::float8
                ELSE p.pickup_longitude END) <> 1
        AND EXISTS (
            SELECT FROM facility_viewers AS v
            WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = $21)
        -- A facility or patient that the editor does not see is treated as not found.
        AND ($1::uuid IS NULL OR EXISTS (
            SELECT FROM facility_viewers AS v
            WHERE v.tenant_id = p.tenant_id AND v.facility_id = $1 AND v.user_id = $21))
        AND ($4::uuid IS NULL OR EXISTS (
            SELECT FROM patient_viewers AS v
            WHERE v.tenant_id = p.tenant_id AND v.patient_id = $4 AND v.user_id = $21))
    RETURNING p.tenant_id, p.id, p.status, p.previous_status, p.facility_id, p.account_id, p.requested_by, p.driver_id, p.price_cents, p.charged_cents, p.refunded_cents, p.pickup_address, p.pickup_latitude, p.pickup_longitude, p.dropoff_address, p.window_start, p.window_end, p.note, p.cancel_reason, p.version, p.request_digest, p.created_at, p.updated_at, p.patient_id
), audited AS (
    INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
    SELECT e.tenant_id, e.patient_id, $21, 'edit-pickup'
    FROM edited AS e
    WHERE e.patient_id IS NOT NULL
)
SELECT pickups.tenant_id, pickups.id, pickups.status, pickups.previous_status, pickups.facility_id, pickups.account_id, pickups.requested_by, pickups.driver_id, pickups.price_cents, pickups.charged_cents, pickups.refunded_cents, pickups.pickup_address, pickups.pickup_latitude, pickups.pickup_longitude, pickups.dropoff_address, pickups.window_start, pickups.window_end, pickups.note, pickups.cancel_reason, pickups.version, pickups.request_digest, pickups.created_at, pickups.updated_at, pickups.patient_id FROM edited AS pickups;

-- name: ExplainCreatePickups :many
SELECT
    (a.ord - 1)::int AS item,
    (p.id IS NOT NULL)::boolean AS known,
    coalesce(p.request_digest = a.request_digest, false)::boolean AS same_request,
    (f.id IS NOT NULL)::boolean AS facility_found,
    (c.id IS NOT NULL)::boolean AS account_found,
    (a.patient_id = '00000000-0000-0000-0000-000000000000' OR EXISTS (
        SELECT FROM patient_viewers AS v
        WHERE v.tenant_id = $1 AND v.patient_id = a.patient_id AND v.user_id = $2
    ))::boolean AS patient_found
FROM unnest(
    $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::bytea[]
) WITH ORDINALITY AS a (id, facility_id, account_id, patient_id, request_digest, ord)
LEFT JOIN pickups AS p ON p.tenant_id = $1 AND p.id = a.id
LEFT JOIN facilities AS f ON f.tenant_id = $1 AND f.id = a.facility_id
    AND ($8::user_role = 'dispatcher' OR EXISTS (
        SELECT FROM facility_viewers AS v
        WHERE v.tenant_id = f.tenant_id AND v.facility_id = f.id AND v.user_id = $2))
LEFT JOIN accounts AS c ON c.tenant_id = $1 AND c.id = a.account_id
ORDER BY a.ord;

-- name: ExplainDriver :one
SELECT (s.pickup_id IS NOT NULL)::boolean AS busy
FROM driver_slots AS s
WHERE s.tenant_id = $1 AND s.driver_id = $2;

-- name: ExplainEditPickup :one
SELECT
    p.version,
    p.status,
    ((CASE WHEN $1::boolean THEN $2::timestamptz ELSE p.window_start END
        < CASE WHEN $3::boolean THEN $4::timestamptz
            ELSE p.window_end END) IS NOT FALSE)::boolean AS window_fits,
    (num_nulls(
        CASE WHEN $5::boolean THEN $6::float8 ELSE p.pickup_latitude END,
        CASE WHEN $7::boolean THEN $8::float8
            ELSE p.pickup_longitude END) <> 1)::boolean AS point_fits,
    ($9::uuid IS NULL OR EXISTS (
        SELECT FROM facility_viewers AS v
        WHERE v.tenant_id = p.tenant_id AND v.facility_id = $9
            AND v.user_id = $10))::boolean AS facility_found,
    ($11::uuid IS NULL OR EXISTS (
        SELECT FROM patient_viewers AS v
        WHERE v.tenant_id = p.tenant_id AND v.patient_id = $11
            AND v.user_id = $10))::boolean AS patient_found
FROM pickups AS p
WHERE p.tenant_id = $12
    AND p.id = $13
    AND EXISTS (
        SELECT FROM facility_viewers AS v
        WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = $10::uuid);

-- name: ExplainTransition :one
WITH now AS MATERIALIZED (
    SELECT
        p.tenant_id,
        p.id,
        p.patient_id,
        coalesce(role_sees_pickup($1::user_role, p.status, p.driver_id, $2::uuid)
            OR v.user_id IS NOT NULL, false) AS seen,
        coalesce(e.after, p.status) AS event_after,
        coalesce(e.version, p.version) AS event_version,
        coalesce(e.created_at, p.updated_at) AS event_created_at,
        $1 = ANY (t.roles) AS role_may,
        p.status = ANY (t.before) AS legal_now,
        (t.money IS DISTINCT FROM 'charge' OR c.balance_cents >= p.price_cents) AS affordable_now,
        e.id IS NOT NULL AS key_used,
        coalesce(e.transition = t.transition AND e.request_digest = $3::bytea, false) AS same_request
    FROM pickups AS p
    JOIN accounts AS c ON c.tenant_id = p.tenant_id AND c.id = p.account_id
    JOIN pickup_transitions AS t ON t.transition = $4::transition_name
    LEFT JOIN pickup_events AS e
        ON e.tenant_id = p.tenant_id AND e.pickup_id = p.id AND e.idempotency_key = $5::text
    LEFT JOIN LATERAL (
        SELECT w.user_id
        FROM facility_viewers AS w
        WHERE $1::user_role = 'staff' AND w.tenant_id = p.tenant_id AND w.facility_id = p.facility_id
            AND w.user_id = $6::uuid
        LIMIT 1
    ) AS v ON true
    WHERE p.tenant_id = $7
        AND p.id = $8
        AND (role_sees_pickup($1, p.status, p.driver_id, $2) OR v.user_id IS NOT NULL
            OR e.actor_id = $6 AND e.transition = t.transition AND e.request_digest = $3)
), audited AS (
    INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
    SELECT n.tenant_id, n.patient_id, $6, ($4::transition_name)::text || '-pickup'
    FROM now AS n
    WHERE n.patient_id IS NOT NULL AND n.role_may AND n.same_request AND n.seen
)
SELECT
    p.tenant_id, p.id, p.status, p.previous_status, p.facility_id, p.account_id, p.requested_by, p.driver_id, p.price_cents, p.charged_cents, p.refunded_cents, p.pickup_address, p.pickup_latitude, p.pickup_longitude, p.dropoff_address, p.window_start, p.window_end, p.note, p.cancel_reason, p.version, p.request_digest, p.created_at, p.updated_at, p.patient_id,
    s.seen::boolean AS seen,
    s.event_after::pickup_status AS event_after,
    s.event_version::bigint AS event_version,
    s.event_created_at::timestamptz AS event_created_at,
    s.role_may::boolean AS role_may,
    s.legal_now::boolean AS legal_now,
    s.affordable_now::boolean AS affordable_now,
    ARRAY(
        SELECT n.transition::text
        FROM pickup_transitions AS n
        WHERE p.status = ANY (n.before) AND $1::user_role = ANY (n.roles)
        ORDER BY n.transition
    )::text[] AS allowed,
    s.key_used::boolean AS key_used,
    s.same_request::boolean AS same_request
FROM now AS s
JOIN pickups AS p ON p.tenant_id = s.tenant_id AND p.id = s.id;

-- name: GetPickups :many
WITH seen AS MATERIALIZED (
    SELECT p.tenant_id, p.id, p.status, p.previous_status, p.facility_id, p.account_id, p.requested_by, p.driver_id, p.price_cents, p.charged_cents, p.refunded_cents, p.pickup_address, p.pickup_latitude, p.pickup_longitude, p.dropoff_address, p.window_start, p.window_end, p.note, p.cancel_reason, p.version, p.request_digest, p.created_at, p.updated_at, p.patient_id, a.asked, a.viewer_id, a.operation
    FROM (
        SELECT tenant_id, id, viewer_id, viewer_role, viewer_driver_id, operation, asked
        FROM unnest(
            $1::uuid[],
            $2::uuid[],
            $3::uuid[],
            ($4::text[])::user_role[],
            $5::uuid[],
            $6::text[]
        ) WITH ORDINALITY AS u (tenant_id, id, viewer_id, viewer_role, viewer_driver_id, operation, asked)
        LIMIT cardinality($1::uuid[]) -- see GetSessions
    ) AS a
    JOIN pickups AS p ON p.tenant_id = a.tenant_id AND p.id = a.id
    WHERE (role_sees_pickup(a.viewer_role, p.status, p.driver_id, a.viewer_driver_id) OR a.viewer_role = 'staff'
        AND EXISTS (
        SELECT FROM facility_viewers AS v
        WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = a.viewer_id))
), audited AS (
    INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
    SELECT s.tenant_id, s.patient_id, s.viewer_id, s.operation
    FROM seen AS s
    WHERE s.patient_id IS NOT NULL AND s.operation <> ''
)
SELECT
    s.tenant_id, s.id, s.status, s.previous_status, s.facility_id, s.account_id, s.requested_by,
    s.driver_id, s.price_cents, s.charged_cents, s.refunded_cents, s.pickup_address, s.pickup_latitude,
    s.pickup_longitude, s.dropoff_address, s.window_start, s.window_end, s.note, s.cancel_reason, s.version,
    s.request_digest, s.created_at, s.updated_at, s.patient_id,
    s.asked::bigint AS asked
FROM seen AS s;

-- name: HasFreeDriver :one
SELECT EXISTS (
    SELECT FROM driver_slots AS s
    JOIN drivers AS d ON d.tenant_id = s.tenant_id AND d.id = s.driver_id
    WHERE s.tenant_id = $1
        AND s.pickup_id IS NULL
        AND s.on_duty
        AND d.located_at IS NOT NULL
);

-- name: ListPickups :many
WITH asked AS MATERIALIZED (
    SELECT
        $2::uuid AS tenant_id,
        $3::uuid AS viewer_id,
        $4::user_role AS viewer_role,
        $5::uuid AS viewer_driver_id,
        $6::pickup_status AS status,
        $7::uuid AS facility_id,
        CASE WHEN $4 = 'driver' THEN $5 ELSE $8::uuid END AS driver_id,
        coalesce($8 = $5, true) OR $4 <> 'driver' AS is_own,
        $9::timestamptz AS since,
        least($10::timestamptz, $11::timestamptz) AS created_at,
        CASE
            WHEN $10 < $11 THEN $12::uuid
            ELSE '00000000-0000-0000-0000-000000000000'
        END AS id,
        1 + $1::int AS most
), listed AS MATERIALIZED (
    SELECT s.status
    FROM asked AS a
    CROSS JOIN unnest(enum_range(NULL::pickup_status)) AS s (status)
    WHERE (a.viewer_role = 'staff' OR role_sees_pickup(a.viewer_role, s.status, a.driver_id, a.viewer_driver_id))
        AND s.status = coalesce(a.status, s.status)
        AND a.is_own
), statuses AS MATERIALIZED (
    -- One NULL, where they are all there are.
    SELECT DISTINCT
        CASE
            WHEN a.driver_id IS NOT NULL OR (SELECT count(*) FROM listed) < cardinality(enum_range(NULL::pickup_status))
                THEN l.status
        END AS status
    FROM asked AS a
    CROSS JOIN listed AS l
), mine AS MATERIALIZED (
    SELECT DISTINCT v.facility_id
    FROM asked AS a
    JOIN facility_viewers AS v ON v.tenant_id = a.tenant_id AND v.user_id = a.viewer_id
    WHERE a.viewer_role = 'staff' AND v.facility_id = coalesce(a.facility_id, v.facility_id)
), wide AS MATERIALIZED (
    SELECT CASE WHEN (SELECT count(*) FROM mine) > 50 THEN 2 * a.most ELSE 0 END AS most
    FROM asked AS a
), newest AS MATERIALIZED (
    SELECT n.created_at, n.id, f.facility_id IN (SELECT m.facility_id FROM mine AS m) AS is_theirs
    FROM asked AS a
    CROSS JOIN wide AS w
    CROSS JOIN statuses AS s
    -- Called with a subselect, it would not be put in the place of the call.
    CROSS JOIN LATERAL newest_pickups(
        a.tenant_id, NULL, a.driver_id, s.status, a.since, a.created_at, a.id, w.most
    ) AS n (created_at, id, facility_id)
    -- By their keys: an index that has the facility too would seem worth to be read as a whole.
    CROSS JOIN LATERAL (
        SELECT k.facility_id
        FROM pickups AS k
        WHERE k.tenant_id = a.tenant_id AND k.id = n.id
        LIMIT 1
    ) AS f
), tried AS MATERIALIZED (
    SELECT
        (SELECT count(*) FROM mine) > 50
            AND (count(n.id) < 2 * a.most OR count(n.id) FILTER (WHERE n.is_theirs) >= a.most) AS is_enough
    FROM asked AS a
    LEFT JOIN newest AS n ON true
    GROUP BY a.most
), places AS MATERIALIZED (
    -- Where to read on, by the newest that each has.
    SELECT f.facility_id, s.status, row_number() OVER (ORDER BY n.created_at DESC, n.id DESC) AS place
    FROM asked AS a
    CROSS JOIN statuses AS s
    CROSS JOIN (
        SELECT b.facility_id FROM asked AS b WHERE b.viewer_role <> 'staff'
        UNION ALL
        SELECT m.facility_id FROM mine AS m
    ) AS f
    CROSS JOIN LATERAL newest_pickups(
        a.tenant_id, f.facility_id, a.driver_id, s.status, a.since, a.created_at, a.id, 1
    ) AS n (created_at, id, facility_id)
    WHERE NOT (SELECT t.is_enough FROM tried AS t)
), found AS MATERIALIZED (
    SELECT u.created_at, u.id
    FROM (
        SELECT n.created_at, n.id
        FROM newest AS n
        WHERE n.is_theirs AND (SELECT t.is_enough FROM tried AS t)
        UNION ALL
        SELECT n.created_at, n.id
        FROM asked AS a
        CROSS JOIN places AS p
        -- Each place before it has one that is newer than all of those here.
        CROSS JOIN LATERAL newest_pickups(
            a.tenant_id, p.facility_id, a.driver_id, p.status, a.since, a.created_at, a.id, (1 + a.most - p.place)::int
        ) AS n (created_at, id, facility_id)
        WHERE p.place <= a.most
    ) AS u
    ORDER BY u.created_at DESC, u.id DESC
    LIMIT (SELECT a.most FROM asked AS a)
), shown AS MATERIALIZED (
    SELECT p.tenant_id, p.id, p.status, p.previous_status, p.facility_id, p.account_id, p.requested_by, p.driver_id, p.price_cents, p.charged_cents, p.refunded_cents, p.pickup_address, p.pickup_latitude, p.pickup_longitude, p.dropoff_address, p.window_start, p.window_end, p.note, p.cancel_reason, p.version, p.request_digest, p.created_at, p.updated_at, p.patient_id
    FROM asked AS a
    CROSS JOIN (
        SELECT f.id
        FROM found AS f
        ORDER BY f.created_at DESC, f.id DESC
        LIMIT (SELECT b.most - 1 FROM asked AS b)
    ) AS f
    CROSS JOIN LATERAL (
        SELECT tenant_id, id, status, previous_status, facility_id, account_id, requested_by, driver_id, price_cents, charged_cents, refunded_cents, pickup_address, pickup_latitude, pickup_longitude, dropoff_address, window_start, window_end, note, cancel_reason, version, request_digest, created_at, updated_at, patient_id
        FROM pickups AS k
        WHERE k.tenant_id = a.tenant_id
            AND k.id = f.id
        LIMIT 1
    ) AS p
), audited AS (
    INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
    SELECT DISTINCT s.tenant_id, s.patient_id, $3::uuid, 'list-pickups'
    FROM shown AS s
    WHERE s.patient_id IS NOT NULL
)
SELECT pickups.tenant_id, pickups.id, pickups.status, pickups.previous_status, pickups.facility_id, pickups.account_id, pickups.requested_by, pickups.driver_id, pickups.price_cents, pickups.charged_cents, pickups.refunded_cents, pickups.pickup_address, pickups.pickup_latitude, pickups.pickup_longitude, pickups.dropoff_address, pickups.window_start, pickups.window_end, pickups.note, pickups.cancel_reason, pickups.version, pickups.request_digest, pickups.created_at, pickups.updated_at, pickups.patient_id, ((SELECT count(*) FROM found) > $1::int)::boolean AS more
FROM shown AS pickups
ORDER BY pickups.created_at DESC, pickups.id DESC;

-- name: ListTransitions :many
SELECT transition, before::text[] AS from_statuses, after AS to_status, roles::text[] AS roles, has_driver
FROM pickup_transitions
ORDER BY transition
LIMIT 100;

-- name: TransitionPickups :many
WITH asked AS (
    SELECT
        unnest($1::uuid[]) AS tenant_id,
        unnest($2::uuid[]) AS id,
        unnest($3::uuid[]) AS viewer_id,
        unnest($4::text[])::user_role AS viewer_role,
        unnest($5::uuid[]) AS viewer_driver_id,
        unnest($6::text[])::transition_name AS transition,
        unnest($7::bigint[]) AS version,
        unnest($8::text[]) AS idempotency_key,
        unnest($9::bytea[]) AS request_digest,
        unnest($10::uuid[]) AS move_id,
        unnest($11::uuid[]) AS named_driver_id,
        unnest($12::text[]) AS reason
), locked AS MATERIALIZED (
    SELECT
        a.tenant_id, a.id, a.viewer_id, a.viewer_role, a.viewer_driver_id, a.transition, a.idempotency_key,
        a.request_digest, a.move_id, a.reason,
        t.after, t.slot, t.has_driver, t.money, t.text, t.auto_dispatch,
        p.account_id,
        CASE t.slot WHEN 'take' THEN a.named_driver_id ELSE p.driver_id END AS driver_id,
        CASE t.money WHEN 'charge' THEN -p.price_cents WHEN 'refund' THEN p.charged_cents ELSE 0 END AS delta_cents
    FROM asked AS a
    JOIN pickup_transitions AS t ON t.transition = a.transition AND a.viewer_role = ANY (t.roles)
    JOIN pickups AS p ON p.tenant_id = a.tenant_id AND p.id = a.id
    WHERE p.status = ANY (t.before)
        AND (a.version = 0 OR p.version = a.version)
        AND (role_sees_pickup(a.viewer_role, p.status, p.driver_id, a.viewer_driver_id) OR a.viewer_role = 'staff'
            AND EXISTS (
            SELECT FROM facility_viewers AS v
            WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = a.viewer_id))
        -- A known replay is skipped early; the unique index decides.
        AND NOT EXISTS (
            SELECT FROM pickup_events AS e
            WHERE e.tenant_id = a.tenant_id AND e.pickup_id = a.id AND e.idempotency_key = a.idempotency_key)
    ORDER BY p.tenant_id, p.id
    FOR NO KEY UPDATE OF p /* TransitionPickupsSkipLocked: SKIP LOCKED */
), slots AS MATERIALIZED (
    -- To be freed, found only by the driver of the locked row. A condition on pickup_id would also be
    -- tested on the snapshot, and miss a slot taken by the assign that this statement waited for.
    SELECT l.tenant_id, l.id, l.viewer_id, l.viewer_role, l.viewer_driver_id, l.transition, l.idempotency_key, l.request_digest, l.move_id, l.reason, l.after, l.slot, l.has_driver, l.money, l.text, l.auto_dispatch, l.account_id, l.driver_id, l.delta_cents, s.driver_id AS slot_driver_id, CASE l.slot WHEN 'take' THEN l.id ELSE s.pickup_id END AS slot_pickup_id
    FROM locked AS l
    JOIN driver_slots AS s ON s.tenant_id = l.tenant_id AND s.driver_id = l.driver_id
    WHERE (l.slot = 'free' OR l.slot = 'take' AND s.pickup_id IS NULL)
    ORDER BY s.tenant_id, s.driver_id
    FOR UPDATE OF s
), ready AS MATERIALIZED (
    SELECT l.tenant_id, l.id, l.viewer_id, l.viewer_role, l.viewer_driver_id, l.transition, l.idempotency_key, l.request_digest, l.move_id, l.reason, l.after, l.slot, l.has_driver, l.money, l.text, l.auto_dispatch, l.account_id, l.driver_id, l.delta_cents, NULL::uuid AS slot_driver_id, NULL::uuid AS slot_pickup_id
    FROM locked AS l
    WHERE (l.slot = 'keep' OR l.slot = 'free' AND l.driver_id IS NULL)
    UNION ALL
    SELECT s.tenant_id, s.id, s.viewer_id, s.viewer_role, s.viewer_driver_id, s.transition, s.idempotency_key, s.request_digest, s.move_id, s.reason, s.after, s.slot, s.has_driver, s.money, s.text, s.auto_dispatch, s.account_id, s.driver_id, s.delta_cents, s.slot_driver_id, s.slot_pickup_id FROM slots AS s
), funded AS MATERIALIZED (
    SELECT r.tenant_id, r.id, r.viewer_id, r.viewer_role, r.viewer_driver_id, r.transition, r.idempotency_key, r.request_digest, r.move_id, r.reason, r.after, r.slot, r.has_driver, r.money, r.text, r.auto_dispatch, r.account_id, r.driver_id, r.delta_cents, r.slot_driver_id, r.slot_pickup_id, c.balance_cents
    FROM ready AS r
    JOIN accounts AS c ON c.tenant_id = r.tenant_id AND c.id = r.account_id
    WHERE r.delta_cents <> 0
    ORDER BY c.tenant_id, c.id, r.move_id
    FOR NO KEY UPDATE OF c
), paying AS (
    SELECT
        f.tenant_id, f.id, f.viewer_id, f.viewer_role, f.viewer_driver_id, f.transition, f.idempotency_key, f.request_digest, f.move_id, f.reason, f.after, f.slot, f.has_driver, f.money, f.text, f.auto_dispatch, f.account_id, f.driver_id, f.delta_cents, f.slot_driver_id, f.slot_pickup_id, f.balance_cents,
        spend_in_order(f.balance_cents, f.delta_cents) OVER w AS balance_after,
        coalesce(
            spend_in_order(f.balance_cents, f.delta_cents) OVER (w ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
            f.balance_cents) AS balance_before
    FROM funded AS f
    WINDOW w AS (PARTITION BY f.tenant_id, f.account_id ORDER BY f.move_id)
), legal AS MATERIALIZED (
    SELECT r.tenant_id, r.id, r.viewer_id, r.viewer_role, r.viewer_driver_id, r.transition, r.idempotency_key, r.request_digest, r.move_id, r.reason, r.after, r.slot, r.has_driver, r.money, r.text, r.auto_dispatch, r.account_id, r.driver_id, r.delta_cents, r.slot_driver_id, r.slot_pickup_id, 0::bigint AS balance_cents, 0::bigint AS balance_after, 0::bigint AS balance_before
    FROM ready AS r
    WHERE r.delta_cents = 0
    UNION ALL
    SELECT y.tenant_id, y.id, y.viewer_id, y.viewer_role, y.viewer_driver_id, y.transition, y.idempotency_key, y.request_digest, y.move_id, y.reason, y.after, y.slot, y.has_driver, y.money, y.text, y.auto_dispatch, y.account_id, y.driver_id, y.delta_cents, y.slot_driver_id, y.slot_pickup_id, y.balance_cents, y.balance_after, y.balance_before
    FROM paying AS y
    WHERE (y.delta_cents > 0 OR y.balance_after - y.balance_before = y.delta_cents)
), moved AS (
    UPDATE pickups AS p
    SET status = l.after,
        previous_status = p.status,
        driver_id = CASE WHEN l.has_driver THEN l.driver_id END,
        charged_cents = p.charged_cents - l.delta_cents,
        refunded_cents = p.refunded_cents + greatest(l.delta_cents, 0),
        cancel_reason = nullif(l.reason, ''),
        version = p.version + 1,
        updated_at = now()
    FROM legal AS l
    WHERE p.tenant_id = l.tenant_id AND p.id = l.id
    RETURNING p.tenant_id, p.id, p.status, p.previous_status, p.facility_id, p.account_id, p.requested_by, p.driver_id, p.price_cents, p.charged_cents, p.refunded_cents, p.pickup_address, p.pickup_latitude, p.pickup_longitude, p.dropoff_address, p.window_start, p.window_end, p.note, p.cancel_reason, p.version, p.request_digest, p.created_at, p.updated_at, p.patient_id
), won AS MATERIALIZED (
    SELECT
        m.tenant_id, m.id, m.version, m.previous_status, m.status, m.requested_by, m.patient_id, m.account_id,
        l.driver_id, l.transition, l.viewer_id, l.idempotency_key, l.request_digest, l.move_id, l.text,
        l.slot, l.slot_driver_id, l.slot_pickup_id, l.money, l.delta_cents, l.balance_cents, l.auto_dispatch,
        coalesce(l.viewer_role = 'staff' OR role_sees_pickup(l.viewer_role, m.status, m.driver_id,
            l.viewer_driver_id), false) AS seen
    FROM moved AS m
    JOIN legal AS l ON l.tenant_id = m.tenant_id AND l.id = m.id
), slot AS (
    UPDATE driver_slots AS s
    SET pickup_id = CASE w.slot WHEN 'take' THEN w.id END
    FROM won AS w
    WHERE s.tenant_id = w.tenant_id AND s.driver_id = w.slot_driver_id AND w.id = w.slot_pickup_id
), entry AS (
    INSERT INTO ledger_entries (tenant_id, id, account_id, kind, amount_cents, pickup_id, actor_id, request_digest)
    SELECT w.tenant_id, w.move_id, w.account_id, w.money, abs(w.delta_cents), w.id, w.viewer_id, w.request_digest
    FROM won AS w
    WHERE w.delta_cents <> 0
), balance AS (
    UPDATE accounts AS c
    SET balance_cents = n.balance_cents + n.delta_cents,
        balance_version = c.balance_version + 1
    FROM (
        SELECT w.tenant_id, w.account_id, w.balance_cents, sum(w.delta_cents)::bigint AS delta_cents
        FROM won AS w
        WHERE w.delta_cents <> 0
        GROUP BY w.tenant_id, w.account_id, w.balance_cents
    ) AS n
    WHERE c.tenant_id = n.tenant_id AND c.id = n.account_id
), dispatch_job AS (
    INSERT INTO river_job (kind, queue, args)
    SELECT 'dispatch_pickup', 'dispatches', jsonb_build_object('tenant_id', w.tenant_id, 'event_id', w.move_id)
    FROM won AS w
    JOIN flags AS f ON f.tenant_id = w.tenant_id
    WHERE f.name = 'auto_dispatch' AND f.enabled AND w.auto_dispatch
), event AS (
    INSERT INTO pickup_events (
        tenant_id, id, pickup_id, version, transition, actor_id, before, after, driver_id,
        idempotency_key, request_digest)
    SELECT
        w.tenant_id, w.move_id, w.id, w.version, w.transition, w.viewer_id, w.previous_status, w.status, w.driver_id,
        nullif(w.idempotency_key, ''), w.request_digest
    FROM won AS w
), audited AS (
    INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
    SELECT w.tenant_id, w.patient_id, w.viewer_id, w.transition::text || '-pickup'
    FROM won AS w
    WHERE w.patient_id IS NOT NULL AND w.seen
), owed AS (
    SELECT
        w.tenant_id, w.move_id, w.id AS pickup_id, w.text,
        (
            SELECT n.number
            FROM phone_numbers AS n
            WHERE n.tenant_id = w.tenant_id AND n.user_id = w.requested_by
            ORDER BY n.created_at, n.id
            LIMIT 1
        ) AS to_number
    FROM won AS w
    JOIN flags AS f ON f.tenant_id = w.tenant_id
    WHERE f.name = 'pickup_texts' AND f.enabled AND w.text IS NOT NULL
), message AS (
    INSERT INTO messages (tenant_id, id, pickup_id, event_id, to_number, body, status, reason)
    SELECT
        o.tenant_id, o.move_id, o.pickup_id, o.move_id, o.to_number, o.text,
        CASE WHEN o.to_number IS NULL THEN 'FAILED'::message_status ELSE 'QUEUED' END,
        CASE WHEN o.to_number IS NULL THEN 'no_number' END
    FROM owed AS o
), text_job AS (
    INSERT INTO river_job (kind, queue, args)
    SELECT 'send_text', 'texts', jsonb_build_object('tenant_id', o.tenant_id, 'message_id', o.move_id)
    FROM owed AS o
    WHERE o.to_number IS NOT NULL
)
SELECT
    pickups.tenant_id, pickups.id, pickups.status, pickups.previous_status, pickups.facility_id, pickups.account_id, pickups.requested_by, pickups.driver_id, pickups.price_cents, pickups.charged_cents, pickups.refunded_cents, pickups.pickup_address, pickups.pickup_latitude, pickups.pickup_longitude, pickups.dropoff_address, pickups.window_start, pickups.window_end, pickups.note, pickups.cancel_reason, pickups.version, pickups.request_digest, pickups.created_at, pickups.updated_at, pickups.patient_id,
    s.seen::boolean AS seen,
    (SELECT count(w.text) FROM won AS w)::int AS texts_owed,
    (SELECT count(*) FROM owed)::int AS texts_enqueued
FROM moved AS pickups
JOIN won AS s ON s.tenant_id = pickups.tenant_id AND s.id = pickups.id;

-- name: GetOwnerRights :one
SELECT
    current_user::text AS role_name,
    current_database()::text AS database_name,
    (to_regrole('waybill_app') IS NOT NULL)::boolean AS app_exists,
    EXISTS (SELECT FROM pg_roles AS me WHERE me.rolname = current_user
        AND (me.rolsuper OR me.rolcreaterole)) AS may_create_role,
    coalesce(pg_has_role(current_user, to_regrole('waybill_app')::oid, 'MEMBER'), false)::boolean AS is_member,
    EXISTS (
        SELECT FROM pg_roles AS me
        WHERE me.rolname = current_user
            AND (me.rolsuper
                OR me.rolcreaterole AND current_setting('server_version_num')::int < 160000
                OR EXISTS (
                    SELECT FROM pg_auth_members AS m
                    WHERE m.roleid = to_regrole('waybill_app')::oid AND m.member = me.oid AND m.admin_option))
    ) AS may_grant,
    coalesce(has_schema_privilege(current_user, to_regnamespace('public')::oid, 'CREATE'),
        false)::boolean AS may_create;

-- name: IsReadOnly :one
SELECT current_setting('transaction_read_only')::boolean AS is_read_only;

-- name: PlanForArguments :exec
SELECT set_config('plan_cache_mode', 'force_custom_plan', true);

-- name: PlanOnce :exec
SELECT set_config('plan_cache_mode', 'force_generic_plan', true);

-- name: SetLockTimeout :exec
SELECT set_config('lock_timeout', $1::text, true);

-- name: ConfirmSessionOrItsEnd :exec
SELECT refuse_authority(CASE WHEN l.role IS NULL THEN 'WB001' ELSE 'WB002' END)
FROM (
    SELECT tenant_id, token_hash, role, driver_id
    FROM unnest($1::uuid[], $2::bytea[], $3::text[], $4::uuid[])
        AS u (tenant_id, token_hash, role, driver_id)
    LIMIT cardinality($1::uuid[])
) AS a
LEFT JOIN LATERAL (
    SELECT s.role, s.driver_id
    FROM live_sessions AS s
    WHERE s.tenant_id = a.tenant_id AND s.token_hash = a.token_hash
    LIMIT 1
) AS l ON true
WHERE (l.role, l.driver_id) IS DISTINCT FROM (a.role::user_role, a.driver_id)
    AND NOT EXISTS (
        SELECT FROM sessions AS s
        JOIN users AS u ON u.tenant_id = s.tenant_id AND u.id = s.user_id
        LEFT JOIN drivers AS d ON d.tenant_id = s.tenant_id AND (d.user_id = u.id OR d.id = a.driver_id)
        WHERE s.tenant_id = a.tenant_id
            AND s.token_hash = a.token_hash
            AND pg_current_xact_id_if_assigned()::xid IN (s.xmin, u.xmin, d.xmin));

-- name: ConfirmSessions :exec
SELECT refuse_authority(CASE WHEN l.role IS NULL THEN 'WB001' ELSE 'WB002' END)
FROM (
    SELECT tenant_id, token_hash, role, driver_id
    FROM unnest($1::uuid[], $2::bytea[], $3::text[], $4::uuid[])
        AS u (tenant_id, token_hash, role, driver_id)
    LIMIT cardinality($1::uuid[])
) AS a
LEFT JOIN LATERAL (
    SELECT s.role, s.driver_id
    FROM live_sessions AS s
    WHERE s.tenant_id = a.tenant_id AND s.token_hash = a.token_hash
    LIMIT 1
) AS l ON true
WHERE (l.role, l.driver_id) IS DISTINCT FROM (a.role::user_role, a.driver_id);

-- name: CreateSession :one
WITH verified AS (
    SELECT tenant_id, id, email, name, role, active, password_hash, password_epoch, failed_logins, next_login_at, version, request_digest, created_at FROM users
    WHERE tenant_id = $1::uuid
        AND id = $2::uuid
        AND active
        AND password_hash = $3::text
    FOR NO KEY UPDATE
), swept AS (
    -- Their expired sessions: the table does not grow with the number of logins.
    DELETE FROM sessions AS s
    USING verified AS v
    WHERE s.tenant_id = v.tenant_id
        AND s.user_id = v.id
        AND s.expires_at < now()
), opened AS (
    INSERT INTO sessions (tenant_id, token_hash, user_id, password_epoch, expires_at)
    SELECT tenant_id, $4::bytea, id, password_epoch, now() + $5::interval
    FROM verified
    RETURNING expires_at
)
SELECT users.tenant_id, users.id, users.email, users.name, users.role, users.active, users.password_hash, users.password_epoch, users.failed_logins, users.next_login_at, users.version, users.request_digest, users.created_at, opened.expires_at
FROM verified AS users, opened;

-- name: GetSessions :many
SELECT
    a.asked::bigint AS asked,
    s.tenant_id,
    s.user_id,
    s.role,
    s.driver_id,
    t.digest_key,
    s.expires_at,
    (s.last_seen_at + interval '1 minute' - now())::interval AS fresh_for
FROM (
    SELECT tenant_id, token_hash, asked
    FROM unnest($1::uuid[], $2::bytea[]) WITH ORDINALITY AS u (tenant_id, token_hash, asked)
    LIMIT cardinality($1::uuid[])
) AS a
JOIN live_sessions AS s ON s.tenant_id = a.tenant_id AND s.token_hash = a.token_hash
JOIN tenants AS t ON t.id = s.tenant_id
WHERE s.last_seen_at > now() - $3::interval;

-- name: RequireSessions :exec
SELECT refuse_authority('WB004')
FROM (
    SELECT tenant_id, token_hash, user_id, role, driver_id, expires_at
    FROM unnest(
        $1::uuid[], $2::bytea[], $3::uuid[], $4::text[], $5::uuid[],
        $6::timestamptz[])
        AS u (tenant_id, token_hash, user_id, role, driver_id, expires_at)
    LIMIT cardinality($1::uuid[])
) AS a
LEFT JOIN LATERAL (
    SELECT s.user_id, s.role, s.driver_id, s.expires_at
    FROM live_sessions AS s
    WHERE s.tenant_id = a.tenant_id
        AND s.token_hash = a.token_hash
        AND s.last_seen_at > now() - least($7::interval, interval '1 minute')
    LIMIT 1
) AS l ON true
WHERE (l.user_id, l.role, l.driver_id, l.expires_at)
    IS DISTINCT FROM (a.user_id, a.role::user_role, a.driver_id, a.expires_at);

-- name: RevokeSession :execrows
UPDATE sessions
SET revoked_at = now()
WHERE tenant_id = $1
    AND token_hash = $2
    AND revoked_at IS NULL;

-- name: TouchSession :execrows
UPDATE sessions
SET last_seen_at = now()
WHERE tenant_id = $1
    AND token_hash = $2
    AND last_seen_at < now() - interval '1 minute';

-- name: CreateTenant :one
WITH tenant AS (
    INSERT INTO tenants (id, slug, name)
    VALUES ($1::uuid, $2::text, $3::text)
    RETURNING id, slug, name, digest_key, created_at
), switches AS (
    INSERT INTO flags (tenant_id, name, enabled)
    SELECT tenant.id, switch.name, switch.enabled
    FROM tenant, (VALUES ('pickup_texts', true), ('auto_dispatch', false)) AS switch (name, enabled)
)
SELECT tenants.id, tenants.slug, tenants.name, tenants.digest_key, tenants.created_at FROM tenant AS tenants;

-- name: GetTenantBySlug :one
SELECT id, slug, name, digest_key, created_at FROM tenants WHERE slug = $1;

-- name: ListTenants :many
SELECT id, slug
FROM tenants
WHERE slug > $1
ORDER BY slug
LIMIT $2::int;

-- name: ChangePassword :one
UPDATE users
SET password_hash = $1,
    password_epoch = password_epoch + 1
WHERE tenant_id = $2
    AND id = $3
    AND active
    AND password_epoch = $4
RETURNING tenant_id, id, email, name, role, active, password_hash, password_epoch, failed_logins, next_login_at, version, request_digest, created_at;

-- name: CreateUser :one
INSERT INTO users (tenant_id, id, email, name, role, password_hash, request_digest)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (tenant_id, id) DO NOTHING
RETURNING tenant_id, id, email, name, role, active, password_hash, password_epoch, failed_logins, next_login_at, version, request_digest, created_at;

-- name: DeactivateUser :one
WITH admins AS MATERIALIZED (
    SELECT u.id FROM users AS u
    WHERE u.tenant_id = $1::uuid
        AND u.role = 'admin'
        AND u.active
    ORDER BY u.id
    FOR NO KEY UPDATE
), deactivated AS (
    UPDATE users
    SET active = false,
        password_epoch = password_epoch + 1,
        version = version + 1
    WHERE tenant_id = $1::uuid
        AND id = $2::uuid
        AND active
        AND (role <> 'admin' OR EXISTS (SELECT FROM admins AS a WHERE a.id <> $2::uuid))
    RETURNING tenant_id, id, email, name, role, active, password_hash, password_epoch, failed_logins, next_login_at, version, request_digest, created_at
), ended AS (
    UPDATE sessions AS s
    SET revoked_at = now()
    FROM deactivated AS d
    WHERE s.tenant_id = d.tenant_id
        AND s.user_id = d.id
        AND s.revoked_at IS NULL
)
SELECT users.tenant_id, users.id, users.email, users.name, users.role, users.active, users.password_hash, users.password_epoch, users.failed_logins, users.next_login_at, users.version, users.request_digest, users.created_at FROM deactivated AS users;

-- name: EditUser :one
WITH admins AS MATERIALIZED (
    SELECT u.id FROM users AS u
    WHERE u.tenant_id = $4::uuid
        AND u.role = 'admin'
        AND u.active
    ORDER BY u.id
    FOR NO KEY UPDATE
)
UPDATE users
SET email = coalesce($1::text, email),
    name = coalesce($2::text, name),
    role = coalesce($3::user_role, role),
    version = version + 1
WHERE tenant_id = $4::uuid
    AND id = $5::uuid
    AND version = $6::bigint
    AND ($7::user_role = 'admin' OR id = $8::uuid)
    AND (
        coalesce($3::user_role, 'admin') = 'admin'
        OR role <> 'admin'
        OR NOT active
        OR EXISTS (SELECT FROM admins AS a WHERE a.id <> $5::uuid)
    )
RETURNING tenant_id, id, email, name, role, active, password_hash, password_epoch, failed_logins, next_login_at, version, request_digest, created_at;

-- name: GetLogin :one
SELECT id, password_hash FROM users
WHERE tenant_id = $1 AND fold_case(email) = fold_case($2::text) AND active;

-- name: GetPasswordEpoch :one
SELECT coalesce(u.password_epoch, 0)::bigint AS password_epoch
FROM tenants AS t
LEFT JOIN users AS u ON u.tenant_id = t.id AND fold_case(u.email) = fold_case($1::text)
WHERE t.slug = $2;

-- name: GetUser :one
SELECT tenant_id, id, email, name, role, active, password_hash, password_epoch, failed_logins, next_login_at, version, request_digest, created_at FROM users
WHERE tenant_id = $1
    AND id = $2
    AND ($3::user_role IN ('admin', 'dispatcher') OR id = $4);

-- name: ListUsers :many
SELECT tenant_id, id, email, name, role, active, password_hash, password_epoch, failed_logins, next_login_at, version, request_digest, created_at FROM users
WHERE tenant_id = $1
    AND ($2::user_role IN ('admin', 'dispatcher') OR id = $3)
    AND (created_at, id) < ($4::timestamptz, $5::uuid)
ORDER BY created_at DESC, id DESC
LIMIT $6::int;

-- name: MakeAdmin :one
INSERT INTO users AS u (tenant_id, id, email, name, role, password_hash, request_digest)
SELECT t.id, $1::uuid, $2::text, $2::text, 'admin', $3::text, $4::bytea
FROM tenants AS t
WHERE t.slug = $5::text
ON CONFLICT (tenant_id, fold_case(email)) DO UPDATE
SET role = 'admin',
    active = true,
    password_hash = excluded.password_hash,
    password_epoch = u.password_epoch + 1,
    version = u.version + 1
WHERE u.password_epoch = $6::bigint
RETURNING tenant_id, id, email, name, role, active, password_hash, password_epoch, failed_logins, next_login_at, version, request_digest, created_at;

-- name: ReactivateUser :one
UPDATE users
SET active = true,
    version = version + 1
WHERE tenant_id = $1
    AND id = $2
    AND NOT active
RETURNING tenant_id, id, email, name, role, active, password_hash, password_epoch, failed_logins, next_login_at, version, request_digest, created_at;

-- name: RenewPasswordHash :execrows
UPDATE users
SET password_hash = $1
WHERE tenant_id = $2
    AND id = $3
    AND password_hash = $4;

-- name: TransitionPickupsSkipLocked :many
WITH asked AS (
    SELECT
        unnest($1::uuid[]) AS tenant_id,
        unnest($2::uuid[]) AS id,
        unnest($3::uuid[]) AS viewer_id,
        unnest($4::text[])::user_role AS viewer_role,
        unnest($5::uuid[]) AS viewer_driver_id,
        unnest($6::text[])::transition_name AS transition,
        unnest($7::bigint[]) AS version,
        unnest($8::text[]) AS idempotency_key,
        unnest($9::bytea[]) AS request_digest,
        unnest($10::uuid[]) AS move_id,
        unnest($11::uuid[]) AS named_driver_id,
        unnest($12::text[]) AS reason
), locked AS MATERIALIZED (
    SELECT
        a.tenant_id, a.id, a.viewer_id, a.viewer_role, a.viewer_driver_id, a.transition, a.idempotency_key,
        a.request_digest, a.move_id, a.reason,
        t.after, t.slot, t.has_driver, t.money, t.text, t.auto_dispatch,
        p.account_id,
        CASE t.slot WHEN 'take' THEN a.named_driver_id ELSE p.driver_id END AS driver_id,
        CASE t.money WHEN 'charge' THEN -p.price_cents WHEN 'refund' THEN p.charged_cents ELSE 0 END AS delta_cents
    FROM asked AS a
    JOIN pickup_transitions AS t ON t.transition = a.transition AND a.viewer_role = ANY (t.roles)
    JOIN pickups AS p ON p.tenant_id = a.tenant_id AND p.id = a.id
    WHERE p.status = ANY (t.before)
        AND (a.version = 0 OR p.version = a.version)
        AND (role_sees_pickup(a.viewer_role, p.status, p.driver_id, a.viewer_driver_id) OR a.viewer_role = 'staff'
            AND EXISTS (
            SELECT FROM facility_viewers AS v
            WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = a.viewer_id))
        -- A known replay is skipped early; the unique index decides.
        AND NOT EXISTS (
            SELECT FROM pickup_events AS e
            WHERE e.tenant_id = a.tenant_id AND e.pickup_id = a.id AND e.idempotency_key = a.idempotency_key)
    ORDER BY p.tenant_id, p.id
    FOR NO KEY UPDATE OF p SKIP LOCKED
), slots AS MATERIALIZED (
    -- To be freed, found only by the driver of the locked row. A condition on pickup_id would also be
    -- tested on the snapshot, and miss a slot taken by the assign that this statement waited for.
    SELECT l.tenant_id, l.id, l.viewer_id, l.viewer_role, l.viewer_driver_id, l.transition, l.idempotency_key, l.request_digest, l.move_id, l.reason, l.after, l.slot, l.has_driver, l.money, l.text, l.auto_dispatch, l.account_id, l.driver_id, l.delta_cents, s.driver_id AS slot_driver_id, CASE l.slot WHEN 'take' THEN l.id ELSE s.pickup_id END AS slot_pickup_id
    FROM locked AS l
    JOIN driver_slots AS s ON s.tenant_id = l.tenant_id AND s.driver_id = l.driver_id
    WHERE (l.slot = 'free' OR l.slot = 'take' AND s.pickup_id IS NULL)
    ORDER BY s.tenant_id, s.driver_id
    FOR UPDATE OF s
), ready AS MATERIALIZED (
    SELECT l.tenant_id, l.id, l.viewer_id, l.viewer_role, l.viewer_driver_id, l.transition, l.idempotency_key, l.request_digest, l.move_id, l.reason, l.after, l.slot, l.has_driver, l.money, l.text, l.auto_dispatch, l.account_id, l.driver_id, l.delta_cents, NULL::uuid AS slot_driver_id, NULL::uuid AS slot_pickup_id
    FROM locked AS l
    WHERE (l.slot = 'keep' OR l.slot = 'free' AND l.driver_id IS NULL)
    UNION ALL
    SELECT s.tenant_id, s.id, s.viewer_id, s.viewer_role, s.viewer_driver_id, s.transition, s.idempotency_key, s.request_digest, s.move_id, s.reason, s.after, s.slot, s.has_driver, s.money, s.text, s.auto_dispatch, s.account_id, s.driver_id, s.delta_cents, s.slot_driver_id, s.slot_pickup_id FROM slots AS s
), funded AS MATERIALIZED (
    SELECT r.tenant_id, r.id, r.viewer_id, r.viewer_role, r.viewer_driver_id, r.transition, r.idempotency_key, r.request_digest, r.move_id, r.reason, r.after, r.slot, r.has_driver, r.money, r.text, r.auto_dispatch, r.account_id, r.driver_id, r.delta_cents, r.slot_driver_id, r.slot_pickup_id, c.balance_cents
    FROM ready AS r
    JOIN accounts AS c ON c.tenant_id = r.tenant_id AND c.id = r.account_id
    WHERE r.delta_cents <> 0
    ORDER BY c.tenant_id, c.id, r.move_id
    FOR NO KEY UPDATE OF c
), paying AS (
    SELECT
        f.tenant_id, f.id, f.viewer_id, f.viewer_role, f.viewer_driver_id, f.transition, f.idempotency_key, f.request_digest, f.move_id, f.reason, f.after, f.slot, f.has_driver, f.money, f.text, f.auto_dispatch, f.account_id, f.driver_id, f.delta_cents, f.slot_driver_id, f.slot_pickup_id, f.balance_cents,
        spend_in_order(f.balance_cents, f.delta_cents) OVER w AS balance_after,
        coalesce(
            spend_in_order(f.balance_cents, f.delta_cents) OVER (w ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
            f.balance_cents) AS balance_before
    FROM funded AS f
    WINDOW w AS (PARTITION BY f.tenant_id, f.account_id ORDER BY f.move_id)
), legal AS MATERIALIZED (
    SELECT r.tenant_id, r.id, r.viewer_id, r.viewer_role, r.viewer_driver_id, r.transition, r.idempotency_key, r.request_digest, r.move_id, r.reason, r.after, r.slot, r.has_driver, r.money, r.text, r.auto_dispatch, r.account_id, r.driver_id, r.delta_cents, r.slot_driver_id, r.slot_pickup_id, 0::bigint AS balance_cents, 0::bigint AS balance_after, 0::bigint AS balance_before
    FROM ready AS r
    WHERE r.delta_cents = 0
    UNION ALL
    SELECT y.tenant_id, y.id, y.viewer_id, y.viewer_role, y.viewer_driver_id, y.transition, y.idempotency_key, y.request_digest, y.move_id, y.reason, y.after, y.slot, y.has_driver, y.money, y.text, y.auto_dispatch, y.account_id, y.driver_id, y.delta_cents, y.slot_driver_id, y.slot_pickup_id, y.balance_cents, y.balance_after, y.balance_before
    FROM paying AS y
    WHERE (y.delta_cents > 0 OR y.balance_after - y.balance_before = y.delta_cents)
), moved AS (
    UPDATE pickups AS p
    SET status = l.after,
        previous_status = p.status,
        driver_id = CASE WHEN l.has_driver THEN l.driver_id END,
        charged_cents = p.charged_cents - l.delta_cents,
        refunded_cents = p.refunded_cents + greatest(l.delta_cents, 0),
        cancel_reason = nullif(l.reason, ''),
        version = p.version + 1,
        updated_at = now()
    FROM legal AS l
    WHERE p.tenant_id = l.tenant_id AND p.id = l.id
    RETURNING p.tenant_id, p.id, p.status, p.previous_status, p.facility_id, p.account_id, p.requested_by, p.driver_id, p.price_cents, p.charged_cents, p.refunded_cents, p.pickup_address, p.pickup_latitude, p.pickup_longitude, p.dropoff_address, p.window_start, p.window_end, p.note, p.cancel_reason, p.version, p.request_digest, p.created_at, p.updated_at, p.patient_id
), won AS MATERIALIZED (
    SELECT
        m.tenant_id, m.id, m.version, m.previous_status, m.status, m.requested_by, m.patient_id, m.account_id,
        l.driver_id, l.transition, l.viewer_id, l.idempotency_key, l.request_digest, l.move_id, l.text,
        l.slot, l.slot_driver_id, l.slot_pickup_id, l.money, l.delta_cents, l.balance_cents, l.auto_dispatch,
        coalesce(l.viewer_role = 'staff' OR role_sees_pickup(l.viewer_role, m.status, m.driver_id,
            l.viewer_driver_id), false) AS seen
    FROM moved AS m
    JOIN legal AS l ON l.tenant_id = m.tenant_id AND l.id = m.id
), slot AS (
    UPDATE driver_slots AS s
    SET pickup_id = CASE w.slot WHEN 'take' THEN w.id END
    FROM won AS w
    WHERE s.tenant_id = w.tenant_id AND s.driver_id = w.slot_driver_id AND w.id = w.slot_pickup_id
), entry AS (
    INSERT INTO ledger_entries (tenant_id, id, account_id, kind, amount_cents, pickup_id, actor_id, request_digest)
    SELECT w.tenant_id, w.move_id, w.account_id, w.money, abs(w.delta_cents), w.id, w.viewer_id, w.request_digest
    FROM won AS w
    WHERE w.delta_cents <> 0
), balance AS (
    UPDATE accounts AS c
    SET balance_cents = n.balance_cents + n.delta_cents,
        balance_version = c.balance_version + 1
    FROM (
        SELECT w.tenant_id, w.account_id, w.balance_cents, sum(w.delta_cents)::bigint AS delta_cents
        FROM won AS w
        WHERE w.delta_cents <> 0
        GROUP BY w.tenant_id, w.account_id, w.balance_cents
    ) AS n
    WHERE c.tenant_id = n.tenant_id AND c.id = n.account_id
), dispatch_job AS (
    INSERT INTO river_job (kind, queue, args)
    SELECT 'dispatch_pickup', 'dispatches', jsonb_build_object('tenant_id', w.tenant_id, 'event_id', w.move_id)
    FROM won AS w
    JOIN flags AS f ON f.tenant_id = w.tenant_id
    WHERE f.name = 'auto_dispatch' AND f.enabled AND w.auto_dispatch
), event AS (
    INSERT INTO pickup_events (
        tenant_id, id, pickup_id, version, transition, actor_id, before, after, driver_id,
        idempotency_key, request_digest)
    SELECT
        w.tenant_id, w.move_id, w.id, w.version, w.transition, w.viewer_id, w.previous_status, w.status, w.driver_id,
        nullif(w.idempotency_key, ''), w.request_digest
    FROM won AS w
), audited AS (
    INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
    SELECT w.tenant_id, w.patient_id, w.viewer_id, w.transition::text || '-pickup'
    FROM won AS w
    WHERE w.patient_id IS NOT NULL AND w.seen
), owed AS (
    SELECT
        w.tenant_id, w.move_id, w.id AS pickup_id, w.text,
        (
            SELECT n.number
            FROM phone_numbers AS n
            WHERE n.tenant_id = w.tenant_id AND n.user_id = w.requested_by
            ORDER BY n.created_at, n.id
            LIMIT 1
        ) AS to_number
    FROM won AS w
    JOIN flags AS f ON f.tenant_id = w.tenant_id
    WHERE f.name = 'pickup_texts' AND f.enabled AND w.text IS NOT NULL
), message AS (
    INSERT INTO messages (tenant_id, id, pickup_id, event_id, to_number, body, status, reason)
    SELECT
        o.tenant_id, o.move_id, o.pickup_id, o.move_id, o.to_number, o.text,
        CASE WHEN o.to_number IS NULL THEN 'FAILED'::message_status ELSE 'QUEUED' END,
        CASE WHEN o.to_number IS NULL THEN 'no_number' END
    FROM owed AS o
), text_job AS (
    INSERT INTO river_job (kind, queue, args)
    SELECT 'send_text', 'texts', jsonb_build_object('tenant_id', o.tenant_id, 'message_id', o.move_id)
    FROM owed AS o
    WHERE o.to_number IS NOT NULL
)
SELECT
    pickups.tenant_id, pickups.id, pickups.status, pickups.previous_status, pickups.facility_id, pickups.account_id, pickups.requested_by, pickups.driver_id, pickups.price_cents, pickups.charged_cents, pickups.refunded_cents, pickups.pickup_address, pickups.pickup_latitude, pickups.pickup_longitude, pickups.dropoff_address, pickups.window_start, pickups.window_end, pickups.note, pickups.cancel_reason, pickups.version, pickups.request_digest, pickups.created_at, pickups.updated_at, pickups.patient_id,
    s.seen::boolean AS seen,
    (SELECT count(w.text) FROM won AS w)::int AS texts_owed,
    (SELECT count(*) FROM owed)::int AS texts_enqueued
FROM moved AS pickups
JOIN won AS s ON s.tenant_id = pickups.tenant_id AND s.id = pickups.id;

-- name: SetViewer :exec
SELECT
    set_config('waybill.tenant_id', ($1::uuid)::text, true),
    set_config('waybill.viewer_id', ($2::uuid)::text, true);
