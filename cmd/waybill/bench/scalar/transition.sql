-- Cancels a draft, which was not charged and has no driver: the pickup and its event.
\set k :k + 1
\if :k >= :share
\set no_draft_is_left 1 / 0
\endif
\set n :k * :clients + :client_id
WITH moved AS (
    UPDATE pickups AS p
    SET status = 'CANCELED', previous_status = p.status, version = p.version + 1, updated_at = now()
    WHERE p.tenant_id = :tenant
        AND p.id = (:made::text || lpad(to_hex(:n::bigint), 12, '0'))::uuid
        AND p.status = ANY ('{DRAFT}')
        AND EXISTS (
            SELECT FROM facility_viewers AS v
            WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = :staff)
    RETURNING p.*
), event AS (
    INSERT INTO pickup_events (
        tenant_id, id, pickup_id, version, transition, actor_id, before, after, request_digest, facility_id)
    SELECT m.tenant_id, m.id, m.id, m.version, 'cancel', :staff, m.previous_status, m.status, :digest,
        m.facility_id
    FROM moved AS m
)
SELECT * FROM moved;
