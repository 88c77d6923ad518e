-- Creates a patient of a facility that the viewer sees. An id whose patient does not allow the facility
-- to see them is skipped like a taken one: row level security would fail the statement.
-- Closes: a retried request makes a second patient
-- Closes: two requests create patients of one external id
-- name: CreatePatient :one
WITH created AS (
    INSERT INTO patients (
        tenant_id, id, facility_id, external_id, given_name, family_name, birth_date, phone, request_digest)
    SELECT
        v.tenant_id, @id::uuid, v.facility_id, sqlc.narg('external_id')::text, @given_name::text,
        @family_name::text, @birth_date::date, sqlc.narg('phone')::text, @request_digest::bytea
    FROM facility_viewers AS v
    WHERE v.tenant_id = @tenant_id
        AND v.facility_id = @facility_id
        AND v.user_id = @viewer_id
        AND NOT EXISTS (
            SELECT FROM patient_denials AS d
            WHERE d.tenant_id = v.tenant_id AND d.patient_id = @id AND d.facility_id = v.facility_id)
    LIMIT 1
    ON CONFLICT (tenant_id, id) DO NOTHING
    RETURNING *
), met AS (
    INSERT INTO patient_facilities (tenant_id, patient_id, facility_id)
    SELECT c.tenant_id, c.id, c.facility_id
    FROM created AS c
), audited AS (
    INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
    SELECT c.tenant_id, c.id, @viewer_id, 'create-patient'
    FROM created AS c
)
SELECT sqlc.embed(patients) FROM created AS patients;

-- Returns a patient; with a digest, only if it is that of the request that created them.
-- name: GetPatient :one
WITH seen AS MATERIALIZED (
    SELECT p.*
    FROM patients AS p
    WHERE p.tenant_id = @tenant_id
        AND p.id = @id
        AND (sqlc.narg('request_digest')::bytea IS NULL OR p.request_digest = sqlc.narg('request_digest'))
        AND EXISTS (
            SELECT FROM patient_viewers AS v
            WHERE v.tenant_id = p.tenant_id AND v.patient_id = p.id AND v.user_id = @viewer_id::uuid)
), audited AS (
    INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
    SELECT s.tenant_id, s.id, @viewer_id, @operation::text
    FROM seen AS s
)
SELECT sqlc.embed(patients) FROM seen AS patients;

-- Returns the patient of a pickup. Staff, dispatchers and admins must see the patient; the driver gets
-- only the name, until the pickup is delivered.
-- name: GetPickupPatient :one
WITH seen AS MATERIALIZED (
    SELECT p.tenant_id, p.id, p.given_name, p.family_name, p.birth_date, p.phone
    FROM pickups AS k
    JOIN patients AS p ON p.tenant_id = k.tenant_id AND p.id = k.patient_id
    WHERE k.tenant_id = @tenant_id
        AND k.id = @pickup_id
        AND CASE @viewer_role::user_role
            WHEN 'hub' THEN false
            WHEN 'driver' THEN role_sees_pickup('driver', k.status, k.driver_id, @viewer_driver_id::uuid)
            ELSE EXISTS (
                    SELECT FROM patient_viewers AS v
                    WHERE v.tenant_id = p.tenant_id AND v.patient_id = p.id AND v.user_id = @viewer_id::uuid)
                AND (@viewer_role::user_role <> 'staff' OR EXISTS (
                    SELECT FROM facility_viewers AS v
                    WHERE v.tenant_id = k.tenant_id AND v.facility_id = k.facility_id AND v.user_id = @viewer_id))
        END
), audited AS (
    INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
    SELECT s.tenant_id, s.id, @viewer_id, 'get-pickup-patient'
    FROM seen AS s
)
SELECT
    s.id,
    s.given_name,
    s.family_name,
    CASE WHEN @viewer_role::user_role <> 'driver' THEN s.birth_date END AS birth_date,
    CASE WHEN @viewer_role::user_role <> 'driver' THEN s.phone END AS phone
FROM seen AS s;

