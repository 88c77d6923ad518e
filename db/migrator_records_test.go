package db_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pressly/goose/v3"

	"waybill/db"
	"waybill/db/dbtest"
)

// beforeFiles is a version of the schema that does not record files; recordsFiles is the first that does.
const (
	beforeFiles  = 39
	recordsFiles = 46
)

func TestMigrateStatusShowsDrift(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := dbtest.New(t)
	m, _ := migrator(t, d, db.MigratorConfig{}, addsColumn)
	must(m.Up(ctx))
	const tenants = "00002_tenants.sql"
	changed, lines := migrator(t, d, db.MigratorConfig{Files: migrations(map[string]string{
		tenants: "-- +goose Up\nSELECT 1;", "90002_next.sql": "-- +goose Up\nSELECT 1;"})}, "")
	states := map[string]string{}
	for _, s := range must(changed.Status(ctx)) {
		states[s.Name] = s.State + " " + s.Note
	}
	mentions(t, states[tenants], "changed", "differs from the one that was applied")
	mentions(t, states[later], "unknown", "this one does not have it")
	mentions(t, states["90002_next.sql"], "pending")
	mentions(t, states["00003_users.sql"], "applied")
	must(changed.Up(ctx))
	mentions(t, lines.text(), tenants+" differs from the file that was applied")
	// It does not become what was applied.
	if !slices.ContainsFunc(must(changed.Status(ctx)), func(s db.MigrationState) bool { return s.State == "changed" }) {
		t.Error("the drift is gone")
	}
}

// What was applied before files were recorded is recorded by the first run after that, as it is.
func TestMigrateUpRecordsWhatWasAppliedBefore(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := dbtest.New(t)
	m, _ := migrator(t, d, db.MigratorConfig{}, addsColumn)
	must(m.DownTo(ctx, beforeFiles))
	if states := must(m.Status(ctx)); states[0].State != "applied" || states[len(states)-1].State != "pending" {
		t.Errorf("before: %v", states)
	}
	must(m.Up(ctx))
	if n := scan[int](ctx, d.Owner(), "SELECT count(*) FROM migration_files WHERE found <> (version < $1)",
		recordsFiles); n != 0 {
		t.Errorf("%d are recorded wrongly", n)
	}
	if a, b := scan[int](ctx, d.Owner(), "SELECT count(*) FROM migration_files WHERE applied_at IS NOT NULL"),
		scan[int](ctx, d.Owner(), "SELECT count(*) FROM goose_db_version WHERE version_id > 0"); a != b {
		t.Errorf("%d of %d are recorded", a, b)
	}
	// What is reverted and changed is applied as it is then.
	must(m.Down(ctx))
	m, lines := migrator(t, d, db.MigratorConfig{}, addsColumn+"-- changed\n")
	must(m.Up(ctx))
	if strings.Contains(lines.text(), "differs") {
		t.Error(lines.text())
	}
}

// Each migration says which older programs may serve beside it, if not in its file, then since 00077.
func TestEachMigrationSaysWhichProgramsMayServe(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := dbtest.New(t)
	m, _ := migrator(t, d, db.MigratorConfig{}, addsColumn)
	must(m.DownTo(ctx, beforeFiles))
	must(m.Up(ctx))
	if n := scan[int](ctx, d.Owner(), "SELECT count(*) FROM migration_files WHERE compatible_from IS NULL "+
		"AND version BETWEEN $1 AND $2", recordsFiles, db.NewestMigration()); n != 0 {
		t.Errorf("%d say nothing: servers of before refuse to start", n)
	}
}

