package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
)

// invariants hold whatever happened: nothing is half done. Each query counts the rows
// that break one.
func invariants(ctx context.Context, owner *pgxpool.Pool) error {
	var broken []error
	for what, query := range map[string]string{
		"the entries of an account add up to its balance": `
			SELECT count(*) FROM accounts AS c
			WHERE balance_cents <> (
				SELECT coalesce(sum(e.delta_cents), 0) FROM ledger_entries AS e
				WHERE e.tenant_id = c.tenant_id AND e.account_id = c.id)`,
		"a pickup has the charge and the refund that it says, once": `
			SELECT count(*) FROM pickups AS p
			WHERE ARRAY(
				SELECT kind || ' ' || amount_cents FROM ledger_entries AS e
				WHERE e.tenant_id = p.tenant_id AND e.pickup_id = p.id ORDER BY kind)
			<> array_remove(ARRAY[
				CASE WHEN charged_cents + refunded_cents > 0 THEN 'charge ' || price_cents END,
				CASE WHEN refunded_cents > 0 THEN 'refund ' || refunded_cents END], NULL)`,
		"a driver's slot holds the pickup that is assigned to them": `
			SELECT count(*) FROM driver_slots AS s
			FULL JOIN (SELECT * FROM pickups WHERE status = 'ASSIGNED') AS p
				ON p.tenant_id = s.tenant_id AND p.driver_id = s.driver_id
			WHERE s.pickup_id IS DISTINCT FROM p.id`,
		"an event begins where the one before ended, and the last ends where the pickup is": `
			SELECT count(*) FROM (
				SELECT p.status, e.before, e.after,
					lag(e.after, 1, 'DRAFT') OVER w AS left_at,
					lead(e.id) OVER w AS next
				FROM pickups AS p
				LEFT JOIN pickup_events AS e ON e.tenant_id = p.tenant_id AND e.pickup_id = p.id
				WINDOW w AS (PARTITION BY p.tenant_id, p.id ORDER BY e.version)) AS chain
			WHERE before <> left_at OR next IS NULL AND coalesce(after, 'DRAFT') <> status`,
		"a text is of an event that owes one, and one with a number has one job": `
			SELECT count(*) FROM messages AS m
			JOIN pickup_events AS e ON e.tenant_id = m.tenant_id AND e.id = m.event_id
			JOIN pickup_transitions AS t USING (transition)
			LEFT JOIN (SELECT args, count(*) AS jobs FROM river_job GROUP BY args) AS j
				ON j.args = jsonb_build_object('tenant_id', m.tenant_id, 'message_id', m.id)
			WHERE m.body IS DISTINCT FROM t.text OR m.pickup_id <> e.pickup_id
				OR coalesce(j.jobs, 0) NOT BETWEEN CASE WHEN m.to_number IS NULL THEN 0 ELSE 1 END
					AND CASE WHEN m.to_number IS NULL THEN 0 ELSE 1 + m.resends END`,
		"an event that owes a text has one": `
			SELECT count(*) FROM pickup_events AS e
			JOIN pickup_transitions AS t USING (transition)
			JOIN flags AS f ON f.tenant_id = e.tenant_id AND f.name = 'pickup_texts' AND f.enabled AND f.version = 1
			WHERE t.text IS NOT NULL
				AND NOT EXISTS (SELECT FROM messages AS m WHERE m.tenant_id = e.tenant_id AND m.event_id = e.id)`,
	} {
		var rows int
		if err := owner.QueryRow(ctx, query).Scan(&rows); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if rows > 0 {
			broken = append(broken, fmt.Errorf("%d rows violate: %s", rows, what))
		}
	}
	return errors.Join(broken...)
}
