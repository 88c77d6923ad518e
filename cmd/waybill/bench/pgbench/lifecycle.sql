-- The happy path of a pickup, each step a statement and a commit of its own: create,
-- submit, assign (each client has a driver of its own), collect, receive, pack, ship,
-- deliver. The steps' moves have ids apart from each other's. Of an id see
-- get.sql.
\set k :k + 1
\set n :k * :clients + :client_id
\set account mod(:n, :accounts)
\set submit :n + (1 << 44)
\set assign :n + (2 << 44)
\set collect :n + (3 << 44)
\set receive :n + (4 << 44)
\set pack :n + (5 << 44)
\set ship :n + (6 << 44)
\set deliver :n + (7 << 44)
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
\run TransitionPickups
tenant_ids = :tenants
ids = '{' || :made::text || lpad(to_hex(:n::bigint), 12, '0') || '}'
viewer_ids = :staff
viewer_roles = '{staff}'
viewer_driver_ids = :none
transitions = '{submit}'
versions = '{0}'
idempotency_keys = '{""}'
request_digests = :digests
move_ids = '{' || :made::text || lpad(to_hex(:submit::bigint), 12, '0') || '}'
driver_ids = :none
reasons = '{""}'
\run TransitionPickups
tenant_ids = :tenants
ids = '{' || :made::text || lpad(to_hex(:n::bigint), 12, '0') || '}'
viewer_ids = :dispatcher
viewer_roles = '{dispatcher}'
viewer_driver_ids = :none
transitions = '{assign}'
versions = '{0}'
idempotency_keys = '{""}'
request_digests = :digests
move_ids = '{' || :made::text || lpad(to_hex(:assign::bigint), 12, '0') || '}'
driver_ids = '{' || :drivers_made::text || lpad(to_hex(:client_id::bigint), 12, '0') || '}'
reasons = '{""}'
\run TransitionPickups
tenant_ids = :tenants
ids = '{' || :made::text || lpad(to_hex(:n::bigint), 12, '0') || '}'
viewer_ids = :dispatcher
viewer_roles = '{dispatcher}'
viewer_driver_ids = :none
transitions = '{collect}'
versions = '{0}'
idempotency_keys = '{""}'
request_digests = :digests
move_ids = '{' || :made::text || lpad(to_hex(:collect::bigint), 12, '0') || '}'
driver_ids = :none
reasons = '{""}'
\run TransitionPickups
tenant_ids = :tenants
ids = '{' || :made::text || lpad(to_hex(:n::bigint), 12, '0') || '}'
viewer_ids = :hub
viewer_roles = '{hub}'
viewer_driver_ids = :none
transitions = '{receive}'
versions = '{0}'
idempotency_keys = '{""}'
request_digests = :digests
move_ids = '{' || :made::text || lpad(to_hex(:receive::bigint), 12, '0') || '}'
driver_ids = :none
reasons = '{""}'
\run TransitionPickups
tenant_ids = :tenants
ids = '{' || :made::text || lpad(to_hex(:n::bigint), 12, '0') || '}'
viewer_ids = :hub
viewer_roles = '{hub}'
viewer_driver_ids = :none
transitions = '{pack}'
versions = '{0}'
idempotency_keys = '{""}'
request_digests = :digests
move_ids = '{' || :made::text || lpad(to_hex(:pack::bigint), 12, '0') || '}'
driver_ids = :none
reasons = '{""}'
\run TransitionPickups
tenant_ids = :tenants
ids = '{' || :made::text || lpad(to_hex(:n::bigint), 12, '0') || '}'
viewer_ids = :hub
viewer_roles = '{hub}'
viewer_driver_ids = :none
transitions = '{ship}'
versions = '{0}'
idempotency_keys = '{""}'
request_digests = :digests
move_ids = '{' || :made::text || lpad(to_hex(:ship::bigint), 12, '0') || '}'
driver_ids = :none
reasons = '{""}'
\run TransitionPickups
tenant_ids = :tenants
ids = '{' || :made::text || lpad(to_hex(:n::bigint), 12, '0') || '}'
viewer_ids = :hub
viewer_roles = '{hub}'
viewer_driver_ids = :none
transitions = '{deliver}'
versions = '{0}'
idempotency_keys = '{""}'
request_digests = :digests
move_ids = '{' || :made::text || lpad(to_hex(:deliver::bigint), 12, '0') || '}'
driver_ids = :none
reasons = '{""}'
