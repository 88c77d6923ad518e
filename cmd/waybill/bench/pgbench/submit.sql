-- Submits drafts, each once, as in transition.sql: with the charge, its entry, the
-- event, the text and its job. The move has the id of the pickup: it keys rows of other
-- tables.
\set k :k + 1
\if :k >= :share
\set no_draft_is_left 1 / 0
\endif
\set n :k * :clients + :client_id
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
move_ids = '{' || :made::text || lpad(to_hex(:n::bigint), 12, '0') || '}'
driver_ids = :none
reasons = '{""}'