// A program may serve a schema that is newer if each migration that it does not know says so.
func TestAnOldProgramServesANewerSchemaThatSaysSo(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	newest := db.NewestMigration()
	for name, c := range map[string]struct{ header, says string }{
		"it says so":      {fmt.Sprintf("-- +waybill compatible_from: %05d\n", newest), ""},
		"it says nothing": {"", "does not declare that older programs may serve"},
		"it says so of newer ones than it": {fmt.Sprintf("-- +waybill compatible_from: %d\n", newest+1),
			"may serve, and this one is of"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			m, _ := migrator(t, d.DB, db.MigratorConfig{}, c.header+addsColumn)
			must(m.Up(ctx))
			newer, err := d.CheckSchema(ctx)
			if c.says != "" {
				mentions(t, fmt.Sprint(err), c.says, later, "start a newer program")
			} else if err != nil || !slices.Equal(newer, []int64{90001}) {
				t.Errorf("%v, %v", newer, err)
			}
			// What was applied by other means than migrate up says nothing.
			must(d.owner.Exec(ctx, "DELETE FROM migration_files WHERE version = 90001"))
			_, err = d.CheckSchema(ctx)
			mentions(t, fmt.Sprint(err), "90001", "nothing says that it may serve")
		})
	}
}

// A schema that has the newest migration may lack another.
func TestServeChecksEachMigration(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	if newer, err := d.CheckSchema(ctx); err != nil || len(newer) > 0 {
		t.Fatal(newer, err)
	}
	must(d.owner.Exec(ctx, "DELETE FROM goose_db_version WHERE version_id = 34"))
	_, err := d.CheckSchema(ctx)
	mentions(t, fmt.Sprint(err), "it lacks 00034_longest_appointment.sql", "waybill migrate up")
}

func TestMigrateDownNamesWhatIsLost(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := dbtest.New(t)
	m, _ := migrator(t, d, db.MigratorConfig{}, `-- +goose Up
CREATE TABLE mine (id int);
INSERT INTO mine SELECT generate_series(1, 100);
-- +goose Down
/* DROP TABLE users; */
-- DROP TABLE users;
DELETE FROM flags;
ALTER TABLE IF EXISTS tenants DROP COLUMN IF EXISTS colour, DROP COLUMN name;
UPDATE facilities SET name = '';
DROP INDEX IF EXISTS users_other_idx;
DROP TABLE IF EXISTS mine, not_there;
-- +goose StatementBegin
DO $$ BEGIN NULL; END $$;
-- +goose StatementEnd
`)
	must(m.Up(ctx))
	must(d.Owner().Exec(ctx, "ANALYZE mine"))
	name, lost, err := m.Losses(ctx)
	if err != nil || name != later {
		t.Fatal(name, err)
	}
	text := strings.Join(lost, ", ")
	mentions(t, text, "the table mine (about 100 rows)", "the column colour of tenants", "the column name of tenants",
		"rows that it deletes from flags", "values that it overwrites in facilities", "whatever its DO block changes")
	for _, word := range []string{"users", "not_there"} {
		if strings.Contains(text, word) {
			t.Errorf("%s: %s", word, text)
		}
	}
	must(m.DownTo(ctx, 0))
	if _, _, err := m.Losses(ctx); !errors.Is(err, goose.ErrNoNextVersion) {
		t.Error(err)
	}
}

// oneRecord serializes the checks below: the rows belong to no tenant, and one forgets those of others.
var oneRecord sync.Mutex