-- Lists the patients that the viewer sees, in the order of ids. The cost grows with the page and the viewer's
-- facilities, not with the patients. For staff of more than fifty facilities it first reads the tenant's next
-- patients until the viewer's fill a page (DISTINCT needs no sort). If they do not, and the tenant has more,
-- it merges the next patients of each facility (next_patients). Stored rows decide between the two, not the
-- planner. Only returned patients are audited; of the next one only its existence is returned.
-- name: ListPatients :many
WITH mine AS MATERIALIZED (
    SELECT DISTINCT v.facility_id
    FROM facility_viewers AS v
    WHERE v.tenant_id = @tenant_id
        AND v.user_id = @viewer_id
        AND (sqlc.narg('facility_id')::uuid IS NULL OR v.facility_id = sqlc.narg('facility_id'))
), nearest AS MATERIALIZED (
    SELECT DISTINCT k.patient_id
    FROM next_facility_patients(@tenant_id, @after_id, least(20 * (1 + @max_rows::int), 1000))
        AS k (patient_id, facility_id, allowed)
    WHERE (SELECT count(*) FROM mine) > 50
        AND k.allowed
        -- IS TRUE keeps the planner from a join, which would read all rows.
        AND (k.facility_id IN (SELECT m.facility_id FROM mine AS m)) IS TRUE
    ORDER BY k.patient_id
    LIMIT 1 + @max_rows::int
), tried AS MATERIALIZED (
    SELECT
        CASE
            WHEN (SELECT count(*) FROM mine) <= 50 THEN false
            WHEN count(*) > @max_rows::int THEN true
            ELSE (
                SELECT count(*) < least(20 * (1 + @max_rows::int), 1000)
                FROM next_facility_patients(@tenant_id, @after_id, least(20 * (1 + @max_rows::int), 1000)) AS k)
        END AS is_enough
    FROM nearest AS n
), places AS MATERIALIZED (
    -- Facilities to merge, in the order of their next patients. Several may have the same one.
    SELECT m.facility_id, dense_rank() OVER (ORDER BY n.patient_id) AS place
    FROM mine AS m
    CROSS JOIN LATERAL next_patients(@tenant_id, m.facility_id, @after_id, 1) AS n (patient_id)
    WHERE NOT (SELECT t.is_enough FROM tried AS t)
), known AS MATERIALIZED (
    SELECT DISTINCT u.patient_id
    FROM (
        SELECT n.patient_id FROM nearest AS n
        UNION ALL
        SELECT n.patient_id
        FROM places AS p
        -- Each earlier place has a patient who comes earlier, so that a later place contributes fewer rows.
        CROSS JOIN LATERAL next_patients(
            @tenant_id, p.facility_id, @after_id, (2 - p.place + @max_rows::int)::int
        ) AS n (patient_id)
        WHERE p.place <= 1 + @max_rows::int
    ) AS u
    ORDER BY u.patient_id
    LIMIT 1 + @max_rows::int
), shown AS MATERIALIZED (
    SELECT p.*
    FROM (
        SELECT k.patient_id
        FROM known AS k
        ORDER BY k.patient_id
        LIMIT @max_rows::int
    ) AS k
    CROSS JOIN LATERAL (
        SELECT *
        FROM patients AS p
        WHERE p.tenant_id = @tenant_id AND p.id = k.patient_id
        LIMIT 1
    ) AS p
), audited AS (
    INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
    SELECT s.tenant_id, s.id, @viewer_id, 'list-patients'
    FROM shown AS s
)
SELECT sqlc.embed(patients), ((SELECT count(*) FROM known) > @max_rows::int)::boolean AS more
FROM shown AS patients
ORDER BY patients.id;

