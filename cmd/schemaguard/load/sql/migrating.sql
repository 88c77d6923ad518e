-- Whether sessions that migrated are still there: what they wrote is counted when they are gone.
SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1
