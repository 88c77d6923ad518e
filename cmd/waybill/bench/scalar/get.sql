-- A pickup by its key, if the facility is one of the viewer's. What is shown of patients is not recorded:
-- the benchmark's pickups have none.
\set n random(0, :drafts - 1)
SELECT p.*
FROM pickups AS p
WHERE p.tenant_id = :tenant
    AND p.id = (:made::text || lpad(to_hex(:n::bigint), 12, '0'))::uuid
    AND EXISTS (
        SELECT FROM facility_viewers AS v
        WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = :staff);
