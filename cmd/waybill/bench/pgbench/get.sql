-- What "waybill bench http" has pgbench do for "get": the same query, one pickup at a
-- time. pgbench's variables are numbers and constants, so that an id is put together
-- by the server, from its first half and its number: less than a microsecond, which
-- counts against the one by one. It has the same parameters as a generic plan sees
-- them, arrays of unknown length.
\set n random(0, :drafts - 1)
\run GetPickups
tenant_ids = :tenants
ids = '{' || :made::text || lpad(to_hex(:n::bigint), 12, '0') || '}'
viewer_ids = :staff
viewer_roles = '{staff}'
viewer_driver_ids = :none
operations = '{get-pickup}'
