-- A deposit on each account, and the charges and refunds of the pickups whose events there are.
INSERT INTO ledger_entries (tenant_id, id, account_id, kind, amount_cents, note, pickup_id, actor_id, request_digest,
    created_at, balance_before_cents)
SELECT
    e.*,
    coalesce(sum(CASE e.kind WHEN 'charge' THEN -e.amount_cents ELSE e.amount_cents END) OVER (
        PARTITION BY e.tenant_id, e.account_id ORDER BY e.created_at
        RANGE BETWEEN UNBOUNDED PRECEDING AND '1 microsecond' PRECEDING), 0)
FROM (
    SELECT a.tenant_id, a.id, a.id AS account_id, 'deposit'::entry_kind AS kind, 1000000000000 AS amount_cents,
        NULL AS note,
            NULL::uuid AS pickup_id, u.id AS actor_id, '\x7363616c65'::bytea AS digest, a.created_at
    FROM accounts AS a
    JOIN users AS u ON u.tenant_id = a.tenant_id AND u.role = 'admin'
    UNION ALL
    SELECT
        e.tenant_id, e.id, p.account_id,
        CASE e.transition WHEN 'submit' THEN 'charge' ELSE 'refund' END::entry_kind, 1200,
        NULL, p.id,
        e.actor_id, '\x7363616c65', e.created_at
    FROM pickup_events AS e
    JOIN pickups AS p ON p.tenant_id = e.tenant_id AND p.id = e.pickup_id
    WHERE e.transition IN ('submit', 'cancel')
) AS e;

UPDATE accounts AS a
SET balance_cents = e.sum, balance_version = e.count, entered_at = e.newest
FROM (SELECT tenant_id, account_id, sum(delta_cents)::bigint AS sum,
    count(*) AS count, max(created_at) AS newest FROM ledger_entries GROUP BY tenant_id, account_id) AS e
WHERE e.tenant_id = a.tenant_id AND e.account_id = a.id;
