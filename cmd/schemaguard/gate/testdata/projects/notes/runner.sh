psql -c "SET lock_timeout = '1s'" -f migration.sql
