-- Finds the next pickups of a list after a place in it, by any of its filters and in any of its orders, as far as a
-- bounded look reaches: ids alone, which ListFoundPickups shows. The last row is not shown if the list goes on: it is
-- where to go on from, which may be before a page is full, and after no pickup at all.
--
-- A list is read in its order from the indexes of what the viewer sees, as ListPickups merges them, or from the one of
-- the patient, requester or account, and each row is tested against the other filters. The max_looks rows that are
-- looked at suffice for what many pickups have. For what few have, the index of terms has all of them: if there are no
-- more than max_found, whatever their order, they are the list. Otherwise the page ends where the look ended. The index
-- is not asked for words that many have (rare_terms_query), as it reads all that has them: if nothing that is asked for
-- is rare, the page ends where the look ended, too.
--
-- Whoever does not see a member finds nothing by it: the hub neither account, patient nor note, drivers no account.
-- name: FindPickups :many
WITH asked AS MATERIALIZED (
    SELECT
        @tenant_id::uuid AS tenant_id,
        @viewer_id::uuid AS viewer_id,
        @viewer_role::user_role AS viewer_role,
        @viewer_driver_id::uuid AS viewer_driver_id,
        coalesce((@statuses::text[])::pickup_status[], '{}') AS statuses,
        sqlc.narg('facility_id')::uuid AS facility_id,
        CASE WHEN @viewer_role = 'driver' THEN @viewer_driver_id ELSE sqlc.narg('driver_id')::uuid END AS driver_id,
        sqlc.narg('account_id')::uuid AS account_id,
        sqlc.narg('patient_id')::uuid AS patient_id,
        sqlc.narg('requested_by')::uuid AS requested_by,
        (coalesce(sqlc.narg('driver_id') = @viewer_driver_id, true) OR @viewer_role <> 'driver')
            AND (sqlc.narg('account_id')::uuid IS NULL OR @viewer_role IN ('admin', 'dispatcher', 'staff'))
            AND (sqlc.narg('patient_id')::uuid IS NULL OR @viewer_role IN ('admin', 'dispatcher', 'staff', 'driver'))
            AS may_ask,
        words_query(@tenant_id, sqlc.narg('text')::text, @viewer_role IN ('admin', 'dispatcher', 'staff', 'driver'))
            AS words,
        sqlc.narg('window_from')::timestamptz AS window_from,
        sqlc.narg('window_to')::timestamptz AS window_to,
        @created_from::timestamptz AS created_from,
        @created_to::timestamptz AS created_to,
        @sort::text AS sort,
        CASE @sort
            WHEN 'newest' THEN least(@after_at::timestamptz, @created_to)
            WHEN 'oldest' THEN greatest(@after_at, @created_from)
            ELSE @after_at
        END AS at,
        CASE
            WHEN @sort = 'newest' AND @after_at >= @created_to OR @sort = 'oldest' AND @after_at < @created_from
                THEN '00000000-0000-0000-0000-000000000000'
            ELSE @after_id::uuid
        END AS id,
        1 + @max_rows::int AS most
), listed AS MATERIALIZED (
    SELECT s.status
    FROM asked AS a
    CROSS JOIN unnest(enum_range(NULL::pickup_status)) AS s (status)
    WHERE (a.viewer_role = 'staff' OR role_sees_pickup(a.viewer_role, s.status, a.driver_id, a.viewer_driver_id))
        AND (cardinality(a.statuses) = 0 OR s.status = ANY (a.statuses))
        AND (a.sort <> 'longest_waiting' OR pickup_waits(s.status))
        AND a.may_ask
), statuses AS MATERIALIZED (
    -- A single NULL if all statuses are listed.
    SELECT DISTINCT
        CASE
            WHEN a.driver_id IS NOT NULL OR cardinality(enum_range(NULL::pickup_status)) > (SELECT count(*) FROM listed)
                THEN l.status
        END AS status
    FROM asked AS a
    CROSS JOIN listed AS l
), mine AS MATERIALIZED (
    SELECT DISTINCT v.facility_id
    FROM asked AS a
    JOIN facility_viewers AS v ON v.tenant_id = a.tenant_id AND v.user_id = a.viewer_id
    WHERE a.viewer_role = 'staff' AND v.facility_id = coalesce(a.facility_id, v.facility_id)
), driven AS MATERIALIZED (
    -- What a driver has now, all of which is read if it is no more than max_found: it has no order of its own.
    SELECT d.id
    FROM asked AS a
    CROSS JOIN LATERAL (
        SELECT p.id
        FROM listed AS l
        JOIN pickups AS p ON p.tenant_id = a.tenant_id AND p.driver_id = a.driver_id AND p.status = l.status
        LIMIT 1 + @max_found::int
    ) AS d
    WHERE a.sort = 'longest_waiting' AND a.driver_id IS NOT NULL
), bounds AS MATERIALIZED (
    -- How many rows are looked at, and whether each of the viewer's facilities is read by itself.
    SELECT
        CASE
            WHEN num_nonnulls(a.account_id, a.patient_id, a.requested_by, a.words, a.window_from, a.window_to) > 0
                OR k.streams > 50 OR a.sort = 'longest_waiting' AND a.driver_id IS NOT NULL
                THEN greatest(a.most, @max_looks::int)
            ELSE a.most
        END AS most,
        k.streams <= 50 AS by_facility,
        a.sort <> 'longest_waiting' AND num_nonnulls(a.account_id, a.patient_id, a.requested_by) > 0 AS by_key,
        a.sort = 'longest_waiting' AND a.driver_id IS NOT NULL
            AND (SELECT count(*) FROM driven) <= @max_found AS by_driver,
        -- The indexes that are read have all that is asked, and rows that are read need no test.
        a.sort <> 'longest_waiting' AND k.streams <= 50
            AND num_nonnulls(a.account_id, a.patient_id, a.requested_by, a.words, a.window_from, a.window_to) = 0
            AS is_exact
    FROM asked AS a
    CROSS JOIN (SELECT (SELECT count(*) FROM mine) * (SELECT count(*) FROM statuses) AS streams) AS k
), streams AS MATERIALIZED (
    SELECT f.facility_id, s.status, row_number() OVER () AS stream
    FROM statuses AS s
    CROSS JOIN (
        SELECT a.facility_id FROM asked AS a WHERE a.viewer_role <> 'staff'
        UNION ALL
        SELECT m.facility_id FROM mine AS m WHERE (SELECT b.by_facility FROM bounds AS b)
        UNION ALL
        SELECT NULL WHERE NOT (SELECT b.by_facility FROM bounds AS b)
    ) AS f
    WHERE NOT (SELECT b.by_key OR b.by_driver FROM bounds AS b)
), widths AS MATERIALIZED (
    SELECT greatest(a.most, b.most / greatest(count(s.stream), 1))::int AS most
    FROM asked AS a
    CROSS JOIN bounds AS b
    LEFT JOIN streams AS s ON true
    GROUP BY a.most, b.most
), read AS MATERIALIZED (
    SELECT s.stream, n.created_at AS at, n.id
    FROM asked AS a
    CROSS JOIN widths AS w
    CROSS JOIN streams AS s
    CROSS JOIN LATERAL newest_pickups(
        a.tenant_id, s.facility_id, a.driver_id, s.status, a.created_from, a.at, a.id, w.most
    ) AS n (created_at, id, facility_id)
    WHERE a.sort = 'newest'
    UNION ALL
    SELECT s.stream, n.created_at, n.id
    FROM asked AS a
    CROSS JOIN widths AS w
    CROSS JOIN streams AS s
    CROSS JOIN LATERAL oldest_pickups(
        a.tenant_id, s.facility_id, a.driver_id, s.status, a.created_to, a.at, a.id, w.most
    ) AS n (created_at, id, facility_id)
    WHERE a.sort = 'oldest'
    UNION ALL
    SELECT s.stream, n.submitted_at, n.id
    FROM asked AS a
    CROSS JOIN widths AS w
    CROSS JOIN streams AS s
    CROSS JOIN LATERAL waiting_pickups(
        a.tenant_id, s.facility_id, s.status, a.at, a.id, w.most
    ) AS n (submitted_at, id, facility_id)
    WHERE a.sort = 'longest_waiting'
    UNION ALL
    SELECT 0, n.created_at, n.id
    FROM asked AS a
    CROSS JOIN widths AS w
    CROSS JOIN LATERAL keyed_pickups(
        a.tenant_id, a.patient_id, a.requested_by, a.account_id, a.sort = 'newest', a.created_from, a.created_to, a.at,
        a.id, w.most
    ) AS n (created_at, id)
    WHERE (SELECT b.by_key FROM bounds AS b) AND EXISTS (SELECT FROM listed)
), numbered AS MATERIALIZED (
    SELECT r.at, r.id, row_number() OVER (PARTITION BY r.stream ORDER BY r.place) AS nth, r.place
    FROM (
        SELECT r.*,
            row_number() OVER (
                ORDER BY CASE a.sort WHEN 'newest' THEN r.at END DESC, CASE a.sort WHEN 'newest' THEN r.id END DESC,
                    r.at, r.id) AS place
        FROM asked AS a
        CROSS JOIN read AS r
    ) AS r
), reach AS MATERIALIZED (
    -- Up to where all rows are known: the first stream that may have more ends there, and no more are looked at.
    SELECT n.place, n.at, n.id
    FROM bounds AS b
    CROSS JOIN widths AS w
    CROSS JOIN numbered AS n
    WHERE (n.nth = w.most OR n.place = b.most)
    ORDER BY n.place
    LIMIT 1
), matched AS MATERIALIZED (
    -- One after the other in their order, until the page is full: the rows behind it are not looked at.
    SELECT n.at, n.id, n.place
    FROM (
        SELECT n.at, n.id, n.place
        FROM numbered AS n
        WHERE n.place <= coalesce((SELECT r.place FROM reach AS r), n.place)
        ORDER BY n.place
        LIMIT (SELECT b.most FROM bounds AS b)
    ) AS n
    CROSS JOIN asked AS a
    CROSS JOIN bounds AS b
    WHERE a.may_ask
        AND (b.is_exact OR EXISTS (
            SELECT FROM pickups AS p
            WHERE p.tenant_id = a.tenant_id
                AND p.id = n.id
                AND pickup_matches(
                    p, a.statuses, a.facility_id, a.driver_id, a.account_id, a.patient_id, a.requested_by,
                    a.window_from, a.window_to, a.created_from, a.created_to, a.sort = 'longest_waiting')
                AND (role_sees_pickup(a.viewer_role, p.status, p.driver_id, a.viewer_driver_id)
                    OR a.viewer_role = 'staff' AND p.facility_id IN (SELECT m.facility_id FROM mine AS m))))
        AND (a.words IS NULL OR EXISTS (
            SELECT FROM pickup_searches AS s
            WHERE s.tenant_id = a.tenant_id AND s.pickup_id = n.id AND s.terms @@ a.words))
    ORDER BY n.place
    LIMIT (SELECT c.most FROM asked AS c)
), query AS MATERIALIZED (
    -- What to look for among all terms, where the look did not fill the page.
    SELECT
        rare_terms_query(
            a.tenant_id,
            CASE WHEN a.viewer_role = 'staff' THEN ARRAY(SELECT m.facility_id FROM mine AS m)
                ELSE array_remove(ARRAY[a.facility_id], NULL) END,
            a.account_id, a.requested_by, a.patient_id, a.window_from, a.window_to, sqlc.narg('text')::text,
            a.viewer_role IN ('admin', 'dispatcher', 'staff', 'driver')
        ) AS terms
    FROM asked AS a
    WHERE EXISTS (SELECT FROM reach)
        AND (SELECT count(*) FROM matched) < a.most
        AND EXISTS (SELECT FROM listed)
), rare AS MATERIALIZED (
    -- Whether the words that many have are there too, is said by the row that the rare ones have found.
    SELECT s.pickup_id AS id, s.has_words
    FROM asked AS a
    CROSS JOIN query AS q
    CROSS JOIN LATERAL (
        SELECT s.pickup_id, (a.words IS NULL OR s.terms @@ a.words) AS has_words
        FROM pickup_searches AS s
        WHERE s.tenant_id IS NOT DISTINCT FROM a.tenant_id -- with =, the planner might read all of the tenant besides
            AND s.terms @@ q.terms
        LIMIT 1 + @max_found::int
    ) AS s
    WHERE q.terms IS NOT NULL
    UNION ALL
    SELECT d.id, a.words IS NULL OR EXISTS (
            SELECT FROM pickup_searches AS s
            WHERE s.tenant_id = a.tenant_id AND s.pickup_id = d.id AND s.terms @@ a.words)
    FROM asked AS a
    CROSS JOIN driven AS d
    WHERE (SELECT b.by_driver FROM bounds AS b)
), is_whole AS MATERIALIZED (
    SELECT
        ((SELECT b.by_driver FROM bounds AS b) OR EXISTS (SELECT FROM query AS q WHERE q.terms IS NOT NULL))
            AND count(*) <= @max_found AS yes
    FROM rare
), whole AS MATERIALIZED (
    SELECT k.at, k.id
    FROM asked AS a
    CROSS JOIN rare AS r
    CROSS JOIN LATERAL (
        SELECT CASE a.sort WHEN 'longest_waiting' THEN p.submitted_at ELSE p.created_at END AS at, p.id
        FROM pickups AS p
        WHERE p.tenant_id = a.tenant_id
            AND p.id = r.id
            AND pickup_matches(
                p, a.statuses, a.facility_id, a.driver_id, a.account_id, a.patient_id, a.requested_by, a.window_from,
                a.window_to, a.created_from, a.created_to, a.sort = 'longest_waiting')
            AND (role_sees_pickup(a.viewer_role, p.status, p.driver_id, a.viewer_driver_id)
                OR a.viewer_role = 'staff' AND p.facility_id IN (SELECT m.facility_id FROM mine AS m))
        LIMIT 1
    ) AS k
    WHERE a.may_ask
        AND (SELECT w.yes FROM is_whole AS w)
        AND r.has_words
        AND CASE a.sort WHEN 'newest' THEN (k.at, k.id) < (a.at, a.id) ELSE (k.at, k.id) > (a.at, a.id) END
), found AS MATERIALIZED (
    SELECT f.at, f.id,
        row_number() OVER (
            ORDER BY CASE a.sort WHEN 'newest' THEN f.at END DESC, CASE a.sort WHEN 'newest' THEN f.id END DESC, f.at,
                f.id) AS place
    FROM asked AS a
    CROSS JOIN (
        SELECT m.at, m.id FROM matched AS m WHERE NOT (SELECT w.yes FROM is_whole AS w)
        UNION ALL
        SELECT w.at, w.id FROM whole AS w
    ) AS f
), page AS (
    SELECT f.at, f.id, f.place, true AS is_shown
    FROM asked AS a
    CROSS JOIN found AS f
    WHERE f.place < a.most
    UNION ALL
    -- The page is full: it goes on after its last row.
    SELECT f.at, f.id, a.most, false
    FROM asked AS a
    CROSS JOIN found AS f
    WHERE f.place = a.most - 1 AND EXISTS (SELECT FROM found AS g WHERE g.place = a.most)
    UNION ALL
    SELECT r.at, r.id, a.most, false
    FROM asked AS a
    CROSS JOIN reach AS r
    WHERE NOT (SELECT w.yes FROM is_whole AS w) AND NOT EXISTS (SELECT FROM found AS g WHERE g.place = a.most)
)
SELECT p.at::timestamptz AS at, p.id::uuid AS id, p.is_shown::boolean AS is_shown
FROM page AS p
ORDER BY p.place;

-- Lists pickups that were found, in any order: those that the viewer sees, now. Shown patients are audited.
-- name: ListFoundPickups :many
WITH shown AS MATERIALIZED (
    SELECT p.*
    FROM unnest(@ids::uuid[]) AS u (id)
    CROSS JOIN LATERAL (
        SELECT *
        FROM pickups AS k
        WHERE k.tenant_id = @tenant_id
            AND k.id = u.id
            AND (role_sees_pickup(@viewer_role::user_role, k.status, k.driver_id, @viewer_driver_id::uuid)
                OR @viewer_role = 'staff' AND EXISTS (
                SELECT FROM facility_viewers AS v
                WHERE v.tenant_id = k.tenant_id AND v.facility_id = k.facility_id AND v.user_id = @viewer_id::uuid))
        LIMIT 1
    ) AS p
), audited AS (
    INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
    SELECT DISTINCT s.tenant_id, s.patient_id, @viewer_id::uuid, 'list-pickups'
    FROM shown AS s
    WHERE s.patient_id IS NOT NULL
)
SELECT sqlc.embed(pickups) FROM shown AS pickups;
