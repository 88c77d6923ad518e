package scale_test

const (
	// catalog has a line for each index, constraint, trigger and table.
	catalog = `
		SELECT string_agg(line, E'\n' ORDER BY line) FROM (
			SELECT pg_get_indexdef(indexrelid) || ' ' || indisvalid FROM pg_index
			WHERE indrelid::regclass::text !~ '^pg_'
			UNION ALL
			SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) || ' ' || convalidated
			FROM pg_constraint WHERE connamespace = 'public'::regnamespace
			UNION ALL
			SELECT pg_get_triggerdef(oid) || ' ' || tgenabled::text FROM pg_trigger WHERE NOT tgisinternal
			UNION ALL
			SELECT relname || ' ' || relpersistence::text || ' ' || relrowsecurity || ' ' || coalesce(reloptions::text,
				'')
			FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
		) AS l (line)`

	// indexOrder lists each table's indexes in the planner's order.
	indexOrder = `
		SELECT string_agg(t || ' ' || names, E'\n' ORDER BY t) FROM (
			SELECT indrelid::regclass::text AS t, string_agg(indexrelid::regclass::text, ' ' ORDER BY indexrelid)
				AS names
			FROM pg_index WHERE indrelid::regclass::text !~ '^pg_' GROUP BY indrelid) AS o`

	unplanned = `
		SELECT coalesce(string_agg(relname, ' '), '') FROM pg_class
		WHERE relname IN ('pickups', 'pickup_events', 'messages', 'ledger_entries', 'patients', 'patient_facilities',
			'patient_consents', 'patient_terms', 'appointments', 'phi_reads', 'facilities', 'users', 'drivers')
			AND (reltuples < 1 OR relallvisible = 0)`
)

// shape are queries about the large tenant, $1, whose results are the same at any size, or a share of the
// pickups, $2.
var shape = []struct{ name, query, want string }{
	{"pickups in all", "SELECT count(*) - $2 FROM pickups", "0"},
	{"patients in all", "SELECT count(*) - $2 FROM patients", "0"},
	{"the large tenant's pickups, of ten", "SELECT round(10.0 * count(*) / $2) FROM pickups WHERE tenant_id = $1", "7"},
	{"canceled, of ten that ended", `
		SELECT round(10.0 * count(*) FILTER (WHERE status = 'CANCELED') / count(*)) FROM pickups
		WHERE status IN ('DELIVERED', 'CANCELED')`, "2"},
	{"statuses", "SELECT count(DISTINCT status) FROM pickups WHERE tenant_id = $1", "9"},
	{"facilities of the large tenant", "SELECT count(*) FROM facilities WHERE tenant_id = $1", "2000"},
	{"tenants", "SELECT count(*) FROM tenants", "52"},
	{"the busiest facility's pickups, of a hundred, are about eight", `
		SELECT max(n) * 100 / sum(n) BETWEEN 6 AND 10
		FROM (SELECT count(*) AS n FROM pickups WHERE tenant_id = $1 GROUP BY facility_id) AS f`, "true"},
	{"patients of another facility than their pickup", `
		SELECT count(*) FROM pickups AS p JOIN patients AS q ON q.tenant_id = p.tenant_id AND q.id = p.patient_id
		WHERE q.facility_id <> p.facility_id`, "0"},
	{"pickups with a patient, of ten", "SELECT round(10.0 * count(patient_id) / $2) FROM pickups", "6"},
	{"balances that their entries do not add up to", `
		SELECT count(*) FROM accounts AS c WHERE balance_cents <> (
			SELECT sum(delta_cents) FROM ledger_entries AS e WHERE e.tenant_id = c.tenant_id AND e.account_id = c.id)`,
		"0"},
	{"counts that differ from the pickups", `
		SELECT count(*) FROM (
			SELECT tenant_id, facility_id, status, count(*) AS pickups FROM pickups GROUP BY 1, 2, 3
			UNION ALL
			SELECT tenant_id, '00000000-0000-0000-0000-000000000000', status, count(*) FROM pickups GROUP BY 1, 3
		) AS p FULL JOIN pickup_counts AS c USING (tenant_id, facility_id, status, pickups)
		WHERE p IS NULL OR c IS NULL`, "0"},
	{"slots that differ from their driver's assignment", `
		SELECT count(*) FROM driver_slots AS s
		FULL JOIN (SELECT * FROM pickups WHERE status = 'ASSIGNED') AS p
			ON p.tenant_id = s.tenant_id AND p.driver_id = s.driver_id
		WHERE s.pickup_id IS DISTINCT FROM p.id`, "0"},
	{"events that do not follow from the one before", `
		SELECT count(*) FROM (
			SELECT e.before, lag(e.after, 1, 'DRAFT') OVER w AS left_at, e.after, p.status, lead(e.id) OVER w AS next
			FROM pickup_events AS e JOIN pickups AS p ON p.tenant_id = e.tenant_id AND p.id = e.pickup_id
			WINDOW w AS (PARTITION BY e.tenant_id, e.pickup_id ORDER BY e.version)) AS chain
		WHERE before <> left_at OR next IS NULL AND after <> status`, "0"},
	{"events that are beyond the stream's horizon", `
		SELECT count(*) FROM pickup_events WHERE xid >= pg_snapshot_xmin(pg_current_snapshot())`, "0"},
	{"transactions that the stream's events are of, at least 100",
		"SELECT count(DISTINCT xid) >= 100 FROM pickup_events", "true"},
	{"patients who count other facilities than see them", `
		SELECT count(*) FROM patients AS p WHERE allowed_facilities <> (
			SELECT count(*) FROM patient_facilities AS f
			WHERE f.tenant_id = p.tenant_id AND f.patient_id = p.id AND f.allowed)`, "0"},
	{"facilities that took an allowance back, some", "SELECT count(*) > 0 FROM patient_facilities WHERE NOT allowed",
		"true"},
	{"consents that end otherwise than what holds", `
		SELECT count(*) FROM (
			SELECT DISTINCT ON (c.tenant_id, c.patient_id, c.facility_id) c.allowed, f.allowed AS holds
			FROM patient_consents AS c JOIN patient_facilities AS f USING (tenant_id, patient_id, facility_id)
			ORDER BY c.tenant_id, c.patient_id, c.facility_id, c.seq DESC) AS c
		WHERE allowed <> holds`, "0"},
	{"texts that failed, some", "SELECT count(*) > 0 FROM messages WHERE status = 'FAILED'", "true"},
}
