-- Submits drafts, each once, as in transition.sql: with the charge, its entry, the
-- event, the text and its job. Event, entry and text have the id of the pickup: they
-- are rows of other tables.
\set k :k + 1
\if :k >= :share
\set no_draft_is_left 1 / 0
\endif
\set n :k * :clients + :client_id
\run SubmitPickups
tenant_ids = :tenants
ids = '{' || :made::text || lpad(to_hex(:n::bigint), 12, '0') || '}'
viewer_ids = :staff
viewer_roles = '{staff}'
viewer_driver_ids = :none
versions = '{0}'
idempotency_keys = '{""}'
request_digests = :digests
event_ids = '{' || :made::text || lpad(to_hex(:n::bigint), 12, '0') || '}'
entry_ids = '{' || :made::text || lpad(to_hex(:n::bigint), 12, '0') || '}'
message_ids = '{' || :made::text || lpad(to_hex(:n::bigint), 12, '0') || '}'
