package db_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"waybill/db"
	"waybill/db/dbtest"
)

// The policies that keep values of rows out of PostgreSQL's log add no condition to any plan. They keep
// the planner from using the statistics of enums, which matters only to lists of pickups and a driver's
// facilities; TestAPageOfPickupsIsFewPages and TestEveryReadCostsWhatItShows cover these.
func TestPoliciesThatLetEverythingThroughChangeNoPlan(t *testing.T) {
	t.Parallel()
	dbtest.Thorough(t, "plans over large tables")
	ctx := t.Context()
	d := openUnchecked(t)
	w := d.fixture(ctx)
	w.manyRows(ctx)
	// A driver's policy uses one of two indexes of the same estimated cost, depending on random samples of
	// the statistics: see below.
	must(w.owner.Exec(ctx, "DROP POLICY patients_drivers ON patients"))
	with := plansOf(ctx, t, w)
	for _, table := range underPolicy(ctx, w.owner) {
		must(w.owner.Exec(ctx, "ALTER TABLE "+table+" DISABLE ROW LEVEL SECURITY"))
	}
	without := plansOf(ctx, t, w)
	if len(with) < 90 || len(with) != len(without) {
		t.Fatalf("%d plans, and %d without policies", len(with), len(without))
	}
	spared := map[string]bool{
		"EditPickup": true, // uses the primary key with them, and the index of statuses without
		// a driver's: see below
		"GetFacility": true, "ListFacilities": true,
	}
	for name, plan := range with {
		if plan != without[name] && !spared[name] {
			t.Errorf("%s: with the policies\n%s\nwithout\n%s", name, plan, without[name])
		}
	}
}

// The cost of a page of pickups depends on what it shows, whichever status is requested and however few of
// the table's rows are in it, or are the driver's now.
func TestAPageOfPickupsIsFewPages(t *testing.T) {
	t.Parallel()
	dbtest.Thorough(t, "plans over large tables")
	ctx := t.Context()
	d := openUnchecked(t)
	w := d.fixture(ctx)
	driver := w.manyRows(ctx)
	last := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	pickup := scan[uuid.UUID](ctx, w.owner, `UPDATE pickups SET patient_id = $2
		WHERE id = (SELECT id FROM pickups WHERE driver_id = $1 AND status = 'COLLECTED' ORDER BY id LIMIT 1)
		    RETURNING id`, driver.DriverID, w.patient(ctx))
	for what, args := range map[string][]any{
		"GetFacility":      {w.tenant, w.facility, driver.Role, driver.DriverID, driver.UserID},
		"GetPickupPatient": {driver.Role, w.tenant, pickup, driver.DriverID, driver.UserID},
		"ListFacilities":   {50, w.tenant, driver.UserID, driver.Role, driver.DriverID, last, uuid.Max},
	} {
		custom, generic := buffers(ctx, t, d.Raw, driver, what, args...)
		few(t, 100, what+" of a driver", custom, generic)
	}
	for _, v := range []db.Viewer{w.admin, w.staff, w.hub, driver} {
		for _, status := range [][]string{{}, {"SUBMITTED"}, {"COLLECTED"}, {"SHIPPED"}, {"DELIVERED"}, {"CANCELED"},
			{"PACKED"}, {"DRAFT", "PACKED"}} {
			for _, of := range []any{nil, driver.DriverID} {
				custom, generic := buffers(ctx, t, d.Raw, v, "ListPickups",
					50, w.tenant, v.UserID, v.Role, v.DriverID, status, nil, of, time.Time{}, last, last, uuid.Max)
				few(t, 500, fmt.Sprintf("%s, status %v, driver %v", v.Role, status, of != nil), custom, generic)
			}
		}
	}
}

// idsAlone are tables that the application writes and whose rows hold only ids, digests, flags, codes and times:
// PostgreSQL's log of them identifies no person.
var idsAlone = []string{"account_facilities", "account_keys", "appointment_feeds",
	"backfills", "driver_slots", "flags", "group_facilities",
	"group_members", "login_attempts", "login_buckets", "pickup_count_changes",
	"pickup_counts", "river_job", "river_leader", "river_queue", "webhook_deliveries", "webhook_endpoint_counts",
	"webhook_queues"}

