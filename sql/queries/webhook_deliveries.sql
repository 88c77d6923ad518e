-- Lists tenants that have or had endpoints, after one of them, by their ids.
-- name: ListWebhookTenants :many
SELECT t.id
FROM tenants AS t
WHERE t.id > @after_id::uuid
    AND EXISTS (SELECT FROM webhook_endpoints AS w WHERE w.tenant_id = t.id)
ORDER BY t.id
LIMIT @max_rows::int;

-- Lists endpoints of tenants with something to do: events behind their cursor, or deliveries that are due. Where the
-- cursor is of a former history, it is to move on to the next one, which its rest of events ends before.
-- name: ListWebhookWork :many
SELECT
    w.tenant_id, w.id, w.cursor_xid, w.cursor_seq, w.cursor_first_seq, w.cursor_moves,
    coalesce(n.first_seq, 0)::bigint AS next_first_seq,
    (n.first_seq IS NOT NULL OR e.seq IS NOT NULL)::boolean AS is_behind,
    (q.id IS NOT NULL)::boolean AS is_due
FROM unnest(@tenant_ids::uuid[]) AS t (id)
JOIN webhook_endpoints AS w ON w.tenant_id = t.id AND w.deleted_at IS NULL
LEFT JOIN LATERAL (
    SELECT h.first_seq FROM event_histories AS h WHERE h.first_seq > w.cursor_first_seq ORDER BY h.first_seq LIMIT 1
) AS n ON true
LEFT JOIN LATERAL (
    SELECT e.seq
    FROM pickup_events AS e
    WHERE e.tenant_id = w.tenant_id
        AND (e.xid, e.seq) > (w.cursor_xid, w.cursor_seq)
        AND e.xid <= pg_snapshot_xmax(pg_current_snapshot())
        AND e.seq > w.cursor_first_seq
    ORDER BY e.xid, e.seq
    LIMIT 1
) AS e ON true
LEFT JOIN LATERAL (
    SELECT q.id
    FROM webhook_queues AS q
    WHERE q.tenant_id = w.tenant_id AND q.endpoint_id = w.id AND q.pending > 0 AND q.next_at <= now()
    ORDER BY q.next_at
    LIMIT 1
) AS q ON true
WHERE n.first_seq IS NOT NULL OR e.seq IS NOT NULL OR q.id IS NOT NULL
ORDER BY w.tenant_id, w.id;

-- Takes the next events behind an endpoint's cursor, and makes a delivery of each that it wants. The cursor moves in
-- the same statement, from where it was read: no event is taken twice, and none is left out. The events are final:
-- they are below the horizon, or of a former history.
-- Closes: two workers take one event for an endpoint
-- name: TakeWebhookEvents :one
WITH page AS MATERIALIZED (
    SELECT e.id, e.pickup_id, e.transition, e.xid, e.seq
    FROM pickup_events AS e
    WHERE e.tenant_id = @tenant_id
        AND (e.xid, e.seq) > ((@after_xid::text)::xid8, @after_seq::bigint)
        AND e.xid < (@horizon::text)::xid8
        AND e.seq > @first_seq::bigint
        AND e.seq <= @last_seq::bigint
    ORDER BY e.xid, e.seq
    LIMIT @max_rows::int
), ends AS MATERIALIZED (
    -- Where the page ends, or where the next history begins, if this was the rest of a former one.
    SELECT
        CASE WHEN s.is_last THEN '0'::xid8 ELSE p.xid END AS xid,
        CASE WHEN s.is_last THEN 0 ELSE p.seq END AS seq,
        CASE WHEN s.is_last THEN @last_seq ELSE @first_seq END AS first_seq
    FROM (
        SELECT count(*) < @max_rows AND @last_seq < 9223372036854775807 AS is_last FROM page
    ) AS s
    LEFT JOIN (SELECT p.xid, p.seq FROM page AS p ORDER BY p.xid DESC, p.seq DESC LIMIT 1) AS p ON true
    WHERE s.is_last OR p.seq IS NOT NULL
), taken AS (
    UPDATE webhook_endpoints AS w
    SET cursor_xid = z.xid, cursor_seq = z.seq, cursor_first_seq = z.first_seq, cursor_moves = w.cursor_moves + 1
    FROM ends AS z
    WHERE w.tenant_id = @tenant_id
        AND w.id = @endpoint_id
        AND w.cursor_moves = @cursor_moves
    RETURNING w.tenant_id, w.id, w.events
), deliveries AS (
    INSERT INTO webhook_deliveries (tenant_id, endpoint_id, id, type, pickup_id, seq)
    SELECT t.tenant_id, t.id, p.id, 'pickup.' || p.transition, p.pickup_id, p.seq
    FROM taken AS t
    CROSS JOIN page AS p
    WHERE t.events = '{}' OR p.transition::text = ANY (t.events)
    RETURNING tenant_id, endpoint_id, queue_id
), queues AS (
    INSERT INTO webhook_queues AS q (tenant_id, endpoint_id, id, pending, next_at)
    SELECT d.tenant_id, d.endpoint_id, d.queue_id, count(*), now()
    FROM deliveries AS d
    GROUP BY d.tenant_id, d.endpoint_id, d.queue_id
    ON CONFLICT (tenant_id, endpoint_id, id) DO UPDATE
    SET pending = q.pending + excluded.pending,
        next_at = CASE WHEN q.pending = 0 THEN excluded.next_at ELSE q.next_at END
)
SELECT
    (SELECT count(*) FROM page)::int AS events,
    (SELECT count(*) FROM deliveries)::int AS deliveries
