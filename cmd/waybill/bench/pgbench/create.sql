-- One draft after another, with ids in the order of time, as the server makes them.
-- Of an id see get.sql.
\set k :k + 1
\set n :k * :clients + :client_id
\set account mod(:n, :accounts)
\run CreatePickups
batches = '{0}'
tenant_ids = :tenants
ids = '{' || :made::text || lpad(to_hex(:n::bigint), 12, '0') || '}'
viewer_ids = :staff
viewer_roles = '{staff}'
facility_ids = :facilities
account_ids = '{' || :accounts_made::text || lpad(to_hex(:account::bigint), 12, '0') || '}'
patient_ids = :none
prices_cents = :prices
pickup_addresses = :pickup_addresses
pickup_latitudes = '{NaN}'
pickup_longitudes = '{NaN}'
dropoff_addresses = :dropoff_addresses
window_starts = '{0001-01-01 00:00:00Z}'
window_ends = '{0001-01-01 00:00:00Z}'
notes = '{""}'
request_digests = :digests
operation = 'create-pickup'
