-- Returns a text for its worker: recipient, body, and whether it is still to be sent.
-- name: GetMessage :one
SELECT * FROM messages WHERE tenant_id = @tenant_id AND id = @id;

-- Lists the texts of a pickup that the viewer may see. The phone number is shown to those who work with
-- it, and to its owner.
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
    AND (role_sees_pickup(@viewer_role::user_role, p.status, p.driver_id, @viewer_driver_id::uuid)
        OR @viewer_role::user_role = 'staff' AND EXISTS (
        SELECT FROM facility_viewers AS v
        WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = @viewer_id))
    AND (m.created_at, m.id) < (@before_created_at::timestamptz, @before_id::uuid)
ORDER BY m.created_at DESC, m.id DESC
LIMIT @max_rows::int;

-- Stores the gateway's answer for a text: accepted, with reason '', or permanently refused. The first
-- answer stays.
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

-- Lists a tenant's texts that the gateway permanently refused, oldest first, for an operator who may
-- send them again. It returns neither the phone number nor the text. Texts without a phone number were
-- not refused by the gateway, and are not included.
-- name: ListRefusedMessages :many
SELECT m.id, coalesce(m.reason, '')::text AS reason, m.created_at
FROM messages AS m
WHERE m.tenant_id = @tenant_id
    AND m.status = 'FAILED'
    AND m.reason <> 'no_number'
    AND (m.created_at, m.id) > (@after_created_at::timestamptz, @after_id::uuid)
    AND (@reason::text = '' OR starts_with(m.reason, @reason))
ORDER BY m.created_at, m.id
LIMIT @max_rows::int;

-- Requeues a refused text with a new job: the old one is deleted within minutes. A text without a phone
-- number stays as it is: a user who gets a phone number later only receives later texts.
-- Closes: two operators resend a text and enqueue two jobs
-- Closes: a text that is being sent is sent again
-- name: RequeueMessage :execrows
WITH requeued AS (
    UPDATE messages
    SET status = 'QUEUED', reason = NULL
    WHERE tenant_id = @tenant_id::uuid
        AND id = @id::uuid
        AND status = 'FAILED'
        AND reason IS DISTINCT FROM 'no_number'
    RETURNING tenant_id, id
)
INSERT INTO river_job (kind, queue, args)
SELECT 'send_text', 'texts', jsonb_build_object('tenant_id', r.tenant_id, 'message_id', r.id)
FROM requeued AS r;