-- Finds the patients that the viewer sees by the beginnings of the words of their names, birth date, phone and
-- external id, in the order of the term by which they are looked for: see rarest_patient_terms. The cost grows with
-- the page and the viewer's facilities. It reads the first few that each facility sees (next_patient_terms), and
-- then, of the facilities that may have more for the page, those up to the end of the page (patient_terms_until), of
-- which there are few. It looks at max_looks entries, half of them divided among the facilities, and half among
-- those that may have more for the page, but at ten of each; where one ended there, the page ends too, and the next
-- one continues. For viewers of more than max_looks / 20 facilities it looks at max_looks / 10 of the tenant's
-- entries (visible_patient_terms), where the page ends; it merges only if the viewer sees none of these. Terms are
-- compared in "C", in which entries are read, whatever the database's collation. Entries have only the beginnings of
-- long words and ids: the rows decide. Only returned patients are audited. What is '' is not asked for. A page of none
-- has one row, whose id is nil.
-- name: FindPatients :many
WITH asked AS MATERIALIZED (
    SELECT a.first, a.past, a.patterns
    FROM rarest_patient_terms(
        nullif(@name::text, ''), nullif(@birth_date::text, '')::date, nullif(@phone::text, ''),
        nullif(@external_id::text, ''), @after_term::text) AS a
), mine AS MATERIALIZED (
    SELECT
        m.facility_id,
        greatest((@max_looks::bigint) / (2 * count(*) OVER ()), least(@max_looks::bigint, 10)) AS looks,
        least(1 + @max_rows::int, greatest(1, 120 / count(*) OVER ()))::bigint AS width
    FROM (
        SELECT DISTINCT v.facility_id
        FROM facility_viewers AS v
        WHERE v.tenant_id = @tenant_id
            AND v.user_id = @viewer_id
            AND (sqlc.narg('facility_id')::uuid IS NULL OR v.facility_id = sqlc.narg('facility_id'))
    ) AS m
), wide AS MATERIALIZED (
    SELECT n.term COLLATE "C" AS term, n.patient_id, n.fits, n.is_last
    FROM asked AS a
    CROSS JOIN LATERAL visible_patient_terms(
        a.first, a.past, a.patterns, @after_term, @after_id::uuid, (@max_looks::bigint) / 10, 1 + @max_rows::int) AS n
    WHERE 20 * (SELECT count(*) FROM mine) > @max_looks::bigint
), tried AS MATERIALIZED (
    SELECT
        20 * (SELECT count(*) FROM mine) > @max_looks::bigint
        AND NOT EXISTS (SELECT FROM wide AS w WHERE w.term IS NULL) AS is_enough
), begun AS MATERIALIZED (
    SELECT m.facility_id, m.width, n.term, n.patient_id, n.fits, n.is_last,
        row_number() OVER (PARTITION BY m.facility_id ORDER BY n.term, n.patient_id) AS nth
    FROM asked AS a
    CROSS JOIN mine AS m
    CROSS JOIN LATERAL (
        SELECT k.term COLLATE "C" AS term, k.patient_id, k.fits, k.is_last
        FROM next_patient_terms(
            @tenant_id, m.facility_id, a.first, a.past, a.patterns, @after_term, @after_id, m.looks, m.width) AS k
    ) AS n
    WHERE NOT (SELECT t.is_enough FROM tried AS t)
), bound AS MATERIALIZED (
    -- No patient behind it is on the page: as many are known as it may have, and one more, or, if fewer are, a facility
    -- was looked at no further.
    SELECT k.term, k.patient_id
    FROM (
        SELECT b.term, b.patient_id, b.is_last,
            dense_rank() OVER (PARTITION BY b.fits ORDER BY b.term, b.patient_id) = 1 + @max_rows::int
                AND b.fits AS is_past
        FROM begun AS b
    ) AS k
    WHERE k.is_past OR k.is_last
    ORDER BY k.is_past DESC, k.term, k.patient_id
    LIMIT 1
), places AS MATERIALIZED (
    -- Facilities that may have more before the bound, each with the last entry that was looked at.
    SELECT b.facility_id, b.term, b.patient_id,
        greatest((@max_looks::bigint) / (2 * count(*) OVER ()), least(@max_looks::bigint, 10)) AS looks
    FROM begun AS b
    WHERE (b.nth = b.width OR b.is_last)
        AND NOT EXISTS (SELECT FROM bound AS u WHERE (b.term, b.patient_id) >= (u.term, u.patient_id))
), found AS MATERIALIZED (
    SELECT b.term, b.patient_id, b.fits,
        b.is_last AND EXISTS (SELECT FROM bound AS u WHERE (b.term, b.patient_id) >= (u.term, u.patient_id)) AS is_last
    FROM begun AS b
    UNION ALL
    SELECT n.term COLLATE "C", n.patient_id, n.fits, n.is_last
    FROM asked AS a
    CROSS JOIN places AS p
    CROSS JOIN LATERAL patient_terms_until(
        @tenant_id, p.facility_id, a.first, a.past, a.patterns, p.term, p.patient_id,
        coalesce((SELECT u.term FROM bound AS u), a.past),
        coalesce((SELECT u.patient_id FROM bound AS u), p.patient_id),
        p.looks, 1 + @max_rows::int) AS n
    UNION ALL
    SELECT w.term, w.patient_id, w.fits, w.is_last FROM wide AS w
), ended AS MATERIALIZED (
    -- Where the first facility ended whose entries were not all looked at.
    SELECT f.term, f.patient_id
    FROM found AS f
    WHERE f.is_last
    ORDER BY f.term, f.patient_id
    LIMIT 1
), known AS MATERIALIZED (
    SELECT k.term, k.patient_id, row_number() OVER (ORDER BY k.term, k.patient_id) AS place, count(*) OVER () AS known
    FROM (
        SELECT DISTINCT f.term, f.patient_id
        FROM found AS f
        WHERE f.fits
            AND NOT EXISTS (SELECT FROM ended AS e WHERE (f.term, f.patient_id) > (e.term, e.patient_id))
        ORDER BY f.term, f.patient_id
        LIMIT 1 + @max_rows::int
    ) AS k
), next AS MATERIALIZED (
    SELECT k.term, k.patient_id FROM known AS k WHERE k.place = @max_rows::int AND k.known > @max_rows::int
    UNION ALL
    SELECT e.term, e.patient_id FROM ended AS e WHERE (SELECT count(*) FROM known) <= @max_rows::int
), shown AS MATERIALIZED (
    SELECT
        p.tenant_id, p.id, p.facility_id, p.external_id, p.given_name, p.family_name, p.birth_date, p.phone, p.version,
        p.request_digest, p.created_at, p.allowed_facilities, p.consents
    FROM (
        SELECT k.patient_id FROM known AS k WHERE k.place <= @max_rows::int
    ) AS k
    CROSS JOIN LATERAL (
        SELECT
            p.tenant_id, p.id, p.facility_id, p.external_id, p.given_name, p.family_name, p.birth_date, p.phone,
            p.version, p.request_digest, p.created_at, p.allowed_facilities, p.consents
        FROM patients AS p
        WHERE p.tenant_id = @tenant_id AND p.id = k.patient_id
        LIMIT 1
    ) AS p
    WHERE (@name = '' OR name_matches(p.family_name || ' ' || p.given_name, @name))
        AND (@external_id = '' OR p.external_id = @external_id)
), audited AS (
    INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
    SELECT s.tenant_id, s.id, @viewer_id, 'list-patients'
    FROM shown AS s
)
SELECT
    coalesce(s.tenant_id, r.nobody)::uuid AS tenant_id,
    coalesce(s.id, r.nobody)::uuid AS id,
    coalesce(s.facility_id, r.nobody)::uuid AS facility_id,
    s.external_id,
    coalesce(s.given_name, '')::text AS given_name,
    coalesce(s.family_name, '')::text AS family_name,
    coalesce(s.birth_date, '1800-01-01')::date AS birth_date,
    s.phone,
    coalesce(s.version, 0)::bigint AS version,
    s.request_digest,
    coalesce(s.created_at, now())::timestamptz AS created_at,
    s.allowed_facilities,
    coalesce(s.consents, 0)::bigint AS consents,
    coalesce(n.term, '')::text AS next_term,
    coalesce(n.patient_id, r.nobody)::uuid AS next_id