var migrationRaces = []check{
	{"BeginMigration", "a migration that begins again forgets when it first began",
		func(ctx context.Context, w *fixture) error {
			oneRecord.Lock()
			defer oneRecord.Unlock()
			return recordedOnce(ctx, w, func(q *db.Raw, checksum []byte) (int64, error) {
				return q.BeginMigration(ctx, db.BeginMigrationParams{Version: versionOf(w), Name: "x",
					Checksum: checksum})
			})
		}},
	{"FindMigration", "a changed file is found over the one that was applied",
		func(ctx context.Context, w *fixture) error {
			oneRecord.Lock()
			defer oneRecord.Unlock()
			return recordedOnce(ctx, w, func(q *db.Raw, checksum []byte) (int64, error) {
				return q.FindMigration(ctx, db.FindMigrationParams{Version: versionOf(w), Name: "x",
					Checksum: checksum})
			})
		}},
	{"FinishMigration", "a changed file is recorded over the one that was applied",
		func(ctx context.Context, w *fixture) error {
			oneRecord.Lock()
			defer oneRecord.Unlock()
			for _, version := range []int64{versionOf(w), versionOf(w) + 1} {
				must(w.over(w.owner).BeginMigration(ctx, db.BeginMigrationParams{Version: version, Name: "x",
					Checksum: checksumOf(0)}))
			}
			return recordedOnce(ctx, w, func(q *db.Raw, checksum []byte) (int64, error) {
				return q.FinishMigration(ctx, db.FinishMigrationParams{Version: versionOf(w), Name: "x",
					Checksum: checksum})
			})
		}},
	{"ForgetMigrations", "a migration that is applied is forgotten", func(ctx context.Context, w *fixture) error {
		oneRecord.Lock()
		defer oneRecord.Unlock()
		q, version := w.over(w.owner), versionOf(w)
		others := must(w.owner.Exec(ctx, `INSERT INTO migration_files (version, name, checksum, applied_at)
			VALUES ($1::bigint, 'applied', $2, now()), ($1::bigint + 1, 'reverted', $2, now()),
				($1::bigint + 2, 'begun', $2, NULL)`,
			version, checksumOf(1)))
		if others.RowsAffected() != 3 {
			panic("not inserted")
		}
		var keep []int64 // those of other tests, too
		for _, r := range must(q.ListMigrationFiles(ctx)) {
			if r.Version != version+1 {
				keep = append(keep, r.Version)
			}
		}
		keep = slices.DeleteFunc(keep, func(v int64) bool { return v == version+2 })
		n, err := q.ForgetMigrations(ctx, keep)
		if err != nil {
			return err
		}
		left := scan[string](ctx, w.owner, `SELECT string_agg(name, ' ' ORDER BY version) FROM migration_files
			WHERE version BETWEEN $1::bigint AND $1::bigint + 2`, version)
		if left != "applied begun" {
			return fmt.Errorf("%d forgotten, left: %s", n, left)
		}
		return nil
	}},
}

// versionOf is a number for the fixture alone.
func versionOf(w *fixture) int64 {
	id := w.tenant
	return 100_000 + 10*(int64(id[15])|int64(id[14])<<8|int64(id[13])<<16|int64(id[12])<<24)
}

func checksumOf(b byte) []byte { return slices.Repeat([]byte{b}, 32) }

// recordedOnce checks that of many records at once, and of a later one, the first alone holds.
func recordedOnce(ctx context.Context, w *fixture, record func(*db.Raw, []byte) (int64, error)) error {
	q, counts := w.over(w.owner), [manyCallers + 1]int64{}
	try := func(caller int) (err error) {
		counts[caller], err = record(q, checksumOf(byte(caller)))
		return err
	}
	if err := errors.Join(append(together(manyCallers, try), try(manyCallers))...); err != nil {
		return err
	}
	winner := slices.Index(counts[:], 1)
	if winner < 0 || winner == manyCallers || slices.Max(counts[:]) > 1 || slices.Index(counts[winner+1:], 1) >= 0 {
		return fmt.Errorf("%v rows were recorded", counts)
	}
	if first := scan[int](ctx, w.owner, "SELECT get_byte(checksum, 0) FROM migration_files WHERE version = $1",
		versionOf(w)); first != winner {
		return fmt.Errorf("the checksum is that of record %d, recorded was %d", first, winner)
	}
	if others := scan[int](ctx, w.owner, `SELECT count(*) FROM migration_files WHERE version = $1::bigint + 1
		AND applied_at IS NOT NULL`, versionOf(w)); others != 0 {
		return errors.New("another migration is recorded as well")
	}
	return nil
}
