-- What happened to a fifth of the pickups, as if the rest of the history were archived: the
-- small clinic's are among them. Every so many share a transaction, in the order of time.
INSERT INTO pickup_events (
    tenant_id, id, pickup_id, version, transition, actor_id, before, after, driver_id, request_digest, created_at, xid,
    facility_id)
SELECT
    p.tenant_id, pg_temp.id_of(k.ms + 60000 * e.step, 9, t, k.n * 8 + e.step), p.id, 1 + e.step, e.transition,
    p.requested_by, e.before, e.after,
    CASE WHEN e.after BETWEEN 'ASSIGNED' AND 'DELIVERED' THEN p.driver_id END, '\x7363616c65',
    pg_temp.time_of(k.ms + 60000 * e.step), (3 + k.n * (s.last_xid - 3) / s.pickups)::text::xid8,
    p.facility_id
FROM scale AS s
CROSS JOIN pickups AS p
CROSS JOIN LATERAL (
    SELECT pg_temp.number_of(p.id) AS n, s.begin_ms + pg_temp.number_of(p.id) * s.every_ms AS ms OFFSET 0
) AS k
CROSS JOIN LATERAL (SELECT pg_temp.tenant_of(k.n) AS t) AS o
JOIN (VALUES
    (1, 'submit', 'DRAFT', 'SUBMITTED'), (2, 'assign', 'SUBMITTED', 'ASSIGNED'),
    (3, 'collect', 'ASSIGNED', 'COLLECTED'),
    (4, 'receive', 'COLLECTED', 'RECEIVED'), (5, 'pack', 'RECEIVED', 'PACKED'), (6, 'ship', 'PACKED', 'SHIPPED'),
    (7, 'deliver', 'SHIPPED', 'DELIVERED'), (2, 'cancel', 'SUBMITTED', 'CANCELED')
) AS v (step, transition, before, after) ON v.step < p.version
CROSS JOIN LATERAL (
    SELECT v.step, v.transition::transition_name, v.before::pickup_status, v.after::pickup_status
) AS e
WHERE (k.n % 20 IN (0, 2, 4, 7) OR k.n % 50 = 9)
    AND (e.step = 1 OR (e.transition = 'cancel') = (p.status = 'CANCELED'));

INSERT INTO messages (tenant_id, id, pickup_id, event_id, to_number, body, status, reason, created_at, sent_at)
SELECT
    e.tenant_id, e.id, e.pickup_id, e.id, '+1' || 2000000000 + pg_temp.number_of(e.actor_id), t.text,
    CASE WHEN m.refused THEN 'FAILED' ELSE 'SENT' END::message_status, CASE WHEN m.refused THEN 'refused' END,
    e.created_at, CASE WHEN NOT m.refused THEN e.created_at END
FROM pickup_events AS e
JOIN pickup_transitions AS t ON t.transition = e.transition AND t.text IS NOT NULL
CROSS JOIN LATERAL (SELECT pg_temp.number_of(e.id) / 8 % 101 = 0 AS refused) AS m;
