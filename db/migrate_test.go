package db_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"waybill/db"
	"waybill/db/dbtest"
)

func TestMigratingDownAndUpAgainGivesTheSameSchema(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := dbtest.New(t)
	before := catalog(ctx, d.Owner())
	if len(before) < 100 {
		t.Fatalf("the catalog has %d lines", len(before))
	}
	m := must(db.NewMigrator(d.OwnerURL))
	t.Cleanup(func() { m.Close() })
	must(m.DownTo(ctx, 0))
	if left := catalog(ctx, d.Owner()); len(left) > 0 {
		t.Errorf("objects left behind:\n%s", strings.Join(left, "\n"))
	}
	must(m.Up(ctx))
	after := catalog(ctx, d.Owner())
	for _, line := range before {
		if !slices.Contains(after, line) {
			t.Errorf("is gone: %s", line)
		}
	}
	for _, line := range after {
		if !slices.Contains(before, line) {
			t.Errorf("is new: %s", line)
		}
	}
}

func TestTwoMigratorsAtOnceDoNotCollide(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := dbtest.New(t)
	before := catalog(ctx, d.Owner())
	m := must(db.NewMigrator(d.OwnerURL))
	t.Cleanup(func() { m.Close() })
	must(m.DownTo(ctx, 0))
	for i, err := range together(2, func(int) error { return db.Migrate(ctx, d.OwnerURL) }) {
		if err != nil {
			t.Errorf("migrator %d: %v", i, err)
		}
	}
	if after := catalog(ctx, d.Owner()); !slices.Equal(before, after) {
		t.Error("the schema is another")
	}
}