// Every table that the application writes has row-level security, or holds only ids.
func TestEveryTableThatIsWrittenIsUnderRowSecurity(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	rows := must(d.owner.Query(ctx, `SELECT relname, relrowsecurity FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
			AND (has_any_column_privilege('waybill_app', oid, 'INSERT') OR has_any_column_privilege('waybill_app',
			    oid, 'UPDATE'))`))
	var name string
	var secured bool
	n := 0
	must(pgx.ForEachRow(rows, []any{&name, &secured}, func() error {
		if n++; secured == slices.Contains(idsAlone, name) {
			t.Errorf("%s: row level security %v; where a table's rows hold more than ids, the log of a refusal would "+
				"have it", name, secured)
		}
		return nil
	}))
	if n < 20 {
		t.Errorf("%d tables", n)
	}
}

// PostgreSQL's message about a row that it refuses, to the client and in its log, has none of the row's
// values, whichever constraint it is and however verbose the log.
func TestARefusalRepeatsNothingOfTheRow(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := openUnchecked(t).fixture(ctx) // some statements are not refused
	named, refused := w.named(ctx), map[string]bool{}
	try := func(what, statement string) {
		err := w.viewed(ctx, w.staff, func(s *db.Raw) error {
			_, err := s.DBTX().Exec(ctx, named.Replace(statement))
			return err
		})
		var refusal *pgconn.PgError
		switch {
		case err == nil, !errors.As(err, &refusal), refusal.Code == "42501", slices.Contains(idsAlone,
			refusal.TableName):
			return
		case strings.ContainsAny(refusal.Detail, "(="):
			t.Errorf("%s: %s", what, refusal.Detail)
		}
		refused[refusal.TableName+" "+refusal.Code] = true
	}
	// All that violates a constraint, whether a statement is written for it or made from its name.
	all := w.breaches(ctx, named)
	for _, c := range constraintsOf(ctx, w.owner) {
		for _, statement := range w.triesOf(ctx, c, all) {
			try(c.Name, statement)
		}
	}
	columns := must(pgx.CollectRows(must(w.owner.Query(ctx,
		`SELECT 'UPDATE ' || attrelid::regclass || ' SET ' || attname || ' = NULL WHERE tenant_id = $w'
		FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid
		WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnotnull AND attnum > 0
		    AND attname NOT IN ('tenant_id', 'id')
			AND relname NOT LIKE 'river%' AND relname NOT IN ('tenants', 'goose_db_version', 'pickup_transitions')`)),
		pgx.RowTo[string]))
	for _, statement := range columns {
		try(statement, statement)
	}
	for _, want := range []string{
		"pickups 23514", "pickups 23505", "pickups 23503", "pickups 23502", "users 23514", "users 23505",
		"users 23502", "phone_numbers 23514", "phone_numbers 23505",
		"phone_numbers 23503", "messages 23514", "messages 23505", "messages 23503", "messages 23502",
		"drivers 23514", "drivers 23505", "drivers 23503", "drivers 23502",
		"facilities 23514", "facilities 23505", "accounts 23514", "ledger_entries 23503", "sessions 23514",
		"sessions 23503", "groups 23514", "pickup_events 23505",
		"patients 23514", "patients 23502", "patient_consents 23505", "phi_reads 23505", "appointments 23514",
	} {
		if !refused[want] {
			t.Errorf("%s was not refused: the test does not cover it", want)
		}
	}
}

// underPolicy lists the tables whose single policy allows everything.
func underPolicy(ctx context.Context, owner *pgxpool.Pool) []string {
	rows := must(owner.Query(ctx,
		"SELECT polrelid::regclass::text FROM pg_policy WHERE polname = 'no_values_in_logs' ORDER BY 1"))
	return must(pgx.CollectRows(rows, pgx.RowTo[string]))
}

