-- Creates an endpoint. Events that are committed from now on are sent to it. The count is raised only by a new row.
-- Closes: a retried request makes a second endpoint
-- Closes: a tenant gets more endpoints than it may have
-- name: CreateWebhookEndpoint :one
WITH created AS (
    INSERT INTO webhook_endpoints (tenant_id, id, url, events, secret, request_digest, cursor_first_seq)
    VALUES (
        @tenant_id, @id, @url, @events::text[], @secret, @request_digest,
        coalesce((
            SELECT h.first_seq FROM current_event_history() AS c (id) JOIN event_histories AS h ON h.id = c.id
        ), 0)
    )
    ON CONFLICT (tenant_id, id) DO NOTHING
    RETURNING *
), counted AS (
    INSERT INTO webhook_endpoint_counts AS n (tenant_id, endpoints)
    SELECT c.tenant_id, 1 FROM created AS c
    ON CONFLICT (tenant_id) DO UPDATE SET endpoints = n.endpoints + 1
)
SELECT sqlc.embed(webhook_endpoints) FROM created AS webhook_endpoints;

-- Returns an endpoint, also one that was deleted, which only a replay may be shown.
-- name: GetCreatedWebhookEndpoint :one
SELECT * FROM webhook_endpoints WHERE tenant_id = @tenant_id AND id = @id;

-- name: GetWebhookEndpoint :one
SELECT * FROM webhook_endpoints WHERE tenant_id = @tenant_id AND id = @id AND deleted_at IS NULL;

-- name: ListWebhookEndpoints :many
SELECT * FROM webhook_endpoints
WHERE tenant_id = @tenant_id
    AND deleted_at IS NULL
    AND (created_at, id) < (@before_created_at::timestamptz, @before_id::uuid)
ORDER BY created_at DESC, id DESC
LIMIT @max_rows::int;

-- Changes an endpoint. A new secret lets the former one sign besides, for as long as is asked for.
-- Closes: an edit of an endpoint overwrites an unseen edit
-- name: EditWebhookEndpoint :one
UPDATE webhook_endpoints
SET url = coalesce(sqlc.narg('url'), url),
    events = coalesce(sqlc.narg('events')::text[], events),
    former_secret = CASE WHEN sqlc.narg('secret')::text IS NULL THEN former_secret ELSE secret END,
    former_secret_ends_at = CASE
        WHEN sqlc.narg('secret')::text IS NULL THEN former_secret_ends_at
        ELSE now() + @overlap::interval
    END,
    secret = coalesce(sqlc.narg('secret'), secret),
    version = version + 1
WHERE tenant_id = @tenant_id AND id = @id AND version = @version AND deleted_at IS NULL
RETURNING *;

-- Deletes an endpoint and its secrets; a version of 0 is any. Its deliveries are not sent any more: a job removes them.
-- Closes: a delete removes an endpoint that was edited meanwhile
-- Closes: two deletes make room for two endpoints
-- name: DeleteWebhookEndpoint :execrows
WITH deleted AS (
    UPDATE webhook_endpoints
    SET deleted_at = now(), secret = NULL, former_secret = NULL, former_secret_ends_at = NULL, version = version + 1
    WHERE tenant_id = @tenant_id::uuid
        AND id = @id::uuid
        AND (version = @version::bigint OR @version = 0)
        AND deleted_at IS NULL
    RETURNING tenant_id
)
UPDATE webhook_endpoint_counts AS n
SET endpoints = n.endpoints - 1
FROM deleted AS d
WHERE n.tenant_id = d.tenant_id;
