-- Charges of a cent, of accounts by chance; for "charge-hot" there is one account. Of
-- an id see get.sql.
\set k :k + 1
\set n :k * :clients + :client_id
\set account random(0, :accounts - 1)
\run CreateLedgerEntries
tenant_ids = :tenants
ids = '{' || :made::text || lpad(to_hex(:n::bigint), 12, '0') || '}'
account_ids = '{' || :accounts_made::text || lpad(to_hex(:account::bigint), 12, '0') || '}'
kinds = '{charge}'
amounts_cents = '{1}'
notes = '{""}'
actor_ids = :admin
request_digests = :digests