// manyRows fills the tables that grow, with statuses as they are after some time: most pickups are
// delivered, by one of forty drivers.
func (w *fixture) manyRows(ctx context.Context) (driver db.Viewer) {
	driver = w.driver(ctx, 1, 1)
	for _, statement := range []string{
		"ALTER TABLE pickups DISABLE TRIGGER USER",
		`INSERT INTO users (tenant_id, id, email, name, role, password_hash, request_digest)
			SELECT $1, new_id(), 'u' || n || '@example.com', 'User', 'staff', 'x', ''
			    FROM generate_series(1, 5000) AS n`,
		`INSERT INTO drivers (tenant_id, id, name, request_digest) SELECT $1, md5('d' || n)::uuid, 'Driver', ''
    FROM generate_series(1, 39) AS n`,
		`INSERT INTO pickups (tenant_id, id, status, facility_id, account_id, requested_by, driver_id, price_cents,
    charged_cents,
				pickup_address, dropoff_address, request_digest, created_at)
			SELECT $1, new_id(), s.status, $2, $3, $1, CASE WHEN s.status IN ('COLLECTED', 'SHIPPED', 'DELIVERED') THEN
					CASE n / 500 % 40 WHEN 0 THEN $4::uuid ELSE md5('d' || n / 500 % 40)::uuid END END, 1,
				CASE WHEN s.status = 'CANCELED' THEN 0 ELSE 1 END, 'a', 'b', '', now() - n * interval '1 minute'
			FROM generate_series(1, 40000) AS n
			CROSS
			    JOIN LATERAL (SELECT (CASE n % 500 WHEN 0 THEN 'SUBMITTED' WHEN 1 THEN 'COLLECTED'
			        WHEN 2 THEN 'SHIPPED' WHEN 3 THEN 'CANCELED'
				ELSE 'DELIVERED' END)::pickup_status AS status) AS s`,
		`INSERT INTO pickup_events (tenant_id, id, pickup_id, version, transition, actor_id, before, after, driver_id,
    request_digest)
			SELECT tenant_id, new_id(), id, 2, 'submit', id, 'DRAFT', status, driver_id, '' FROM pickups`,
		"ANALYZE",
	} {
		args := []any{w.tenant, w.facility, w.account, driver.DriverID}
		n := 0
		for i := range args {
			if strings.Contains(statement, fmt.Sprintf("$%d", i+1)) {
				n = i + 1
			}
		}
		must(w.owner.Exec(ctx, statement, args[:n]...))
	}
	return driver
}

// plansOf returns the generic plan of each statement, and custom plans of some.
func plansOf(ctx context.Context, t *testing.T, w *fixture) map[string]string {
	conn := must(w.pool.Acquire(ctx))
	defer conn.Release()
	must(conn.Exec(ctx, "SET plan_cache_mode = force_generic_plan"))
	explain := func(statement string) string {
		rows, err := conn.Query(ctx, "EXPLAIN "+statement, pgx.QueryExecModeSimpleProtocol)
		var lines []string
		if err == nil {
			lines, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		if refusal := new(pgconn.PgError); errors.As(err, &refusal) && refusal.Code == "42501" {
			return "the owner's alone"
		}
		w.must(err)
		plan := numbers.ReplaceAllString(strings.Join(lines, "\n"), "$$")
		return bitmap.ReplaceAllString(plan, "Index Scan using $2 on $1")
	}
	plans := map[string]string{}
	for name, text := range statements(t) {
		prepared := must(conn.Conn().Prepare(ctx, strings.ToLower(name), text))
		none := slices.Repeat([]string{"NULL"}, len(prepared.ParamOIDs))
		call := strings.ToLower(name)
		if len(none) > 0 {
			call += "(" + strings.Join(none, ", ") + ")"
		}
		plans[name] = explain("EXECUTE " + call)
	}
	return plans
}

// Numbers of what a plan computes once, which change with the rest of the plan, and estimated costs:
// another estimate, or another order of filters, does not make it another plan.
var numbers = regexp.MustCompile(`\$\d+|\(cost=[^)]*\)|Filter: .*`)

// bitmap is a scan by a bitmap of an index, which reads the same rows as a scan in the order of the index.
var bitmap = regexp.MustCompile(`Bitmap Heap Scan on (.*\n *)Recheck Cond[^>]*->  Bitmap Index Scan on (\S+).*\n *`)
