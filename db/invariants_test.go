package db_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"waybill/db"
)

// invariants must hold at all times: each query counts the rows that break one.
var invariants = []struct{ name, query string }{
	{"a balance is the sum of its account's entries", `
		SELECT count(*) FROM accounts AS c
		WHERE balance_cents <> (
			SELECT coalesce(sum(e.delta_cents), 0) FROM ledger_entries AS e
			WHERE e.tenant_id = c.tenant_id AND e.account_id = c.id)
			AND coalesce($1::uuid, c.tenant_id) = c.tenant_id`},
	{"users are found by their names as they are now", `
		SELECT count(*) FROM (
			SELECT u.tenant_id, u.id, t.term, u.role, u.active, joined_terms(n.terms) AS terms
			FROM users AS u
			CROSS JOIN LATERAL (SELECT name_terms(u.name) AS terms) AS n
			CROSS JOIN LATERAL unnest(n.terms) AS t (term)) AS want
		FULL JOIN user_terms AS e ON e.tenant_id = want.tenant_id AND e.user_id = want.id AND e.term = want.term
		WHERE (e.role, e.active, e.terms) IS DISTINCT FROM (want.role, want.active, want.terms)
			AND coalesce($1::uuid, e.tenant_id, want.tenant_id) = coalesce(e.tenant_id, want.tenant_id)`},
	{"an entry knows the balance before it, which covers it, and its account when it was booked", `
		SELECT count(*) FROM (
			SELECT
				e.balance_before_cents, e.delta_cents, e.created_at, c.entered_at,
				coalesce(sum(e.delta_cents) OVER (PARTITION BY e.tenant_id, e.account_id ORDER BY e.created_at
					RANGE BETWEEN UNBOUNDED PRECEDING AND '1 microsecond' PRECEDING), 0) AS earlier,
				sum(e.delta_cents) OVER (PARTITION BY e.tenant_id, e.account_id
					ORDER BY e.created_at, e.delta_cents DESC, e.id) AS after
			FROM ledger_entries AS e
			JOIN accounts AS c ON c.tenant_id = e.tenant_id AND c.id = e.account_id
			WHERE coalesce($1::uuid, e.tenant_id) = e.tenant_id) AS e
		WHERE balance_before_cents IS NOT NULL AND (balance_before_cents <> earlier OR after < 0
			OR entered_at IS NULL OR created_at > entered_at)`},
	{"patients are found for each facility that sees them by what they are now", `
		SELECT count(*) FROM (
			SELECT f.tenant_id, f.facility_id, t.term, f.patient_id, joined_terms(n.terms) AS terms
			FROM patients AS p
			JOIN patient_facilities AS f ON f.tenant_id = p.tenant_id AND f.patient_id = p.id AND f.allowed
			CROSS JOIN LATERAL (
				SELECT terms_of_patient(p.given_name, p.family_name, p.birth_date, p.phone, p.external_id) AS terms
				OFFSET 0) AS n
			CROSS JOIN LATERAL unnest(n.terms) AS t (term)) AS want
		FULL JOIN patient_terms AS e ON e.tenant_id = want.tenant_id AND e.facility_id = want.facility_id
			AND e.term = want.term AND e.patient_id = want.patient_id
		WHERE e.terms IS DISTINCT FROM want.terms
			AND coalesce($1::uuid, e.tenant_id, want.tenant_id) = coalesce(e.tenant_id, want.tenant_id)`},
	{"a queue counts its pending deliveries", `
		SELECT count(*) FROM webhook_queues AS q
		FULL JOIN (
			SELECT d.tenant_id, d.endpoint_id, d.queue_id AS id, count(*) AS pending
			FROM webhook_deliveries AS d WHERE d.status = 'PENDING' GROUP BY 1, 2, 3
		) AS d USING (tenant_id, endpoint_id, id)
		WHERE coalesce(q.pending, 0) <> coalesce(d.pending, 0) AND coalesce($1::uuid, tenant_id) = tenant_id`},
	{"the endpoints of a tenant are counted", `
		SELECT count(*) FROM webhook_endpoint_counts AS n
		FULL JOIN (
			SELECT w.tenant_id, count(*) AS endpoints FROM webhook_endpoints AS w WHERE w.deleted_at IS NULL GROUP BY 1
		) AS w USING (tenant_id)
		WHERE coalesce(n.endpoints, 0) <> coalesce(w.endpoints, 0) AND coalesce($1::uuid, tenant_id) = tenant_id`},
	{"a slot holds the pickup that is assigned to its driver", `
		SELECT count(*) FROM driver_slots AS s
		FULL JOIN (SELECT * FROM pickups WHERE status = 'ASSIGNED') AS p
			ON p.tenant_id = s.tenant_id AND p.driver_id = s.driver_id
		WHERE s.pickup_id IS DISTINCT FROM p.id
			AND coalesce($1::uuid, s.tenant_id, p.tenant_id) = coalesce(s.tenant_id, p.tenant_id)`},
	{"a slot knows whether its driver is on duty", `
		SELECT count(*) FROM driver_slots AS s
		JOIN drivers AS d ON d.tenant_id = s.tenant_id AND d.id = s.driver_id
		WHERE s.on_duty <> d.on_duty AND coalesce($1::uuid, s.tenant_id) = s.tenant_id`},
	{"a driver has a slot", `
		SELECT count(*) FROM drivers AS d
		WHERE NOT EXISTS (
			SELECT FROM driver_slots AS s WHERE s.tenant_id = d.tenant_id AND s.driver_id = d.id)
			AND coalesce($1::uuid, d.tenant_id) = d.tenant_id`},
	{"an event tells the facility of its pickup, or none", `
		SELECT count(*) FROM pickup_events AS e
		JOIN pickups AS p ON p.tenant_id = e.tenant_id AND p.id = e.pickup_id
		WHERE e.facility_id <> p.facility_id AND coalesce($1::uuid, e.tenant_id) = e.tenant_id`},
	{"an appointment is with a patient whom its facility's records know", `
		SELECT count(*) FROM appointments AS a
		JOIN patients AS p ON p.tenant_id = a.tenant_id AND p.id = a.patient_id
		WHERE p.facility_id <> a.facility_id AND coalesce($1::uuid, a.tenant_id) = a.tenant_id`},
	{"a patient counts the facilities that see them", `
		SELECT count(*) FROM patients AS p
		WHERE coalesce(p.allowed_facilities, 0) <> (
			SELECT count(*) FROM patient_facilities AS f
			WHERE f.tenant_id = p.tenant_id AND f.patient_id = p.id AND f.allowed)
			AND coalesce($1::uuid, p.tenant_id) = p.tenant_id`},
	{"a patient's consents are numbered without a gap, and the newest of a facility is what holds", `
		SELECT count(*) FROM (
			SELECT
				c.seq, c.allowed, f.allowed AS holds, p.consents,
				count(*) OVER (PARTITION BY c.tenant_id, c.patient_id) AS all_of_them,
				row_number() OVER (PARTITION BY c.tenant_id, c.patient_id ORDER BY c.created_at, c.seq) AS nth,
				row_number() OVER (PARTITION BY c.tenant_id, c.patient_id, c.facility_id ORDER BY c.seq DESC) AS back
			FROM patient_consents AS c
			JOIN patients AS p ON p.tenant_id = c.tenant_id AND p.id = c.patient_id
			JOIN patient_facilities AS f ON f.tenant_id = c.tenant_id AND f.patient_id = c.patient_id
			    AND f.facility_id = c.facility_id
			WHERE coalesce($1::uuid, c.tenant_id) = c.tenant_id) AS c
		WHERE c.seq <> c.nth OR c.consents <> c.all_of_them OR c.back = 1 AND c.allowed <> c.holds`},
	{"a driver has one assigned pickup at most", `
		SELECT count(*) FROM (
			SELECT FROM pickups WHERE status = 'ASSIGNED' AND coalesce($1::uuid, tenant_id) = tenant_id
			GROUP BY tenant_id, driver_id HAVING count(*) > 1) AS busy`},
	{"an event begins where the one before ended, and the last ends where the pickup stands", `
		SELECT count(*) FROM (
			SELECT
				p.status, p.version AS now, e.version, e.before, e.after,
				lag(e.after, 1, 'DRAFT') OVER w AS left_at,
				lead(e.version) OVER w AS next
			FROM pickups AS p
			LEFT JOIN pickup_events AS e ON e.tenant_id = p.tenant_id AND e.pickup_id = p.id
			WHERE coalesce($1::uuid, p.tenant_id) = p.tenant_id
			WINDOW w AS (PARTITION BY p.tenant_id, p.id ORDER BY e.version)) AS chain
		WHERE before <> left_at
			OR next IS NULL AND (coalesce(after, 'DRAFT') <> status OR version > now)`},
	{"the stream tells the events of a pickup in their order", `
		SELECT count(*) FROM (
			SELECT
				row_number() OVER (PARTITION BY e.tenant_id, e.pickup_id ORDER BY e.version) AS nth,
				row_number() OVER (PARTITION BY e.tenant_id, e.pickup_id ORDER BY e.xid, e.seq) AS told
			FROM pickup_events AS e
			WHERE coalesce($1::uuid, e.tenant_id) = e.tenant_id) AS e
		WHERE e.nth <> e.told`},
	{"the dictionary declares each event", `
		SELECT count(*) FROM pickup_events AS e
		JOIN pickup_transitions AS t USING (transition)
		WHERE (NOT e.before = ANY (t.before) OR e.after <> t.after)
			AND coalesce($1::uuid, e.tenant_id) = e.tenant_id`},
	{"an adjustment is an event of its pickup, and no other event leaves the status", `
		SELECT count(*) FROM (
			SELECT * FROM pickup_events WHERE before = after OR transition IN ('reprice', 'refund')) AS e
		FULL JOIN pickup_adjustments AS a USING (tenant_id, pickup_id, version)
		WHERE (e.transition::text, e.before, e.actor_id) IS DISTINCT FROM (a.adjustment, e.after, a.actor_id)
			AND coalesce($1::uuid, tenant_id) = tenant_id`},
	{"a text is of an event that owes one, of the same pickup, in the dictionary's words", `
		SELECT count(*) FROM messages AS m
		JOIN pickup_events AS e ON e.tenant_id = m.tenant_id AND e.id = m.event_id
		JOIN pickup_transitions AS t USING (transition)
		WHERE (m.body IS DISTINCT FROM t.text OR m.pickup_id <> e.pickup_id)
			AND coalesce($1::uuid, m.tenant_id) = m.tenant_id`},
	{"an event that owes a text has one, while the switch is on as it was at first", `
		SELECT count(*) FROM pickup_events AS e
		JOIN pickup_transitions AS t USING (transition)
		JOIN flags AS f ON f.tenant_id = e.tenant_id AND f.name = 'pickup_texts' AND f.enabled AND f.version = 1
		WHERE t.text IS NOT NULL
			AND NOT EXISTS (SELECT FROM messages AS m WHERE m.tenant_id = e.tenant_id AND m.event_id = e.id)
			AND coalesce($1::uuid, e.tenant_id) = e.tenant_id`},
	{"a text has as many resends as it counts", `
		SELECT count(*) FROM messages AS m
		FULL JOIN (SELECT tenant_id, message_id AS id, count(*) AS n, max(resend) AS newest FROM message_resends
			GROUP BY 1, 2) AS r USING (tenant_id, id)
		WHERE (coalesce(r.n, 0) <> m.resends OR coalesce(r.newest, 0) <> m.resends)
			AND coalesce($1::uuid, tenant_id) = tenant_id`},
	{"a text with a number has one job, more if it was sent again, and there is no job but for those", `
		SELECT count(*) FROM messages AS m
		FULL JOIN (
			SELECT (args ->> 'tenant_id')::uuid AS tenant_id, (args ->> 'message_id')::uuid AS id, count(*) AS jobs
			FROM river_job WHERE kind = 'send_text' GROUP BY 1, 2) AS j USING (tenant_id, id)
		WHERE coalesce(j.jobs, 0) NOT BETWEEN CASE WHEN m.to_number IS NULL THEN 0 ELSE 1 END
				AND CASE WHEN m.to_number IS NULL THEN 0 ELSE 1 + m.resends END
			AND coalesce($1::uuid, tenant_id) = tenant_id`},
	{"a submit has a job that dispatches, or none, as the switch has been from the first", `
		SELECT count(*) FROM pickup_events AS e
		JOIN flags AS f ON f.tenant_id = e.tenant_id AND f.name = 'auto_dispatch' AND f.version = 1
		LEFT JOIN (
			SELECT (args ->> 'tenant_id')::uuid AS tenant_id, (args ->> 'event_id')::uuid AS id, count(*) AS jobs
			FROM river_job WHERE kind = 'dispatch_pickup' GROUP BY 1, 2) AS j ON j.tenant_id = e.tenant_id
			    AND j.id = e.id
		WHERE coalesce(j.jobs, 0) <> CASE WHEN f.enabled AND e.transition = 'submit' THEN 1 ELSE 0 END
			AND coalesce($1::uuid, e.tenant_id) = e.tenant_id`},
	{"a pickup is found by what it has", `
		SELECT count(*) FROM pickups AS p
		FULL JOIN pickup_searches AS s ON s.tenant_id = p.tenant_id AND s.pickup_id = p.id
		WHERE (s.terms IS DISTINCT FROM pickup_terms(p.tenant_id, p.facility_id, p.account_id, p.requested_by,
				p.patient_id, p.pickup_address, p.dropoff_address, p.note, p.window_start, p.window_end)
			OR (s.created_at, s.account_id, s.requested_by)
				IS DISTINCT FROM (p.created_at, p.account_id, p.requested_by)
			OR s.patient_id IS DISTINCT FROM p.patient_id)
			AND coalesce($1::uuid, p.tenant_id, s.tenant_id) = coalesce(p.tenant_id, s.tenant_id)`},
	// But for those that were delivered before it was recorded.
	{"a pickup that was submitted says when", `
		SELECT count(*) FROM pickups AS p
		WHERE (status = 'DRAFT' AND submitted_at IS NOT NULL
			OR pickup_waits(status) AND submitted_at IS NULL)
			AND coalesce($1::uuid, p.tenant_id) = p.tenant_id`},
	{"a facility's pickups in a status are what was counted and what is not folded yet, and so are a tenant's", `
		SELECT count(*) FROM (
			SELECT 1
			FROM (
				SELECT tenant_id, facility_id, status, count(*) AS pickups, count(*) AS all_of_them
				FROM pickups GROUP BY tenant_id, facility_id, status
				UNION ALL
				SELECT tenant_id, facility_id, status, -change, -change FROM pickup_count_changes
				UNION ALL
				SELECT tenant_id, facility_id, status, -pickups, 0 FROM pickup_counts
				WHERE facility_id <> '00000000-0000-0000-0000-000000000000'
				UNION ALL
				SELECT tenant_id, NULL, status, 0, -pickups FROM pickup_counts
				WHERE facility_id = '00000000-0000-0000-0000-000000000000'
			) AS u
			WHERE coalesce($1::uuid, tenant_id) = tenant_id
			GROUP BY GROUPING SETS ((tenant_id, facility_id, status), (tenant_id, status))
			HAVING grouping(facility_id) = 0 AND facility_id IS NOT NULL AND sum(pickups) <> 0
				OR grouping(facility_id) = 1 AND sum(all_of_them) <> 0) AS wrong`},
	{"a pickup is charged what it says, once and by its adjustments, and refunded once besides", `
		SELECT count(*) FROM pickups AS p
		CROSS JOIN LATERAL (
			SELECT
				count(*) FILTER (WHERE kind = 'charge') AS charges,
				count(*) FILTER (WHERE kind = 'refund') AS refunds,
				coalesce(sum(delta_cents), 0) AS delta_cents
			FROM ledger_entries AS e
			WHERE e.tenant_id = p.tenant_id AND e.pickup_id = p.id AND e.account_id = p.account_id) AS e
		CROSS JOIN LATERAL (
			SELECT
				count(*) FILTER (WHERE delta_cents < 0) AS charges,
				count(*) FILTER (WHERE delta_cents > 0) AS refunds,
				coalesce(sum(delta_cents) FILTER (WHERE adjustment = 'refund'), 0) AS refunded
			FROM pickup_adjustments AS a
			WHERE a.tenant_id = p.tenant_id AND a.pickup_id = p.id) AS a
		WHERE (e.charges - a.charges NOT BETWEEN 0 AND 1 OR e.refunds - a.refunds NOT BETWEEN 0 AND 1
				OR e.delta_cents <> -p.charged_cents
				OR p.refunded_cents <> CASE
					WHEN e.charges > 0
						AND p.status IN (SELECT t.after FROM pickup_transitions AS t WHERE t.money = 'refund')
						THEN p.price_cents
					ELSE a.refunded END)
			AND coalesce($1::uuid, p.tenant_id) = p.tenant_id`},
}

