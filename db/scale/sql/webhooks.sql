-- An endpoint of tenant 0, with a delivery of each submit: of a hundred, one is a dead letter and one is pending.
INSERT INTO webhook_endpoint_counts (tenant_id, endpoints) SELECT t.id, 1 FROM tenants AS t WHERE t.slug = 'scale-0';

INSERT INTO webhook_endpoints (tenant_id, id, url, events, secret, request_digest, cursor_first_seq)
SELECT t.id, t.id, 'https://scale.example', '{submit}', 'whsec_', 'scale', 0 FROM tenants AS t WHERE t.slug = 'scale-0';

INSERT INTO webhook_deliveries (tenant_id, endpoint_id, id, type, pickup_id, seq, status, attempts, next_attempt_at,
    created_at)
SELECT
    e.tenant_id, e.tenant_id, e.id, 'pickup.submit', e.pickup_id, e.seq,
    CASE e.seq % 100 WHEN 0 THEN 'FAILED' WHEN 1 THEN 'PENDING' ELSE 'DELIVERED' END::webhook_delivery_status,
    1, CASE e.seq % 100 WHEN 1 THEN now() END, e.created_at
FROM pickup_events AS e
JOIN webhook_endpoints AS w ON w.tenant_id = e.tenant_id
WHERE e.transition = 'submit';

INSERT INTO webhook_queues (tenant_id, endpoint_id, id, pending, next_at)
SELECT d.tenant_id, d.endpoint_id, d.queue_id, count(*), now()
FROM webhook_deliveries AS d
WHERE d.status = 'PENDING'
GROUP BY d.tenant_id, d.endpoint_id, d.queue_id
