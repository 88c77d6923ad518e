-- name: StageFeedRecords :copyfrom
INSERT INTO appointment_feed_records (
    tenant_id, feed_id, position, external_id, patient_external_id, new_patient_id,
    given_name, family_name, birth_date, phone, starts_at, ends_at, status)
VALUES (
    @tenant_id, @feed_id, @position, @external_id, @patient_external_id, @new_patient_id,
    @given_name, @family_name, @birth_date, @phone, @starts_at, @ends_at, @status);

-- The first record of a feed that says an id again, or says something else of a
-- patient than an earlier one; no row where there is none.
-- name: FindFeedConflict :many
SELECT c.position::int AS position, c.earlier::int AS earlier, c.is_duplicate
FROM (
    (SELECT
        (array_agg(r.position ORDER BY r.position))[2] AS position,
        min(r.position) AS earlier,
        true AS is_duplicate
    FROM appointment_feed_records AS r
    WHERE r.tenant_id = @tenant_id AND r.feed_id = @feed_id
    GROUP BY r.external_id
    HAVING count(*) > 1
    ORDER BY 1
    LIMIT 1)
    UNION ALL
    (SELECT d.position, d.earlier, false AS is_duplicate
    FROM (
        SELECT
            r.position,
            first_value(r.position) OVER w AS earlier,
            (r.given_name, r.family_name, r.birth_date, coalesce(r.phone, '')) <> (
                first_value(r.given_name) OVER w, first_value(r.family_name) OVER w,
                first_value(r.birth_date) OVER w, coalesce(first_value(r.phone) OVER w, '')) AS differs
        FROM appointment_feed_records AS r
        WHERE r.tenant_id = @tenant_id AND r.feed_id = @feed_id
        WINDOW w AS (PARTITION BY r.patient_external_id ORDER BY r.position)
    ) AS d
    WHERE d.differs
    ORDER BY d.position
    LIMIT 1)
) AS c
ORDER BY c.position
LIMIT 1;

-- Moves a facility's watermark: the first statement of a feed. Whoever comes with an
-- older list, or the same, moves nothing; whoever comes at once waits here.
-- Closes: an older list arrives late and undoes a newer one
-- Closes: two feeds of one facility mix
-- Closes: one list is fed twice
-- name: MoveFeed :execrows
INSERT INTO appointment_feeds (tenant_id, facility_id, as_of)
SELECT v.tenant_id, v.facility_id, @as_of::timestamptz
FROM facility_viewers AS v
WHERE v.tenant_id = @tenant_id AND v.facility_id = @facility_id AND v.user_id = @viewer_id
LIMIT 1
ON CONFLICT (tenant_id, facility_id) DO UPDATE
SET as_of = excluded.as_of
WHERE appointment_feeds.as_of < excluded.as_of;

