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
		t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
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

// catalog lists what the migrations made, a line each, but for goose's own table.
func catalog(ctx context.Context, owner *pgxpool.Pool) (lines []string) {
	for what, query := range map[string]string{
		"relation": `SELECT relkind::text || ' ' || relname || ' ' || coalesce(reloptions::text, '') || coalesce((
				SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(relacl) AS a), '')
			FROM pg_class WHERE relnamespace = 'public'::regnamespace`,
		"column": `SELECT attrelid::regclass || ' ' || attnum || ' ' || attname || ' ' || format_type(atttypid, atttypmod) || ' ' ||
				attnotnull || ' ' || attidentity::text || attgenerated::text || ' ' || coalesce(pg_get_expr(adbin, adrelid), '')
			FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = attrelid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
			WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped`,
		"constraint": "SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace",
		"index":      "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
		"view":       "SELECT viewname || ' ' || definition FROM pg_views WHERE schemaname = 'public'",
		"trigger":    "SELECT tgrelid::regclass || ' ' || tgenabled::text || pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
		"function":   "SELECT CASE prokind WHEN 'a' THEN proname || proargtypes::text ELSE pg_get_functiondef(oid) END FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
		"enum":       "SELECT enumtypid::regtype || ' ' || string_agg(enumlabel, ',' ORDER BY enumsortorder) FROM pg_enum GROUP BY enumtypid",
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

// beforePatients is the schema's version that knows no patients.
const beforePatients = 8

// What a tenant had before there were patients is there after the upgrade, and goes on.
func TestUpgradeKeepsWhatIsThereAndItGoesOn(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	w := d.world(ctx)
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
		t.Fatalf("%d pickups, %d events, %d patients before", len(before["pickups"]), len(before["pickup_events"]), len(before["patients"]))
	}
	must(m.Up(ctx))
	after := contents(ctx, d.owner)
	for table, rows := range before {
		if len(after[table]) != len(rows) {
			t.Errorf("%s had %d rows, has %d", table, len(rows), len(after[table]))
			continue
		}
		for i, row := range rows {
			if !scan[bool](ctx, d.owner, "SELECT $1::jsonb @> $2::jsonb", after[table][i], row) {
				t.Errorf("%s had %s, has %s", table, row, after[table][i])
			}
		}
	}

	// What was before texts owes none: for the invariants, the switch is not as it was at first.
	must(d.owner.Exec(ctx, "UPDATE flags SET version = version + 1 WHERE tenant_id = $1 AND name = 'pickup_texts'", w.tenant))

	// By a program that starts now.
	w.as = openStore(t, db.Config{URL: d.AppURL, MaxConns: 4})
	w.Store = w.as
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

// contents are the rows of all tables, each table's in the order of its rows' text.
func contents(ctx context.Context, owner *pgxpool.Pool) map[string][]string {
	out := map[string][]string{}
	for _, table := range must(pgx.CollectRows(must(owner.Query(ctx, `SELECT relname FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'goose_db_version' AND relname NOT LIKE 'river\_%'`)), pgx.RowTo[string])) {
		// New columns come last, and do not change the order of the key.
		out[table] = must(pgx.CollectRows(must(owner.Query(ctx, "SELECT to_jsonb(t)::text FROM "+table+" AS t ORDER BY t")), pgx.RowTo[string]))
	}
	return out
}
