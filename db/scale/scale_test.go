package scale_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db/dbtest"
	"waybill/db/scale"
)

func TestMain(m *testing.M) { dbtest.Exit(dbtest.Run(m)) }

func open(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dbtest.New(t).OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func load(t *testing.T, conn *pgx.Conn, pickups int) *scale.Dataset {
	t.Helper()
	w, err := scale.Load(t.Context(), conn, scale.Size{Pickups: pickups}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// ask returns the single value that a query answers, as text.
func ask(t *testing.T, conn *pgx.Conn, query string, args ...any) string {
	t.Helper()
	var answer any
	if err := conn.QueryRow(t.Context(), query, args...).Scan(&answer); err != nil {
		t.Fatalf("%v\n%s", err, query)
	}
	if n, ok := answer.(interface{ Value() (any, error) }); ok {
		answer, _ = n.Value()
	}
	return fmt.Sprint(answer)
}

// What is dropped for the load is restored, so that measurements are made with the schema of the
// migrations.
func TestLoadLeavesTheSchemaAsItWas(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "SQL makes the rows, one statement after the other")
	conn := open(t)
	before, order := ask(t, conn, catalog), ask(t, conn, indexOrder)
	load(t, conn, scale.Smallest)
	if after := ask(t, conn, catalog); after != before {
		t.Errorf("the schema was\n%s\nand is\n%s", before, after)
	}
	if after := ask(t, conn, indexOrder); after != order {
		t.Errorf("the indexes were\n%s\nand are\n%s", order, after)
	}
	if tables := ask(t, conn, unplanned); tables != "" {
		t.Error("not vacuumed and analyzed:", tables)
	}
}

func TestLoadHasTheSameShapeAtAnySize(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "SQL makes the rows, one statement after the other")
	for _, pickups := range []int{10_000, 20_000} {
		conn := open(t)
		w := load(t, conn, pickups)
		for _, s := range shape {
			// Each query uses both parameters: PostgreSQL must know their types.
			query := fmt.Sprintf("SELECT (%s)::text WHERE $1::uuid IS NOT NULL AND $2::bigint > 0", s.query)
			if got := ask(t, conn, query, w.TenantID, pickups); got != s.want {
				t.Errorf("of %d pickups, %s: %s, not %s", pickups, s.name, got, s.want)
			}
		}
		if n := len(w.Pickups); n < 150 || n > 300 {
			t.Errorf("of %d pickups, the small clinic has %d", pickups, n)
		}
	}
}

// Each role's user sees what the data set says of them.
func TestDatasetMatchesItsRows(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "SQL makes the rows, one statement after the other")
	conn := open(t)
	w := load(t, conn, 10_000)
	const visible = `
		SELECT count(DISTINCT v.facility_id) || ' ' || count(p.id) FROM facility_viewers AS v
		LEFT JOIN pickups AS p ON p.tenant_id = v.tenant_id AND p.facility_id = v.facility_id
		WHERE v.tenant_id = $1 AND v.user_id = $2`
	all := ask(t, conn, "SELECT 2000 || ' ' || count(*) FROM pickups WHERE tenant_id = $1", w.TenantID)
	for role, want := range map[scale.Role]string{
		scale.StaffOfOne: fmt.Sprint("1 ", len(w.Pickups)), scale.StaffOfNew: "1 0", scale.StaffOfAll: all,
		scale.Admin: "0 0", scale.Dispatcher: all, scale.Hub: all, scale.Driver: "0 0",
	} {
		if got := ask(t, conn, visible, w.TenantID, w.Users[role]); got != want {
			t.Errorf("the user %d sees %s facilities and pickups, not %s", role, got, want)
		}
	}
	for name, c := range map[string]struct {
		query string
		about uuid.UUID
		want  string
	}{
		"roles of the users": {"SELECT role FROM users WHERE tenant_id = $1 AND id = $2", w.Users[scale.Driver],
			"driver"},
		"statuses of the driver's": {`SELECT count(DISTINCT status) FROM pickups WHERE tenant_id = $1 AND driver_id = $2
			AND status IN ('ASSIGNED', 'COLLECTED', 'RECEIVED', 'PACKED', 'SHIPPED')`, w.DriverID, "5"},
		"reads": {"SELECT count(*) FROM phi_reads WHERE tenant_id = $1 AND patient_id = $2", w.PatientID,
			"500"},
		"consents": {"SELECT count(*) FROM patient_consents WHERE tenant_id = $1 AND patient_id = $2",
			w.PatientID, "100"},
		"events of a first": {"SELECT count(*) > 0 FROM pickup_events WHERE tenant_id = $1 AND pickup_id = $2",
			w.Pickups[0], "true"},
		"the last is open": {`SELECT status IN ('DELIVERED', 'CANCELED') FROM pickups WHERE tenant_id = $1 AND id = $2`,
			w.Pickups[len(w.Pickups)-1], "false"},
		"the busiest": {`SELECT facility_id = $2 FROM pickups WHERE tenant_id = $1 GROUP BY facility_id
			ORDER BY count(*) DESC LIMIT 1`, w.BusiestClinic, "true"},
		"what is to come": {`SELECT count(*) >= 600 FROM appointments WHERE tenant_id = $1 AND facility_id = $2
			AND starts_at > now()`, w.SmallClinic, "true"},
	} {
		if got := ask(t, conn, c.query, w.TenantID, c.about); got != c.want {
			t.Errorf("%s: %s, not %s", name, got, c.want)
		}
	}
}

func TestLoadRefusesADatabaseWithTenants(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "SQL makes the rows, one statement after the other")
	conn := open(t)
	load(t, conn, scale.Smallest)
	_, err := scale.Load(t.Context(), conn, scale.Size{Pickups: scale.Smallest}, nil)
	if !errors.Is(err, scale.ErrNotEmpty) {
		t.Errorf("got %v", err)
	}
	if n := ask(t, conn, "SELECT count(*) FROM pickups"); n != fmt.Sprint(scale.Smallest) {
		t.Errorf("afterwards there are %s pickups", n)
	}
}