FROM (SELECT '00000000-0000-0000-0000-000000000000'::uuid AS nobody) AS r
LEFT JOIN next AS n ON true
LEFT JOIN shown AS s ON true
LEFT JOIN known AS k ON k.patient_id = s.id
ORDER BY k.place;

-- Edits a patient. The consent by which the viewer sees the patient is locked until the edit is done: a
-- withdrawal waits, or makes the edit match no row. An external id belongs to the facility whose
-- records contain the patient: a viewer who does not see that facility cannot change it, nor learn
-- whether another patient there has it; and a viewer who sees the patient only through another facility
-- cannot remove it from a patient who denies that facility, whose feed would then create them again.
-- Closes: an edit overwrites an unseen edit
-- Closes: two edits give patients one external id
-- Closes: an edit goes through after consent was revoked
-- name: EditPatient :one
WITH consented AS MATERIALIZED (
    SELECT f.tenant_id, f.patient_id
    FROM facility_viewers AS v
    JOIN patient_facilities AS f ON f.tenant_id = v.tenant_id AND f.facility_id = v.facility_id
    WHERE v.tenant_id = @tenant_id
        AND v.user_id = @viewer_id::uuid
        AND f.patient_id = @id
        AND f.allowed
    LIMIT 1
    FOR SHARE OF f
), edited AS (
    UPDATE patients AS p
    SET external_id = CASE WHEN @set_external_id::boolean THEN sqlc.narg('external_id')::text ELSE p.external_id END,
        given_name = coalesce(sqlc.narg('given_name')::text, p.given_name),
        family_name = coalesce(sqlc.narg('family_name')::text, p.family_name),
        birth_date = coalesce(sqlc.narg('birth_date')::date, p.birth_date),
        phone = CASE WHEN @set_phone::boolean THEN sqlc.narg('phone')::text ELSE p.phone END,
        version = p.version + 1
    FROM consented AS c
    WHERE p.tenant_id = c.tenant_id
        AND p.id = c.patient_id
        AND p.version = @version
        AND (NOT @set_external_id OR EXISTS (
            SELECT FROM facility_viewers AS v
            WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = @viewer_id))
        AND (NOT @set_external_id OR NOT EXISTS (
            SELECT FROM patient_denials AS d
            WHERE d.tenant_id = p.tenant_id AND d.patient_id = p.id AND d.facility_id = p.facility_id))
    RETURNING p.*
), audited AS (
    INSERT INTO phi_reads (tenant_id, patient_id, user_id, operation)
    SELECT e.tenant_id, e.id, @viewer_id, 'edit-patient'
    FROM edited AS e
)
SELECT sqlc.embed(patients) FROM edited AS patients;

