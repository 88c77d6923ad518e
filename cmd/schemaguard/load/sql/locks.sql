-- What the sessions that migrate hold now, of tables and of their indexes.
SELECT DISTINCT coalesce(i.indrelid, l.relation)::regclass::text, l.mode
FROM pg_locks AS l
JOIN pg_stat_activity AS s ON s.pid = l.pid
LEFT JOIN pg_index AS i ON i.indexrelid = l.relation
WHERE s.datname = current_database() AND s.application_name = $1
    AND l.locktype = 'relation' AND l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = s.datname)
    AND l.mode IN ('AccessExclusiveLock', 'ExclusiveLock', 'ShareRowExclusiveLock', 'ShareLock')
    AND coalesce(i.indrelid, l.relation) = ANY ($2::oid[])
