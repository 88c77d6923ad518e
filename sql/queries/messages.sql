-- A text as its worker needs it: where to, what, and whether it is still to be sent.
-- name: GetMessage :one
SELECT * FROM messages WHERE tenant_id = @tenant_id AND id = @id;

-- A pickup's texts, for who may see the pickup. The number is for those who work with
-- it, and for its owner.
-- name: ListMessages :many
SELECT
    m.id, m.pickup_id,
    CASE
        WHEN @viewer_role::user_role IN ('admin', 'dispatcher') OR p.requested_by = @viewer_id::uuid THEN m.to_number
    END AS to,
    m.body, m.status, m.reason, m.created_at, m.sent_at
FROM messages AS m
JOIN pickups AS p ON p.tenant_id = m.tenant_id AND p.id = m.pickup_id
WHERE m.tenant_id = @tenant_id
    AND m.pickup_id = @pickup_id
    AND (role_sees_pickup(@viewer_role::user_role, p.status, p.driver_id, @viewer_driver_id::uuid) OR @viewer_role::user_role = 'staff' AND EXISTS (
        SELECT FROM facility_viewers AS v
        WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = @viewer_id))
    AND (m.created_at, m.id) < (@before_created_at::timestamptz, @before_id::uuid)
ORDER BY m.created_at DESC, m.id DESC
LIMIT @max_rows::int;

-- What the gateway said of a text: accepted, with reason '', or refused for good. The
-- first answer stays.
-- Closes: two runs of one job settle a text twice
-- Closes: a late refusal turns a sent text into a failed one
-- name: SettleMessage :execrows
UPDATE messages
SET status = CASE WHEN @reason::text = '' THEN 'SENT'::message_status ELSE 'FAILED' END,
    reason = nullif(@reason, ''),
    sent_at = CASE WHEN @reason = '' THEN now() END
WHERE tenant_id = @tenant_id
    AND id = @id
    AND status = 'QUEUED';
