-- Compares what was acknowledged ($1: ids of charges, $2: of pickups, $3: of submitted pickups) with what is
-- there.
SELECT
    (SELECT count(*) FROM unnest($1::uuid[]) AS a (id)
        WHERE NOT EXISTS (SELECT FROM ledger_entries AS e WHERE e.id = a.id AND e.kind = 'charge'))
    + (SELECT count(*) FROM unnest($2::uuid[]) AS a (id)
        WHERE NOT EXISTS (SELECT FROM pickups AS p WHERE p.id = a.id))
    + (SELECT count(*) FROM unnest($3::uuid[]) AS a (id)
        WHERE NOT EXISTS (SELECT FROM pickups AS p WHERE p.id = a.id AND p.status = 'SUBMITTED')
            OR NOT EXISTS (SELECT FROM pickup_events AS e WHERE e.pickup_id = a.id AND e.transition = 'submit'))
    AS lost,
    (SELECT count(*) FROM (
        SELECT FROM pickup_events WHERE transition = 'submit' GROUP BY pickup_id HAVING count(*) > 1) AS twice)
    + (SELECT count(*) FROM accounts AS c
        WHERE balance_cents <> (
            SELECT coalesce(sum(e.delta_cents), 0) FROM ledger_entries AS e
            WHERE e.tenant_id = c.tenant_id AND e.account_id = c.id))
    + (SELECT count(*) FROM pickups AS p
        WHERE p.status = 'SUBMITTED' AND p.price_cents <> (
            SELECT coalesce(-sum(e.delta_cents), 0) FROM ledger_entries AS e
            WHERE e.tenant_id = p.tenant_id AND e.pickup_id = p.id))
    AS doubled
