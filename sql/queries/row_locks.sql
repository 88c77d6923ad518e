-- Locks the rows that the writes of a transaction name, before the first of them is sent: of each kind in the order of
-- the key, and the kinds in the order in which every statement locks several: pickups, driver slots, drivers, accounts,
-- consents, patients, facilities, groups. Transactions that name the same rows in any order wait for one another, and
-- none holds what another one waits for. Returns what each write of a pickup changes besides, in the order asked:
-- an account, and a driver's slot; nil where it is not known. A pickup that its viewer does not see is not locked.
-- Closes: two transactions lock the same rows in opposite orders
-- name: LockRows :many
WITH asked AS (
    SELECT u.*, row_number() OVER () AS ord
    FROM (
        SELECT
            unnest(@pickup_ids::uuid[]) AS id,
            nullif(unnest(@transitions::text[]), '')::transition_name AS transition,
            unnest(@named_driver_ids::uuid[]) AS named_driver_id,
            unnest(@pays::boolean[]) AS pays
    ) AS u
), held_pickups AS MATERIALIZED (
    SELECT p.id, p.account_id, p.driver_id
    FROM pickups AS p
    WHERE p.tenant_id = @tenant_id::uuid
        AND p.id = ANY (@pickup_ids::uuid[])
        AND (role_sees_pickup(@viewer_role::user_role, p.status, p.driver_id, @viewer_driver_id::uuid)
            OR @viewer_role = 'staff' AND EXISTS (
                SELECT FROM facility_viewers AS v
                WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = @viewer_id::uuid))
    ORDER BY p.tenant_id, p.id
    FOR NO KEY UPDATE OF p
), changed AS MATERIALIZED (
    SELECT
        a.ord, t.money, t.slot, p.id IS NOT NULL AS is_known,
        CASE WHEN a.pays OR t.money IS NOT NULL THEN p.account_id END AS account_id,
        CASE t.slot WHEN 'take' THEN a.named_driver_id WHEN 'free' THEN p.driver_id END AS driver_id
    FROM asked AS a
    LEFT JOIN pickup_transitions AS t ON t.transition = a.transition
    LEFT JOIN held_pickups AS p ON p.id = a.id
), held_slots AS MATERIALIZED (
    SELECT s.driver_id
    FROM driver_slots AS s
    WHERE s.tenant_id = @tenant_id
        AND s.driver_id = ANY (ARRAY(SELECT c.driver_id FROM changed AS c) || @slot_ids::uuid[])
    ORDER BY s.tenant_id, s.driver_id
    FOR UPDATE OF s
), held_drivers AS MATERIALIZED (
    SELECT d.id
    FROM drivers AS d
    WHERE d.tenant_id = @tenant_id
        AND d.id = ANY (@driver_ids::uuid[])
        -- Each kind is locked after the one before.
        AND (SELECT count(*) FROM held_slots) >= 0
    ORDER BY d.tenant_id, d.id
    FOR NO KEY UPDATE OF d
), held_accounts AS MATERIALIZED (
    SELECT c.id
    FROM accounts AS c
    WHERE c.tenant_id = @tenant_id
        AND c.id = ANY (ARRAY(SELECT a.account_id FROM changed AS a) || @account_ids::uuid[])
        AND (SELECT count(*) FROM held_drivers) >= 0
    ORDER BY c.tenant_id, c.id
    FOR NO KEY UPDATE OF c
), consented AS MATERIALIZED (
    -- EditPatient locks the consent before the patient. A policy hides those that are withdrawn.
    SELECT f.patient_id
    FROM (
        SELECT p.id FROM unnest(@patient_ids::uuid[]) AS p (id) ORDER BY p.id
    ) AS n
    CROSS JOIN LATERAL (
        SELECT f.patient_id
        FROM facility_viewers AS v
        JOIN patient_facilities AS f ON f.tenant_id = v.tenant_id AND f.facility_id = v.facility_id
        WHERE v.tenant_id = @tenant_id
            AND v.user_id = @viewer_id
            AND f.patient_id = n.id
        LIMIT 1
        FOR SHARE OF f
    ) AS f
    WHERE (SELECT count(*) FROM held_accounts) >= 0
), held_patients AS MATERIALIZED (
    SELECT p.id
    FROM patients AS p
    WHERE p.tenant_id = @tenant_id AND p.id = ANY (ARRAY(SELECT c.patient_id FROM consented AS c))
    ORDER BY p.tenant_id, p.id
    FOR NO KEY UPDATE OF p
), held_facilities AS MATERIALIZED (
    SELECT f.id
    FROM facilities AS f
    WHERE f.tenant_id = @tenant_id
        AND f.id = ANY (@facility_ids::uuid[])
        AND (SELECT count(*) FROM held_patients) >= 0
    ORDER BY f.tenant_id, f.id
    FOR NO KEY UPDATE OF f
), held_groups AS MATERIALIZED (
    SELECT g.id
    FROM groups AS g
    WHERE g.tenant_id = @tenant_id
        AND g.id = ANY (@group_ids::uuid[])
        AND (SELECT count(*) FROM held_facilities) >= 0
    ORDER BY g.tenant_id, g.id
    FOR NO KEY UPDATE OF g
)
SELECT
    coalesce(c.money::text, '')::text AS money,
    coalesce(c.slot, '')::text AS slot,
    c.is_known::boolean AS is_known,
    coalesce(c.account_id, '00000000-0000-0000-0000-000000000000')::uuid AS account_id,
    coalesce(c.driver_id, '00000000-0000-0000-0000-000000000000')::uuid AS driver_id
FROM changed AS c
WHERE (SELECT count(*) FROM held_groups) >= 0
ORDER BY c.ord;
