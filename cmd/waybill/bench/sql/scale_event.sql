-- A place in the middle of a tenant's stream.
SELECT current_event_history() || '-' || e.xid || '-' || e.seq
FROM pickup_events AS e
WHERE e.tenant_id = $1 AND e.xid >= (
    SELECT ((first.xid::text::bigint + last.xid::text::bigint) / 2)::text::xid8
    FROM (SELECT xid FROM pickup_events WHERE tenant_id = $1 ORDER BY xid, seq LIMIT 1) AS first,
        (SELECT xid FROM pickup_events WHERE tenant_id = $1 ORDER BY xid DESC, seq DESC LIMIT 1) AS last)
ORDER BY e.xid, e.seq
LIMIT 1
