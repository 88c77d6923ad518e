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
-- answer stays. A refusal counts only for the round of sending that it is about: see ResendMessage.
-- Closes: two runs of one job settle a text twice
-- Closes: a late refusal turns a sent text into a failed one
-- Closes: a refusal of an earlier round fails a text that is sent again
-- name: SettleMessage :execrows
UPDATE messages
SET status = CASE WHEN @reason::text = '' THEN 'SENT'::message_status ELSE 'FAILED' END,
    reason = nullif(@reason, ''),
    sent_at = CASE WHEN @reason = '' THEN now() END
WHERE tenant_id = @tenant_id
    AND id = @id
    AND status = 'QUEUED'
    AND (@reason = '' OR resends = @resends);

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

-- Requeues a refused text with a new job, for an operator: the old job is deleted within minutes. A text
-- without a phone number stays as it is: a user who gets a phone number later only receives later texts.
-- Closes: two operators resend a text and enqueue two jobs
-- Closes: a text that is being sent is sent again
-- name: RequeueMessage :execrows
WITH requeued AS (
    UPDATE messages
    SET status = 'QUEUED', reason = NULL, resends = resends + 1
    WHERE tenant_id = @tenant_id::uuid
        AND id = @id::uuid
        AND status = 'FAILED'
        AND reason IS DISTINCT FROM 'no_number'
    RETURNING tenant_id, id, resends
), resend AS (
    INSERT INTO message_resends (tenant_id, message_id, resend)
    SELECT r.tenant_id, r.id, r.resends
    FROM requeued AS r
)
INSERT INTO river_job (kind, queue, args)
SELECT 'send_text', 'texts', jsonb_build_object('tenant_id', r.tenant_id, 'message_id', r.id)
FROM requeued AS r;

-- Sends a refused text again for a viewer who sees its pickup: it is queued with a new job. The phone number
-- is shown as in ListMessages.
-- Closes: two callers resend a text and enqueue two jobs
-- Closes: a text is resent while it is being sent
-- Closes: a late duplicate resends a text that has failed again
-- name: ResendMessage :one
WITH asked AS (
    SELECT
        @tenant_id::uuid AS tenant_id,
        @id::uuid AS id,
        @viewer_id::uuid AS viewer_id,
        @viewer_role::user_role AS viewer_role,
        @viewer_driver_id::uuid AS viewer_driver_id,
        @idempotency_key::text AS idempotency_key,
        @request_digest::bytea AS request_digest
), requeued AS (
    UPDATE messages AS m
    SET status = 'QUEUED', reason = NULL, resends = m.resends + 1
    FROM asked AS a
    JOIN pickups AS p ON p.tenant_id = a.tenant_id
    WHERE m.tenant_id = a.tenant_id
        AND m.id = a.id
        AND m.pickup_id = p.id
        AND m.status = 'FAILED'
        AND m.reason IS DISTINCT FROM 'no_number'
        AND (role_sees_pickup(a.viewer_role, p.status, p.driver_id, a.viewer_driver_id) OR a.viewer_role = 'staff'
            AND EXISTS (
            SELECT FROM facility_viewers AS v
            WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = a.viewer_id))
    RETURNING m.*, p.requested_by
), resend AS (
    INSERT INTO message_resends (tenant_id, message_id, resend, actor_id, idempotency_key, request_digest)
    SELECT r.tenant_id, r.id, r.resends, a.viewer_id, nullif(a.idempotency_key, ''), a.request_digest
    FROM requeued AS r
    CROSS JOIN asked AS a
), job AS (
    INSERT INTO river_job (kind, queue, args)
    SELECT 'send_text', 'texts', jsonb_build_object('tenant_id', r.tenant_id, 'message_id', r.id)
    FROM requeued AS r
)
SELECT
    m.id, m.pickup_id,
    CASE WHEN a.viewer_role IN ('admin', 'dispatcher') OR m.requested_by = a.viewer_id THEN m.to_number END AS to,
    m.body, m.status, m.reason, m.created_at, m.sent_at
FROM requeued AS m
CROSS JOIN asked AS a;

-- Returns why ResendMessage did not send a text again, by a fresh read: its status and reason, and whether
-- the Idempotency-Key was used for it, by the same request. No row: the viewer sees no such text.
-- name: ExplainResendMessage :one
SELECT
    m.id, m.pickup_id,
    CASE
        WHEN @viewer_role::user_role IN ('admin', 'dispatcher') OR p.requested_by = @viewer_id::uuid THEN m.to_number
    END AS to,
    m.body, m.status, m.reason, m.created_at, m.sent_at,
    (r.message_id IS NOT NULL)::boolean AS key_used,
    coalesce(r.request_digest = @request_digest::bytea, false)::boolean AS same_request
FROM messages AS m
JOIN pickups AS p ON p.tenant_id = m.tenant_id AND p.id = m.pickup_id
LEFT JOIN message_resends AS r
    ON r.tenant_id = m.tenant_id AND r.message_id = m.id AND r.idempotency_key = @idempotency_key::text
WHERE m.tenant_id = @tenant_id
    AND m.id = @id
    AND (role_sees_pickup(@viewer_role, p.status, p.driver_id, @viewer_driver_id::uuid)
        OR @viewer_role::user_role = 'staff' AND EXISTS (
        SELECT FROM facility_viewers AS v
        WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = @viewer_id));

-- Raises an error unless the staff see the facility of the text's pickup on the current snapshot: they may
-- have been removed from the group while the write waited.
-- name: ConfirmMessage :exec
SELECT refuse_authority('WB003')
WHERE NOT EXISTS (
    SELECT FROM messages AS m
    JOIN pickups AS p ON p.tenant_id = m.tenant_id AND p.id = m.pickup_id
    JOIN facility_viewers AS v ON v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id
    WHERE m.tenant_id = @tenant_id AND m.id = @message_id AND v.user_id = @viewer_id);