// catalog lists the objects that the migrations made, one a line, except goose's own table.
func catalog(ctx context.Context, owner *pgxpool.Pool) (lines []string) {
	for what, query := range map[string]string{
		"relation": `SELECT relkind::text || ' ' || relname || ' ' || coalesce(reloptions::text, '') || coalesce((
				SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(relacl) AS a), '')
			FROM pg_class WHERE relnamespace = 'public'::regnamespace`,
		"column": `SELECT attrelid::regclass || ' ' || attnum || ' ' || attname || ' ' || format_type(atttypid,
    atttypmod) || ' ' ||
				attnotnull || ' ' || attidentity::text || attgenerated::text || ' ' || coalesce(pg_get_expr(adbin,
				    adrelid), '')
			FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = attrelid LEFT JOIN pg_attrdef ON adrelid = attrelid
			    AND adnum = attnum
			WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped`,
		"constraint": "SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM " +
			"pg_constraint WHERE connamespace = 'public'::regnamespace",
		"index": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
		"view":  "SELECT viewname || ' ' || definition FROM pg_views WHERE schemaname = 'public'",
		"trigger": "SELECT tgrelid::regclass || ' ' || tgenabled::text || pg_get_triggerdef(oid) FROM pg_trigger " +
			"WHERE NOT tgisinternal",
		"function": "SELECT CASE prokind WHEN 'a' THEN proname || proargtypes::text ELSE pg_get_functiondef(oid) " +
			"END FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
		"enum": "SELECT enumtypid::regtype || ' ' || string_agg(enumlabel, ',' ORDER BY enumsortorder) FROM " +
			"pg_enum GROUP BY enumtypid",
	} {
		for _, line := range must(pgx.CollectRows(must(owner.Query(ctx, query)), pgx.RowTo[string])) {
			if !strings.Contains(line, "goose_db_version") {
				lines = append(lines, fmt.Sprintf("%s %s", what, line))
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// beforePatients is the last version of the schema without patients.
const beforePatients = 8

// keeps checks that each table has its earlier rows, perhaps with more columns.
func keeps(t *testing.T, owner *pgxpool.Pool, before, after map[string][]string) {
	t.Helper()
	for table, rows := range before {
		now := after[table]
		// Migrations add rows to dictionaries, anywhere in the order; no tenant's table gets any.
		if len(now) < len(rows) || len(now) > len(rows) && !isDictionary(t.Context(), owner, table) {
			t.Errorf("%s had %d rows, has %d", table, len(rows), len(now))
			continue
		}
		for _, row := range lostRows(t.Context(), owner, rows, now) {
			t.Errorf("%s had %s, and no row has all of it", table, row)
		}
	}
}

// isDictionary reports whether a table belongs to no tenant, and is written by migrations alone.
func isDictionary(ctx context.Context, owner *pgxpool.Pool, table string) bool {
	return scan[bool](ctx, owner, `SELECT NOT EXISTS (
			SELECT FROM pg_attribute WHERE attrelid = $1::regclass AND attname = 'tenant_id' AND NOT attisdropped)
		AND NOT has_table_privilege('waybill_app', $1, 'INSERT')`, table)
}

// lostRows returns the rows of before that no row of after has, perhaps with more columns. No row of
// after stands for two.
func lostRows(ctx context.Context, owner *pgxpool.Pool, before, after []string) (lost []string) {
	return must(pgx.CollectRows(must(owner.Query(ctx, `
		SELECT b.r FROM unnest($1::text[]) AS b (r)
		WHERE (SELECT count(*) FROM unnest($2::text[]) AS a (r) WHERE a.r::jsonb @> b.r::jsonb)
			< (SELECT count(*) FROM unnest($1::text[]) AS o (r) WHERE o.r = b.r)`, before, after)), pgx.RowTo[string]))
}

// A tenant's data from before there were patients is there after the upgrade, and can be used.
func TestUpgradeKeepsWhatIsThereAndItGoesOn(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	w := d.fixture(ctx)
	at := map[db.PickupStatus]uuid.UUID{}
	for _, status := range db.AllPickupStatusValues() {
		at[status] = w.at(ctx, status)
	}
	token := must(openSession(ctx, w.as, w.staff, "old hash"))
	m := must(db.NewMigrator(d.OwnerURL))
	t.Cleanup(func() { m.Close() })
	must(m.DownTo(ctx, beforePatients))
	before := contents(ctx, d.owner)
	if len(before["pickups"]) != len(at) || len(before["pickup_events"]) == 0 || len(before["patients"]) > 0 {
		t.Fatalf("%d pickups, %d events, %d patients before", len(before["pickups"]),
			len(before["pickup_events"]), len(before["patients"]))
	}
	must(m.Up(ctx))
	after := contents(ctx, d.owner)
	keeps(t, d.owner, before, after)

	// Pickups from before texts owe none: the flag's version tells the invariants that it was changed.
	must(d.owner.Exec(ctx, "UPDATE flags SET version = version + 1 WHERE tenant_id = $1 AND name = 'pickup_texts'",
		w.tenant))

	// By a program that starts now.
	w.as = openStore(t, db.Config{URL: d.AppURL, MaxConns: 4})
	w.Raw = w.as
	must(w.Authenticate(ctx, token, time.Hour))
	for _, step := range []struct {
		at   db.PickupStatus
		name db.TransitionName
		by   db.Viewer
	}{
		{db.PickupStatusDRAFT, db.TransitionNameSubmit, w.staff},
		{db.PickupStatusSUBMITTED, db.TransitionNameCancel, w.staff},
		{db.PickupStatusASSIGNED, db.TransitionNameCollect, w.dispatcher},
		{db.PickupStatusCOLLECTED, db.TransitionNameReceive, w.hub},
		{db.PickupStatusRECEIVED, db.TransitionNamePack, w.hub},
		{db.PickupStatusPACKED, db.TransitionNameShip, w.hub},
		{db.PickupStatusSHIPPED, db.TransitionNameDeliver, w.hub},
	} {
		if err := move(ctx, w.as, step.by, step.name, at[step.at]); err != nil {
			t.Errorf("%s from %s: %v", step.name, step.at, err)
		}
	}
	id := w.patient(ctx)
	pickup := w.pickup(ctx, func(draft *db.Draft) { draft.PatientID = &id })
	w.must(w.getPickupPatient(ctx, w.as, w.staff, pickup))
}

// beforeDenials is the last version of the schema in which a withdrawn consent was the absence of a row.
const beforeDenials = 24

// A withdrawn consent holds after the upgrade, also if a feed has restored it since, and a patient whom
// nobody sees is not changed.
func TestUpgradeKeepsWhatPatientsDenied(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	w := d.fixture(ctx)
	ids := map[string]uuid.UUID{}
	for _, name := range []string{"seen", "shared", "denied", "undone", "again", "nobody's", "lost"} {
		ids[name] = w.patient(ctx)
	}
	m := must(db.NewMigrator(d.OwnerURL))
	t.Cleanup(func() { m.Close() })
	must(m.DownTo(ctx, beforeDenials))
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	consent := func(name string, facility uuid.UUID, allowed, row bool) {
		at = at.Add(time.Minute)
		must(d.owner.Exec(
			ctx, `INSERT INTO patient_consents (tenant_id, patient_id, facility_id, allowed, actor_id, created_at)
			VALUES ($1, $2, $3, $4, $5, $6)`, w.tenant, ids[name], facility, allowed, w.staff.UserID, at))
		change := "DELETE FROM patient_facilities WHERE tenant_id = $1 AND patient_id = $2 AND facility_id = $3"
		if row {
			change = "INSERT INTO patient_facilities (tenant_id, patient_id, facility_id) VALUES ($1, $2, $3) ON " +
				"CONFLICT DO NOTHING"
		}
		must(d.owner.Exec(ctx, change, w.tenant, ids[name], facility))
	}
	consent("shared", w.hidden, true, true)
	consent("denied", w.hidden, true, true)
	consent("denied", w.facility, false, false)
	consent("undone", w.hidden, true, true)
	consent("undone", w.facility, false, true) // by a feed
	consent("again", w.facility, false, false)
	consent("again", w.facility, true, true)
	consent("nobody's", w.facility, false, false)
	must(d.owner.Exec(ctx, "DELETE FROM patient_facilities WHERE patient_id = $1", ids["lost"])) // and nothing recorded
	must(m.Up(ctx))

	want := map[string]string{
		"seen": "t 1 0", "shared": "tt 2 1", "denied": "ft 1 2", "undone": "ft 1 2",
		"again": "t 1 2", "nobody's": "f  1", "lost": "f  0",
	}
	for name, id := range ids {
		got := scan[string](ctx, d.owner, `SELECT concat(
				(SELECT string_agg(CASE WHEN f.allowed THEN 't' ELSE 'f' END, ''
				    ORDER BY f.facility_id <> p.facility_id)
				FROM patient_facilities AS f WHERE f.patient_id = p.id),
				' ', p.allowed_facilities, ' ', p.consents) FROM patients AS p WHERE p.id = $1`, id)
		if got != want[name] {
			t.Errorf("%s: %s, want %s", name, got, want[name])
		}
	}
	if n := scan[int](ctx, d.owner,
		`SELECT count(*) FROM patient_consents AS a JOIN patient_consents AS b USING (tenant_id, patient_id)
		WHERE a.seq < b.seq AND a.created_at > b.created_at OR a.seq = b.seq AND a.id <> b.id`); n != 0 {
		t.Errorf("%d pairs of consents are numbered in another order", n)
	}
	// Patients whom nobody sees are not changed by writes to their rows either.
	must(d.owner.Exec(ctx, "UPDATE patients SET version = version"))
}

// An id that a feed sent with surrounding blanks matches the id in the next feed.
func TestUpgradeTrimsIDs(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	w := d.fixture(ctx)
	m := must(db.NewMigrator(d.OwnerURL))
	t.Cleanup(func() { m.Close() })
	must(m.DownTo(ctx, beforeDenials))
	given := []string{"7", "7 ", " 7", "\u00a08\u3000", "\ufeff8", "9"}
	for i, id := range given {
		patient := newID()
		must(d.owner.Exec(
			ctx, `INSERT INTO patients (tenant_id, id, facility_id, external_id, given_name, family_name, birth_date)
			VALUES ($1, $2, $3, $4, 'Quetzal', 'Quetzal', '1931-07-13')`, w.tenant, patient, w.facility, id))
		must(d.owner.Exec(ctx, "INSERT INTO patient_facilities (tenant_id, patient_id, facility_id) VALUES ($1, "+
			"$2, $3)", w.tenant, patient, w.facility))
		must(d.owner.Exec(ctx, `INSERT INTO appointments (tenant_id, id, facility_id, patient_id, external_id,
    starts_at, ends_at, status)
			VALUES ($1, $6, $2, $3, $4, $5::timestamptz, $5::timestamptz + interval '1 hour', 'BOOKED')`, w.tenant,
			w.facility, patient, id, feedDay.AddDate(0, 0, i), newID()))
	}
	must(m.Up(ctx))
	for table, order := range map[string]string{"patients": "id", "appointments": "starts_at"} {
		got := must(pgx.CollectRows(must(d.owner.Query(ctx, "SELECT external_id FROM "+table+" ORDER BY "+order)),
			pgx.RowTo[string]))
		if want := []string{"7", "7 ", " 7", "8", "\ufeff8", "9"}; !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", table, got, want)
		}
	}
}

// contents returns the rows of all tables, each table's in the order of its rows' text.
func contents(ctx context.Context, owner *pgxpool.Pool) map[string][]string {
	out := map[string][]string{}
	for _, table := range must(pgx.CollectRows(must(owner.Query(ctx, `SELECT relname FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
		    AND relname NOT IN ('goose_db_version', 'migration_files')
		    AND relname NOT LIKE 'river\_%'`)), pgx.RowTo[string])) {
		// New columns come last, and do not change the order of the key.
		out[table] = must(pgx.CollectRows(must(owner.Query(ctx,
			"SELECT to_jsonb(t)::text FROM "+table+" AS t ORDER BY t")), pgx.RowTo[string]))
	}
	return out
}