-- Makes the facility's appointments what the feed says: the second statement of a
-- feed, with a snapshot of after the watermark moved. Each record is looked up by its
-- key, whatever the planner thinks of the tables (LIMIT 1 keeps a LATERAL from
-- becoming a join of another shape), and only what differs is written. Who is missing
-- is a difference of two sets of keys. A patient whom a record brings for the first
-- time has had to do with the facility from now on.
-- @write blind reason="the feed's list is the truth, and its watermark, tested on the locked row, lets one feed at a time write it"
-- Closes: a feed writes what its watermark no longer covers
-- Closes: a patient's edit and a feed at once lose one of the two
-- name: SyncAppointments :one
WITH feed AS MATERIALIZED (
    SELECT f.tenant_id, f.facility_id, f.as_of
    FROM appointment_feeds AS f
    WHERE f.tenant_id = @tenant_id
        AND f.facility_id = @facility_id
        AND f.as_of = @as_of::timestamptz
        AND EXISTS (
            SELECT FROM facility_viewers AS v
            WHERE v.tenant_id = f.tenant_id AND v.facility_id = f.facility_id AND v.user_id = @viewer_id)
    FOR NO KEY UPDATE OF f
), inbound AS MATERIALIZED (
    SELECT
        f.tenant_id, f.facility_id,
        r.position, r.external_id, r.patient_external_id, r.given_name, r.family_name, r.birth_date, r.phone,
        r.starts_at, r.ends_at, r.status,
        coalesce(p.id, r.new_patient_id) AS patient_id,
        p.id IS NULL AS patient_is_new,
        coalesce(p.differs, false) AS patient_differs,
        a.id AS appointment_id,
        a.patient_id IS DISTINCT FROM p.id AS meets,
        a.differs OR a.patient_id IS DISTINCT FROM p.id AS differs
    FROM feed AS f
    JOIN appointment_feed_records AS r ON r.tenant_id = f.tenant_id AND r.feed_id = @feed_id
    LEFT JOIN LATERAL (
        SELECT
            k.id,
            (k.given_name, k.family_name, k.birth_date, coalesce(k.phone, ''))
                <> (r.given_name, r.family_name, r.birth_date, coalesce(r.phone, '')) AS differs
        FROM patients AS k
        WHERE k.tenant_id = f.tenant_id AND k.facility_id = f.facility_id AND k.external_id = r.patient_external_id
        LIMIT 1
    ) AS p ON true
    LEFT JOIN LATERAL (
        SELECT
            k.id, k.patient_id,
            (k.starts_at, k.ends_at, k.status) <> (r.starts_at, r.ends_at, r.status) AS differs
        FROM appointments AS k
        WHERE k.tenant_id = f.tenant_id AND k.facility_id = f.facility_id AND k.external_id = r.external_id
        LIMIT 1
    ) AS a ON true
), made_patients AS (
    INSERT INTO patients (tenant_id, id, facility_id, external_id, given_name, family_name, birth_date, phone)
    SELECT DISTINCT ON (i.patient_external_id)
        i.tenant_id, i.patient_id, i.facility_id, i.patient_external_id, i.given_name, i.family_name, i.birth_date, i.phone
    FROM inbound AS i
    WHERE i.patient_is_new
), changed_patients AS (
    UPDATE patients AS p
    SET given_name = i.given_name,
        family_name = i.family_name,
        birth_date = i.birth_date,
        phone = i.phone,
        version = p.version + 1
    FROM (
        SELECT DISTINCT ON (d.patient_id) d.*
        FROM inbound AS d
        WHERE d.patient_differs
        ORDER BY d.patient_id
    ) AS i
    WHERE p.tenant_id = i.tenant_id
        AND p.id = i.patient_id
        AND (p.given_name, p.family_name, p.birth_date, coalesce(p.phone, ''))
            <> (i.given_name, i.family_name, i.birth_date, coalesce(i.phone, ''))
), made AS (
    INSERT INTO appointments (tenant_id, facility_id, patient_id, external_id, starts_at, ends_at, status)
    SELECT
        i.tenant_id, i.facility_id, i.patient_id, i.external_id, i.starts_at, i.ends_at, i.status
    FROM inbound AS i
    WHERE i.appointment_id IS NULL
    RETURNING tenant_id, facility_id, patient_id
), missing AS (
    SELECT a.tenant_id, a.facility_id, a.external_id
    FROM feed AS f
    JOIN appointments AS a ON a.tenant_id = f.tenant_id AND a.facility_id = f.facility_id
    WHERE a.starts_at > (@as_of::timestamptz) - interval '24 hours'
        AND a.ends_at > @as_of
        AND a.status <> 'CANCELED'
    EXCEPT
    SELECT i.tenant_id, i.facility_id, i.external_id
    FROM inbound AS i
), changed AS (
    UPDATE appointments AS a
    SET patient_id = c.patient_id,
        starts_at = c.starts_at,
        ends_at = c.ends_at,
        status = c.status,
        updated_at = now()
    FROM (
        SELECT
            i.tenant_id, i.facility_id, i.external_id, i.patient_id,
            i.starts_at, i.ends_at, i.status, i.meets, false AS is_missing
        FROM inbound AS i
        WHERE i.appointment_id IS NOT NULL AND i.differs
        UNION ALL
        SELECT
            k.tenant_id, k.facility_id, k.external_id, k.patient_id,
            k.starts_at, k.ends_at, 'CANCELED', false, true
        FROM missing AS m
        JOIN appointments AS k
            ON k.tenant_id = m.tenant_id AND k.facility_id = m.facility_id AND k.external_id = m.external_id
    ) AS c
    WHERE a.tenant_id = c.tenant_id
        AND a.facility_id = c.facility_id
        AND a.external_id = c.external_id
        AND (a.patient_id, a.starts_at, a.ends_at, a.status) <> (c.patient_id, c.starts_at, c.ends_at, c.status)
    RETURNING a.tenant_id, a.facility_id, a.patient_id, c.meets, c.is_missing
), met AS (
    INSERT INTO patient_facilities (tenant_id, patient_id, facility_id)
    SELECT m.tenant_id, m.patient_id, m.facility_id FROM made AS m
    UNION
    SELECT c.tenant_id, c.patient_id, c.facility_id FROM changed AS c WHERE c.meets
    ON CONFLICT (tenant_id, patient_id, facility_id) DO NOTHING
)
SELECT
    count(*) FILTER (WHERE i.appointment_id IS NULL) AS created,
    count(*) FILTER (WHERE i.appointment_id IS NOT NULL AND (i.differs OR i.patient_differs)) AS updated,
    count(*) FILTER (WHERE i.appointment_id IS NOT NULL AND NOT (i.differs OR i.patient_differs)) AS unchanged,
    (SELECT count(*) FROM changed AS c WHERE c.is_missing) AS canceled,
    EXISTS (SELECT FROM feed) AS current
FROM inbound AS i;

-- Closes: records of a feed outlive it
-- name: DropFeedRecords :execrows
DELETE FROM appointment_feed_records
WHERE tenant_id = @tenant_id AND feed_id = @feed_id;

-- What killed processes left of feeds.
-- Closes: a sweep takes the records of a feed that is still coming in
-- name: SweepFeedRecords :execrows
DELETE FROM appointment_feed_records
WHERE tenant_id = @tenant_id AND created_at < now() - interval '1 day';

-- Time, memory and plans of their own for a feed's statements, until its transaction
-- ends.
-- name: SetFeedLimits :exec
SELECT
    set_config('statement_timeout', @statement_timeout::text, true),
    set_config('work_mem', @work_mem::text, true),
    set_config('plan_cache_mode', 'force_custom_plan', true);
