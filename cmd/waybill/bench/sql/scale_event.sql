-- A place in the middle of a tenant's stream.
SELECT e.xid::text || '-' || e.seq
FROM pickup_events AS e
WHERE e.tenant_id = $1 AND e.xid >= (
    SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY m.xid::text::bigint) FROM (
        SELECT DISTINCT xid FROM pickup_events TABLESAMPLE SYSTEM (1)) AS m)::text::xid8
ORDER BY e.xid, e.seq
LIMIT 1
