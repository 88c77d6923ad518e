-- Stages some thousands of a feed's records until all of them have arrived.
-- Closes: one chunk of a feed is staged twice
-- name: StageFeedChunk :execrows
INSERT INTO appointment_feed_chunks (
    tenant_id, feed_id, first_position, external_ids, patient_external_ids, new_patient_ids,
    given_names, family_names, birth_dates, phones, starts_at, ends_at, statuses)
VALUES (
    @tenant_id, @feed_id, @first_position, @external_ids::text[], @patient_external_ids::text[],
        @new_patient_ids::uuid[],
    @given_names::text[], @family_names::text[], @birth_dates::date[], @phones::text[],
    @starts_at::timestamptz[], @ends_at::timestamptz[], (@statuses::text[])::appointment_status[]);

-- Returns whether a feed repeats an id, or has contradictory data for a patient.
-- name: FeedContradictsItself :one
SELECT (
    EXISTS (
        SELECT FROM appointment_feed_records AS r
        WHERE r.tenant_id = @tenant_id AND r.feed_id = @feed_id
        GROUP BY r.external_id
        HAVING count(*) > 1)
    OR EXISTS (
        SELECT FROM appointment_feed_records AS r
        WHERE r.tenant_id = @tenant_id AND r.feed_id = @feed_id
        GROUP BY r.patient_external_id
        HAVING (min(r.given_name), min(r.family_name), min(r.birth_date), min(coalesce(r.phone, '')))
            <> (max(r.given_name), max(r.family_name), max(r.birth_date), max(coalesce(r.phone, ''))))
)::boolean;

-- Returns the first records of a feed that repeat an id, or whose patient data differs from that of the
-- patient's first record.
-- name: FindFeedContradictions :many
SELECT c.position::int AS position, c.earlier::int AS earlier, c.is_duplicate
FROM (
    SELECT d.position, d.earlier, true AS is_duplicate
    FROM (
        SELECT r.position, first_value(r.position) OVER (PARTITION BY r.external_id ORDER BY r.position) AS earlier
        FROM appointment_feed_records AS r
        WHERE r.tenant_id = @tenant_id AND r.feed_id = @feed_id
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
        WHERE r.tenant_id = @tenant_id AND r.feed_id = @feed_id
        WINDOW w AS (PARTITION BY r.patient_external_id ORDER BY r.position)
    ) AS d
    WHERE d.differs
) AS c
ORDER BY c.position, c.is_duplicate DESC
LIMIT @max_rows::int;

-- Sets timeouts, memory and plan settings for a feed's statements until the end of its transaction. It
-- forces plans whose cost grows with the feed, even if the planner has no statistics of the tables:
-- stored rows are looked up by key, and the full join is a hash join. The checks of foreign keys use
-- generic plans. A custom plan for a tenant that is missing in the statistics might use any index that
-- begins with the tenant, and read all its rows each time.
-- name: SetFeedLimits :exec
SELECT
    set_config('statement_timeout', @statement_timeout::text, true),
    set_config('lock_timeout', @lock_timeout::text, true),
    set_config('work_mem', @work_mem::text, true),
    set_config('plan_cache_mode', 'auto', true),
    set_config('enable_seqscan', 'off', true),
    set_config('enable_hashjoin', 'off', true),
    set_config('enable_mergejoin', 'off', true),
    set_config('enable_sort', 'off', true);

-- Returns whether a feed may be applied: if not, it need not be read. It also explains why the
-- watermark did not move.
-- name: CheckFeed :one
SELECT
    EXISTS (
        SELECT FROM facility_viewers AS v
        WHERE v.tenant_id = @tenant_id AND v.facility_id = @facility_id AND v.user_id = @viewer_id) AS sees_facility,
    (@as_of::timestamptz <= latest_as_of())::boolean AS in_time;

-- Advances a facility's watermark: the first statement of a feed. An older list, the same list again,
-- or one from the future matches no row; concurrent feeds of a facility are serialized here.
-- Closes: an older list arrives late and undoes a newer one
-- Closes: two feeds of one facility mix
-- Closes: one list is applied twice
-- name: MoveFeed :execrows
INSERT INTO appointment_feeds (tenant_id, facility_id, as_of)
SELECT v.tenant_id, v.facility_id, @as_of::timestamptz
FROM facility_viewers AS v
WHERE v.tenant_id = @tenant_id
    AND v.facility_id = @facility_id
    AND v.user_id = @viewer_id
    AND @as_of <= latest_as_of()
LIMIT 1
ON CONFLICT (tenant_id, facility_id) DO UPDATE
SET as_of = excluded.as_of
WHERE appointment_feeds.as_of < excluded.as_of;