// checkInvariants runs after every test.
func checkInvariants(ctx context.Context, owner *pgxpool.Pool) error {
	return checkInvariantsOf(ctx, owner, nil)
}

// oneTenant has a view of each table that tenants have rows in, with those of one. Of a database with many tenants, the
// conditions of the invariants, which stand after joins and functions, are tried on the rows of all.
const oneTenant = `
	CREATE SCHEMA one_tenant;
	DO $$
		DECLARE
			name text;
		BEGIN
			FOR name IN
				SELECT c.relname FROM pg_class AS c
				JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
				WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
			LOOP
				EXECUTE format('CREATE VIEW one_tenant.%1$I AS
					SELECT * FROM public.%1$I WHERE tenant_id = current_setting(''one.tenant'')::uuid', name);
			END LOOP;
		END
	$$;
	CREATE VIEW one_tenant.river_job AS
		SELECT * FROM public.river_job WHERE args ->> 'tenant_id' = current_setting('one.tenant')`

// checkInvariantsAlone checks one tenant, of a database that has the views of oneTenant.
func checkInvariantsAlone(ctx context.Context, owner *pgxpool.Pool, tenant uuid.UUID) error {
	tx, err := owner.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx)
	if _, err := tx.Exec(ctx, "SELECT set_config('search_path', 'one_tenant, public', true), "+
		"set_config('one.tenant', $1, true)", tenant.String()); err != nil {
		return err
	}
	return checkInvariantsOf(ctx, tx, &tenant)
}

// checkInvariantsOf checks one tenant, or all for nil.
func checkInvariantsOf(ctx context.Context, owner db.DBTX, tenant *uuid.UUID) error {
	var broken []error
	for _, i := range invariants {
		var rows int
		if err := owner.QueryRow(ctx, i.query, tenant).Scan(&rows); err != nil {
			return fmt.Errorf("%s: %w", i.name, err)
		}
		if rows > 0 {
			broken = append(broken, fmt.Errorf("broken by %d rows: %s", rows, i.name))
		}
	}
	return errors.Join(broken...)
}