FROM taken;

-- Sends a ping to an endpoint, as a delivery of its own. It does nothing if it was asked for before.
-- Closes: a retried request sends a second ping
-- name: PingWebhookEndpoint :one
WITH ping AS (
    INSERT INTO webhook_deliveries (tenant_id, endpoint_id, id, type, seq)
    SELECT w.tenant_id, w.id, @id::uuid, 'webhook.ping', 0
    FROM webhook_endpoints AS w
    WHERE w.tenant_id = @tenant_id AND w.id = @endpoint_id AND w.deleted_at IS NULL
    ON CONFLICT (tenant_id, endpoint_id, id) DO NOTHING
    RETURNING *
), queue AS (
    INSERT INTO webhook_queues (tenant_id, endpoint_id, id, pending, next_at)
    SELECT p.tenant_id, p.endpoint_id, p.queue_id, 1, now() FROM ping AS p
)
SELECT sqlc.embed(webhook_deliveries) FROM ping AS webhook_deliveries;

-- name: GetWebhookDelivery :one
SELECT d.*
FROM webhook_deliveries AS d
JOIN webhook_endpoints AS w ON w.tenant_id = d.tenant_id AND w.id = d.endpoint_id AND w.deleted_at IS NULL
WHERE d.tenant_id = @tenant_id AND d.endpoint_id = @endpoint_id AND d.id = @id;

-- Lists deliveries of an endpoint in some statuses. The newest of each status are read and merged: what has another
-- status costs nothing.
-- name: ListWebhookDeliveries :many
SELECT d.*
FROM (SELECT DISTINCT s.status FROM unnest(@statuses::text[]) AS s (status)) AS s
CROSS JOIN LATERAL (
    SELECT d.*
    FROM webhook_deliveries AS d
    WHERE d.tenant_id = @tenant_id
        AND d.endpoint_id = @endpoint_id
        AND d.status = s.status::webhook_delivery_status
        AND (d.created_at, d.id) < (@before_created_at::timestamptz, @before_id::uuid)
    ORDER BY d.created_at DESC, d.id DESC
    LIMIT @max_rows::int
) AS d
ORDER BY d.created_at DESC, d.id DESC
LIMIT @max_rows;

