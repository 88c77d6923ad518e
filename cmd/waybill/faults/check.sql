-- Compares what was acknowledged ($1: ids of charges, $2: of pickups, $3: of submitted pickups) with what is
-- there. Each table is read once, however much there is.
SELECT
    (SELECT count(*) FROM (
        SELECT unnest($1::uuid[]) EXCEPT SELECT e.id FROM ledger_entries AS e WHERE e.kind = 'charge') AS charges)
    + (SELECT count(*) FROM (SELECT unnest($2::uuid[]) EXCEPT SELECT p.id FROM pickups AS p) AS made)
    + (SELECT count(*) FROM (
        SELECT unnest($3::uuid[])
        EXCEPT
        SELECT p.id FROM pickups AS p
        JOIN pickup_events AS e ON e.tenant_id = p.tenant_id AND e.pickup_id = p.id AND e.transition = 'submit'
        WHERE p.status = 'SUBMITTED') AS submitted)
    AS lost,
    (SELECT count(*) FROM (
        SELECT FROM pickup_events WHERE transition = 'submit' GROUP BY pickup_id HAVING count(*) > 1) AS twice)
    + (SELECT count(*) FROM accounts AS c
        LEFT JOIN (
            SELECT e.tenant_id, e.account_id, sum(e.delta_cents) AS cents FROM ledger_entries AS e GROUP BY 1, 2
        ) AS e ON e.tenant_id = c.tenant_id AND e.account_id = c.id
        WHERE c.balance_cents <> coalesce(e.cents, 0))
    + (SELECT count(*) FROM pickups AS p
        LEFT JOIN (
            SELECT e.tenant_id, e.pickup_id, -sum(e.delta_cents) AS cents FROM ledger_entries AS e GROUP BY 1, 2
        ) AS e ON e.tenant_id = p.tenant_id AND e.pickup_id = p.id
        WHERE p.status = 'SUBMITTED' AND p.price_cents <> coalesce(e.cents, 0))
    AS doubled
