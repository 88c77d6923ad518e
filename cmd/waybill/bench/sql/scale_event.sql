-- A place in a tenant's stream: the first event of a pickup. The middle of the events by their transactions would
-- not do: of a database that was loaded long ago, most of the later transactions have no event of it.
SELECT current_event_history() || '-' || e.xid || '-' || e.seq
FROM pickup_events AS e
WHERE e.tenant_id = $1 AND e.pickup_id = $2
ORDER BY e.version
LIMIT 1