-- Reads what an edit that matched no row is compared with, without patient data.
-- name: ExplainEditPatient :one
SELECT
    p.version,
    (EXISTS (
        SELECT FROM facility_viewers AS v
        WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = @viewer_id)
    AND NOT EXISTS (
        SELECT FROM patient_denials AS d
        WHERE d.tenant_id = p.tenant_id AND d.patient_id = p.id
            AND d.facility_id = p.facility_id))::boolean AS may_set_external_id
FROM patients AS p
WHERE p.tenant_id = @tenant_id
    AND p.id = @id
    AND EXISTS (
        SELECT FROM patient_viewers AS v
        WHERE v.tenant_id = p.tenant_id AND v.patient_id = p.id AND v.user_id = @viewer_id::uuid);

-- Returns whether the patient exists in the tenant, for viewers who may read the audit log of patients
-- that they do not see.
-- name: PatientExists :one
SELECT patient_exists(@tenant_id, @id)::boolean;

-- Returns whether the viewer sees the patient.
-- name: SeesPatient :one
SELECT EXISTS (
    SELECT FROM patient_viewers AS v
    WHERE v.tenant_id = @tenant_id AND v.patient_id = @patient_id AND v.user_id = @viewer_id);

-- Raises an error if the viewer does not see the written patient any more on the current snapshot,
-- because they were removed from the group while the write waited.
-- name: ConfirmPatient :exec
SELECT refuse_authority('WB003')
WHERE NOT EXISTS (
    SELECT FROM patient_viewers AS v
    WHERE v.tenant_id = @tenant_id AND v.patient_id = @patient_id AND v.user_id = @viewer_id);
