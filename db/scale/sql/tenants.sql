-- Counts the tenants that there are already.
SELECT count(*) FROM tenants