-- Claims queues of an endpoint whose next delivery is due, until their lease ends by the database's clock. Their heads
-- are to be read by a later statement: this one's snapshot may be from before the last answer was stored.
-- Closes: two workers send one delivery
-- name: ClaimWebhookQueues :many
WITH due AS MATERIALIZED (
    SELECT q.tenant_id, q.endpoint_id, q.id
    FROM webhook_queues AS q
    WHERE q.tenant_id = @tenant_id
        AND q.endpoint_id = @endpoint_id
        AND q.pending > 0
        AND q.next_at <= now()
    ORDER BY q.next_at
    LIMIT @max_rows::int
    FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE webhook_queues AS q
SET next_at = now() + @lease::interval, claims = q.claims + 1
FROM due AS d
WHERE q.tenant_id = d.tenant_id AND q.endpoint_id = d.endpoint_id AND q.id = d.id
RETURNING q.id, q.claims;

-- Returns the next delivery of each of several queues, and how to send it; none of an endpoint that was deleted.
-- name: ListWebhookHeads :many
SELECT
    d.queue_id, d.id, d.type, d.created_at, d.attempts,
    w.url, coalesce(w.secret, '')::text AS secret,
    CASE WHEN w.former_secret_ends_at > now() THEN w.former_secret ELSE '' END::text AS former_secret
FROM unnest(@queue_ids::uuid[]) AS q (id)
CROSS JOIN LATERAL (
    SELECT d.*
    FROM webhook_deliveries AS d
    WHERE d.tenant_id = @tenant_id
        AND d.endpoint_id = @endpoint_id
        AND d.queue_id = q.id
        AND d.status = 'PENDING'
    ORDER BY d.seq
    LIMIT 1
) AS d
JOIN webhook_endpoints AS w ON w.tenant_id = d.tenant_id AND w.id = d.endpoint_id AND w.deleted_at IS NULL;

-- Stores what became of a try: the status of the delivery after it, and when its queue goes on. Only the last claim's
-- answer counts, once.
-- Closes: a late answer settles a delivery that another worker sends
-- name: SettleWebhookDelivery :execrows
WITH queue AS (
    UPDATE webhook_queues AS q
    SET pending = q.pending - CASE WHEN @status::webhook_delivery_status = 'PENDING' THEN 0 ELSE 1 END,
        next_at = now() + @pause::interval,
        claims = q.claims + 1
    WHERE q.tenant_id = @tenant_id
        AND q.endpoint_id = @endpoint_id
        AND q.id = @queue_id
        AND q.claims = @claims
    RETURNING q.tenant_id, q.endpoint_id
)
UPDATE webhook_deliveries AS d
SET status = @status,
    attempts = d.attempts + 1,
    http_status = sqlc.narg('http_status'),
    reason = sqlc.narg('reason'),
    duration_ms = @duration_ms,
    attempted_at = now(),
    next_attempt_at = CASE WHEN @status = 'PENDING' THEN now() + @pause::interval END
FROM queue AS q
WHERE d.tenant_id = q.tenant_id AND d.endpoint_id = q.endpoint_id AND d.id = @id AND d.status = 'PENDING';

-- Sends a delivery again, with all its tries; one that is pending is left as it is.
-- Closes: two redeliveries send one delivery twice
-- name: RedeliverWebhook :execrows
WITH again AS (
    UPDATE webhook_deliveries AS d
    SET status = 'PENDING', attempts = 0, next_attempt_at = now()
    WHERE d.tenant_id = @tenant_id
        AND d.endpoint_id = @endpoint_id
        AND d.id = @id
        AND d.status IN ('DELIVERED', 'FAILED')
    RETURNING d.tenant_id, d.endpoint_id, d.queue_id
)
INSERT INTO webhook_queues AS q (tenant_id, endpoint_id, id, pending, next_at)
SELECT a.tenant_id, a.endpoint_id, a.queue_id, 1, now() FROM again AS a
ON CONFLICT (tenant_id, endpoint_id, id) DO UPDATE
SET pending = q.pending + 1,
    next_at = CASE WHEN q.pending = 0 THEN excluded.next_at ELSE q.next_at END;

-- Lists endpoints of tenants whose receivers fail, for operators: with deliveries that were given up since a time, days
-- after they were made, of which 1,000 at most are counted, or with one that has been pending for longer than a while.
-- name: ListTroubledWebhookEndpoints :many
SELECT
    w.tenant_id, w.id, f.dead_letters::bigint AS dead_letters,
    coalesce(p.created_at, now())::timestamptz AS oldest_pending
FROM unnest(@tenant_ids::uuid[]) AS t (id)
JOIN webhook_endpoints AS w ON w.tenant_id = t.id AND w.deleted_at IS NULL
CROSS JOIN LATERAL (
    SELECT count(*) AS dead_letters
    FROM (
        SELECT
        FROM webhook_deliveries AS d
        WHERE d.tenant_id = w.tenant_id AND d.endpoint_id = w.id AND d.status = 'FAILED'
            AND d.attempted_at >= @since::timestamptz
        LIMIT 1000
    ) AS d
) AS f
LEFT JOIN LATERAL (
    SELECT d.created_at
    FROM webhook_deliveries AS d
    WHERE d.tenant_id = w.tenant_id AND d.endpoint_id = w.id AND d.status = 'PENDING'
    ORDER BY d.created_at, d.id
    LIMIT 1
) AS p ON true
WHERE f.dead_letters > 0 OR p.created_at < now() - @pending_for::interval
ORDER BY w.tenant_id, w.id;

-- Lists all endpoints of tenants, also deleted ones, whose deliveries may be removed.
-- name: ListPrunableWebhookEndpoints :many
SELECT w.tenant_id, w.id, (w.deleted_at IS NOT NULL)::boolean AS is_deleted
FROM unnest(@tenant_ids::uuid[]) AS t (id)
JOIN webhook_endpoints AS w ON w.tenant_id = t.id
ORDER BY w.tenant_id, w.id;

-- Removes deliveries of an endpoint in some statuses that are older, and their queues if these are empty. It waits for
-- nobody: what another session holds is left.
-- Closes: a delivery is removed that is sent again meanwhile
-- Closes: two workers that remove deliveries wait for each other
-- name: PruneWebhookDeliveries :execrows
WITH old AS MATERIALIZED (
    SELECT d.tenant_id, d.endpoint_id, d.id, d.queue_id
    FROM webhook_deliveries AS d
    WHERE d.tenant_id = @tenant_id
        AND d.endpoint_id = @endpoint_id
        AND d.status = ANY ((@statuses::text[])::webhook_delivery_status[])
        AND d.created_at < now() - @keep::interval
    LIMIT @max_rows::int
    FOR UPDATE SKIP LOCKED
), queues AS MATERIALIZED (
    SELECT q.tenant_id, q.endpoint_id, q.id
    FROM webhook_queues AS q
    WHERE q.tenant_id = @tenant_id
        AND q.endpoint_id = @endpoint_id
        AND q.id IN (SELECT o.queue_id FROM old AS o)
        AND (q.pending = 0 OR @is_deleted::boolean)
    FOR UPDATE SKIP LOCKED
), emptied AS (
    DELETE FROM webhook_queues AS q
    USING queues AS e
    WHERE q.tenant_id = e.tenant_id AND q.endpoint_id = e.endpoint_id AND q.id = e.id
)
DELETE FROM webhook_deliveries AS d
USING old AS o
WHERE d.tenant_id = o.tenant_id AND d.endpoint_id = o.endpoint_id AND d.id = o.id;
