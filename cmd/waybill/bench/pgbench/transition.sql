-- Cancels drafts, which were not charged: a transition with its event and nothing
-- else. Each draft was made for this run and is canceled once: a client that has none
-- left ends, and the run does not count. Of an id see get.sql.
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
transitions = '{cancel}'
versions = '{0}'
idempotency_keys = '{""}'
request_digests = :digests
move_ids = '{' || :made::text || lpad(to_hex(:n::bigint), 12, '0') || '}'
driver_ids = :none
reasons = '{""}'