-- Synchronizes the facility's appointments with the feed. It is the second statement of a feed: its
-- snapshot is taken after the watermark moved. The records are joined at once with the appointments
-- that can still be canceled. The few other appointments, and the patients, are looked up by key. Each
-- lookup reads the first row in key order from the wanted key on: only the key's index has this order,
-- so that the plan does not depend on statistics. Only differences are written. Patients whose data or
-- appointments are written are audited.
--
-- Patients who do not allow the facility to see them are skipped: neither records that name them nor
-- their appointments are written or reported. The consents of all patients to be written are locked
-- until the feed is done (FOR SHARE in any order: a withdrawal holds no other lock): a withdrawal
-- waits, or makes the feed skip that patient.
--
-- Rows to be changed are locked first, in key order (DISTINCT ON sorts by the key), and compared again,
-- since their other writers do not use the watermark. The list wins.
--
-- If too much is canceled, the caller must roll back. Canceling ten or fewer is never too much: a small
-- clinic may change its whole week at once.
--
-- For its cost see waybill bench sync.
-- Closes: a feed writes what its watermark no longer covers
-- Closes: a concurrent patient edit and feed lose an update
-- Closes: a feed undoes the revocation of a consent
-- name: SyncAppointments :one
WITH feed AS MATERIALIZED (
    SELECT f.tenant_id, f.facility_id, f.as_of, w.max_cancel_share
    FROM appointment_feeds AS f
    JOIN facilities AS w ON w.tenant_id = f.tenant_id AND w.id = f.facility_id
    WHERE f.tenant_id = @tenant_id
        AND f.facility_id = @facility_id
        AND f.as_of = @as_of::timestamptz
        AND EXISTS (
            SELECT FROM facility_viewers AS v
            WHERE v.tenant_id = f.tenant_id AND v.facility_id = f.facility_id AND v.user_id = @viewer_id)
    FOR NO KEY UPDATE OF f
), denied AS MATERIALIZED (
    SELECT d.patient_id, d.external_id
    FROM feed AS f
    JOIN denied_feed_patients AS d ON d.tenant_id = f.tenant_id AND d.facility_id = f.facility_id
), compared AS MATERIALIZED (
    SELECT
        @tenant_id::uuid AS tenant_id,
        @facility_id::uuid AS facility_id,
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
        coalesce(k.ends_at > @as_of AND k.status <> 'CANCELED', false) AS is_current,
        coalesce(r.patient_external_id IN (SELECT d.external_id FROM denied AS d), false)
            OR coalesce(coalesce(k.patient_id, o.patient_id) IN (SELECT d.patient_id FROM denied AS d),
                false) AS is_denied
    FROM (
        SELECT s.*
        FROM feed AS f
        JOIN appointment_feed_records AS s ON s.tenant_id = f.tenant_id AND s.feed_id = @feed_id
    ) AS r
    FULL JOIN (
        SELECT a.id, a.external_id, a.patient_id, a.starts_at, a.ends_at, a.status
        FROM feed AS f
        JOIN appointments AS a ON a.tenant_id = f.tenant_id AND a.facility_id = f.facility_id
        WHERE a.starts_at > (@as_of::timestamptz) - longest_appointment()
    ) AS k ON k.external_id = r.external_id
    LEFT JOIN LATERAL (
        SELECT n.*
        FROM (
            SELECT x.id, x.external_id, x.patient_id, x.starts_at, x.ends_at, x.status
            FROM appointments AS x
            WHERE x.tenant_id = @tenant_id
                AND x.facility_id = @facility_id
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
            WHERE x.tenant_id = @tenant_id
                AND x.facility_id = @facility_id
                AND x.external_id >= r.patient_external_id
            ORDER BY x.external_id
            LIMIT 1
        ) AS n
        WHERE n.external_id = r.patient_external_id
    ) AS p ON true
    WHERE (r.external_id IS NOT NULL OR (k.ends_at > @as_of AND k.status <> 'CANCELED'))
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
        WHERE x.tenant_id = @tenant_id
            AND x.patient_id = e.patient_id
            AND x.facility_id = @facility_id
            AND x.allowed
        LIMIT 1
        FOR SHARE OF x
    ) AS f
), written AS MATERIALIZED (
    SELECT c.*
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
        SELECT DISTINCT ON (c.patient_id) c.*
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
    SELECT DISTINCT c.tenant_id, e.patient_id, @viewer_id::uuid, 'sync-appointments'
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

-- Closes: a feed's staged records outlive it
-- name: DropFeedRecords :execrows
DELETE FROM appointment_feed_chunks
WHERE tenant_id = @tenant_id AND feed_id = @feed_id;

-- Deletes the records of feeds whose process was killed.
-- Closes: a sweep deletes the records of a feed in progress
-- name: SweepFeedRecords :execrows
DELETE FROM appointment_feed_chunks
WHERE tenant_id = @tenant_id AND created_at < now() - interval '1 day';
