-- A charge of a cent: the balance in one relative update, guarded, and its entry. A repeated id is refused
-- by the primary key.
\set k :k + 1
\set n :k * :clients + :client_id
\set account random(0, :accounts - 1)
WITH paid AS (
    UPDATE accounts
    SET balance_cents = balance_cents - 1, balance_version = balance_version + 1,
        entered_at = greatest(clock_timestamp(), entered_at + interval '1 microsecond')
    WHERE tenant_id = :tenant
        AND id = (:accounts_made::text || lpad(to_hex(:account::bigint), 12, '0'))::uuid
        AND balance_cents >= 1
    RETURNING tenant_id, id, entered_at, balance_cents + 1 AS balance_before_cents
)
INSERT INTO ledger_entries (
    tenant_id, id, account_id, kind, amount_cents, actor_id, request_digest, created_at, balance_before_cents)
SELECT
    p.tenant_id, (:made::text || lpad(to_hex(:n::bigint), 12, '0'))::uuid, p.id, 'charge', 1, :admin, :digest,
    p.entered_at, p.balance_before_cents
FROM paid AS p
RETURNING *;
