-- The pages that the application's statements have looked at in a database, since the server
-- counts: whole statements, each counted when it ends.
SELECT coalesce(sum(s.shared_blks_hit + s.shared_blks_read), 0)::bigint
FROM pg_stat_statements AS s
JOIN pg_database AS d ON d.oid = s.dbid
JOIN pg_roles AS r ON r.oid = s.userid
WHERE d.datname = $1 AND r.rolname = $2
