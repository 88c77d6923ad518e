package db_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"

	"waybill/db"
	"waybill/db/dbtest"
	"waybill/sql"
)

// migrations are this program's, with changes: a nil file is taken out.
func migrations(changes map[string]string) fstest.MapFS {
	folder := fstest.MapFS{}
	for _, name := range must(fs.Glob(sql.Migrations, "migrations/*.sql")) {
		folder[strings.TrimPrefix(name, "migrations/")] = &fstest.MapFile{Data: must(sql.Migrations.ReadFile(name))}
	}
	for name, text := range changes {
		folder[name] = &fstest.MapFile{Data: []byte(text)}
		if text == "" {
			delete(folder, name)
		}
	}
	return folder
}

// later is the name of a migration after those of the program.
const later = "90001_later.sql"

// toldLines are the lines that a migrator tells.
type toldLines struct {
	mu    sync.Mutex
	lines []string
}

func (l *toldLines) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
}

func (l *toldLines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

// wait waits until a line has the words.
func (l *toldLines) wait(t *testing.T, words string) {
	t.Helper()
	for !strings.Contains(l.text(), words) {
		select {
		case <-t.Context().Done():
			t.Fatal("the test ended")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// migrator returns one of the program's migrations with one more, whose text is up.
func migrator(t *testing.T, d *dbtest.DB, c db.MigratorConfig, up string) (*db.Migrator, *toldLines) {
	t.Helper()
	lines := &toldLines{}
	if c.Files == nil {
		c.Files = migrations(map[string]string{later: up})
	}
	c.Tell = lines.add
	m := must(db.NewMigratorWith(d.OwnerURL, c))
	t.Cleanup(func() { m.Close() })
	return m, lines
}

// holding returns a transaction that has run the statement, and stays open.
func holding(t *testing.T, d *dbtest.DB, statement string) pgx.Tx {
	t.Helper()
	tx := must(d.Owner().Begin(t.Context()))
	t.Cleanup(func() { tx.Rollback(context.WithoutCancel(t.Context())) })
	must(tx.Exec(t.Context(), statement))
	return tx
}

const (
	addsColumn = "-- +goose Up\nALTER TABLE tenants ADD COLUMN colour text;\n" +
		"-- +goose Down\nALTER TABLE tenants DROP COLUMN colour;\n"
	noTx         = "-- +goose NO TRANSACTION\n"
	readsTenants = "SELECT count(*) FROM tenants"
)

// A migration that waits for its lock would have all requests queue behind it. So it waits for a moment,
// lets them go first, and tries again until it gets it.
func TestMigrateUpLetsRequestsGoBeforeItsLocks(t *testing.T) {
	t.Parallel()
	const up = "-- +goose Up\nCREATE TABLE steps (n int);\nALTER TABLE tenants ADD COLUMN colour text;"
	for name, up := range map[string]string{
		"in a transaction":      up,
		"without a transaction": noTx + up,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			d := dbtest.New(t)
			m, lines := migrator(t, d, db.MigratorConfig{LockTimeout: 50 * time.Millisecond, LockAttempts: 1000}, up)
			reader := holding(t, d, readsTenants)
			ended := make(chan error, 1)
			go func() {
				_, err := m.Up(ctx)
				ended <- err
			}()
			lines.wait(t, "no lock for ALTER TABLE tenants ADD COLUMN colour text within 50ms"+
				"; it is held or waited for by pid ")
			scan[int](ctx, d.Owner(), readsTenants) // while it tries again and again
			must(0, reader.Rollback(ctx))
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			scan[int](ctx, d.Owner(), "SELECT count(colour) FROM tenants")
			scan[int](ctx, d.Owner(), "SELECT count(*) FROM steps")
		})
	}
}

func TestMigrateUpGivesUpWithTheNameOfWhoHoldsItsLock(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	// Long enough for a slow machine to look who holds it.
	m, _ := migrator(t, d, db.MigratorConfig{LockTimeout: 2 * time.Second, LockAttempts: 2}, addsColumn)
	reader := holding(t, d, readsTenants)
	_, err := m.Up(t.Context())
	var step *db.StepError
	if !errors.As(err, &step) || !step.InTx {
		t.Fatalf("got %v", err)
	}
	mentions(t, err.Error(), later, "statement 1 (ALTER TABLE tenants", "2 attempts",
		fmt.Sprintf("pid %d (", reader.Conn().PgConn().PID()), "idle in transaction", "it was rolled back")
}

func mentions(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not in: %s", w, text)
		}
	}
}

// An index that is made beside the requests waits for transactions that are open, and keeps nobody
// waiting: the time limits are not for it.
func TestMigrateUpHasAllTheTimeForWhatBlocksNobody(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := dbtest.New(t)
	m, lines := migrator(t, d, db.MigratorConfig{
		LockTimeout: 50 * time.Millisecond, StatementTimeout: 100 * time.Millisecond, LockAttempts: 1},
		noTx+"-- +goose Up\nCREATE INDEX CONCURRENTLY tenants_name_idx ON tenants (name);")
	writer := holding(t, d, "UPDATE tenants SET name = name")
	ended := make(chan error, 1)
	go func() {
		_, err := m.Up(ctx)
		ended <- err
	}()
	waitFor(ctx, d, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONC%' AND state = 'active'"+
		" AND datname = current_database() AND clock_timestamp() - query_start > '300 ms'")
	must(0, writer.Rollback(ctx))
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	mentions(t, lines.text(), "locked tenants ShareUpdateExclusiveLock (no request waits)")
}

// While it waits, it says for whom, and how far it is with all that is pending.
func TestMigrateUpSaysForWhomAnIndexWaits(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := dbtest.New(t)
	m, lines := migrator(t, d, db.MigratorConfig{Files: migrations(map[string]string{
		later:             "-- +goose Up\nALTER TABLE accounts ADD COLUMN colour text;",
		"90002_index.sql": noTx + "-- +goose Up\nCREATE INDEX CONCURRENTLY tenants_name_idx ON tenants (name);"})}, "")
	writer := holding(t, d, "UPDATE tenants SET name = name")
	ended := make(chan error, 1)
	go func() {
		_, err := m.Up(ctx)
		ended <- err
	}()
	for waits := false; !waits; waits = strings.Contains(lines.text(), "; it waits for pid") {
		select {
		case err := <-ended:
			t.Fatalf("it did not wait: %v: %s", err, lines.text())
		case <-time.After(10 * time.Millisecond):
		}
	}
	must(0, writer.Rollback(ctx))
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	mentions(t, lines.text(), "; migration 1 of 2", "; migration 2 of 2", "idle in transaction for")
}

// waitFor waits until a query counts something.
func waitFor(ctx context.Context, d *dbtest.DB, query string) {
	for scan[int](ctx, d.Owner(), query) == 0 {
		time.Sleep(5 * time.Millisecond)
	}
}

func TestMigrateUpSaysWhatEachStepLocks(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	m, lines := migrator(t, d, db.MigratorConfig{}, "-- +goose Up\nCREATE TABLE mine (id int);\n"+
		"ALTER TABLE tenants ADD COLUMN colour text;\nCREATE INDEX ON accounts (name);")
	must(m.Up(t.Context()))
	mentions(t, lines.text(), later+": up in ", "accounts ShareLock (writes wait)",
		"tenants AccessExclusiveLock (reads and writes wait)")
	if strings.Contains(lines.text(), "mine") {
		t.Errorf("nobody waits for a table that is made: %s", lines.text())
	}
}

func TestMigrateUpLimitsTheTimeOfAStatement(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	short := db.MigratorConfig{StatementTimeout: 50 * time.Millisecond}
	const sleeps = "-- +goose Up\nSELECT pg_sleep(0.3);\n"
	m, _ := migrator(t, d, short, sleeps)
	_, err := m.Up(t.Context())
	mentions(t, fmt.Sprint(err), "statement 1 (SELECT pg_sleep(0.3))", "-- +waybill statement_timeout: 10m",
		"it was rolled back")
	// What its file says holds, whatever the command says.
	m, _ = migrator(t, d, short, "-- +waybill statement_timeout: 1h\n"+sleeps)
	must(m.Up(t.Context()))
}

// A failed migration is told with what is left of it, and never as partial.
func TestAFailedMigrationSaysWhatIsLeftOfIt(t *testing.T) {
	t.Parallel()
	const two = "-- +goose Up\nCREATE TABLE IF NOT EXISTS mine (id int);\nINSERT INTO mine VALUES ('x');\n"
	for _, c := range []struct {
		up   string
		says []string
		left int
	}{
		{two, []string{"at its statement 2 (INSERT INTO mine", "it was rolled back, and nothing of it is left"}, 0},
		{noTx + two, []string{"at its statement 2", "the 1 before stay done", "run waybill migrate up again"}, 1},
		{noTx + "-- +goose Up\nINSERT INTO mine VALUES (1);", []string{"statement 1", "nothing of it was done"}, 0},
	} {
		d := dbtest.New(t)
		m, _ := migrator(t, d, db.MigratorConfig{}, c.up)
		_, err := m.Up(t.Context())
		mentions(t, fmt.Sprint(err), c.says...)
		if strings.Contains(fmt.Sprint(err), "partial") {
			t.Error(err)
		}
		if n := scan[int](t.Context(), d.Owner(), "SELECT count(*) FROM pg_class WHERE relname = 'mine'"); n != c.left {
			t.Errorf("%d tables are left of %s", n, c.up)
		}
		states := must(m.Status(t.Context()))
		if last := states[len(states)-1]; last.State != "begun" || !strings.Contains(last.Note, "starts it over") {
			t.Errorf("status: %+v", last)
		}
		again, lines := migrator(t, d, db.MigratorConfig{}, noTx+"-- +goose Up\nSELECT 1;")
		must(again.Up(t.Context()))
		mentions(t, lines.text(), later+" was begun at ")
	}
}

// invalidIndex leaves an index as an interrupt leaves it.
func invalidIndex(t *testing.T, d *dbtest.DB, name string) {
	t.Helper()
	_, err := d.Owner().Exec(t.Context(), "CREATE UNIQUE INDEX CONCURRENTLY "+name+" ON steps (n)")
	if err == nil {
		t.Fatal("the index was made")
	}
}

const isValid = "SELECT coalesce(bool_and(indisvalid), false) FROM pg_index WHERE indexrelid = to_regclass($1)"

func TestMigrateUpMendsInterruptedIndexes(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	const up = noTx + "-- +goose Up\n"
	for name, up := range map[string]string{
		"of a migration that is applied": up + "SELECT 1;",
		"of a pending one":               up + "CREATE UNIQUE INDEX CONCURRENTLY steps_idx ON steps (n);",
		"of one that would pass over it": up + "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS steps_idx ON steps (n);",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := dbtest.New(t)
			must(d.Owner().Exec(ctx, "CREATE TABLE steps (n int)"))
			must(d.Owner().Exec(ctx, "INSERT INTO steps VALUES (1), (1)"))
			invalidIndex(t, d, "steps_idx")
			invalidIndex(t, d, "steps_idx_ccnew")
			m, lines := migrator(t, d, db.MigratorConfig{}, up)
			_, err := m.Up(ctx) // the rows are in the way
			mentions(t, fmt.Sprint(err), "steps_idx")
			must(d.Owner().Exec(ctx, "DELETE FROM steps WHERE ctid <> (SELECT min(ctid) FROM steps)"))
			must(m.Up(ctx))
			if !scan[bool](ctx, d.Owner(), isValid, "steps_idx") {
				t.Error("the index is not valid")
			}
			if n := scan[int](ctx, d.Owner(), "SELECT count(*) FROM pg_index WHERE NOT indisvalid"); n != 0 {
				t.Errorf("%d invalid indexes are left", n)
			}
			mentions(t, lines.text(), "index steps_idx on steps is invalid")
		})
	}
}

// An index that is left invalid while a migration runs, as by a deadlock after which the statement is tried again, is
// dropped before it is made.
func TestMigrateUpDropsAnInterruptedIndexBeforeItIsMade(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := dbtest.New(t)
	must(d.Owner().Exec(ctx, "CREATE TABLE steps (n int)"))
	m, lines := migrator(t, d, db.MigratorConfig{LockTimeout: 20 * time.Millisecond, LockAttempts: 1000}, noTx+
		`-- +goose Up
ALTER TABLE tenants ADD COLUMN colour text;
CREATE UNIQUE INDEX CONCURRENTLY steps_idx ON steps (n);`)
	reader := holding(t, d, readsTenants)
	ended := make(chan error, 1)
	go func() {
		_, err := m.Up(ctx)
		ended <- err
	}()
	lines.wait(t, "no lock for ALTER TABLE")
	must(d.Owner().Exec(ctx, "INSERT INTO steps VALUES (1), (1)"))
	invalidIndex(t, d, "steps_idx")
	must(d.Owner().Exec(ctx, "DELETE FROM steps"))
	must(0, reader.Rollback(ctx))
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if !scan[bool](ctx, d.Owner(), isValid, "steps_idx") {
		t.Error("the index is not valid")
	}
}

func TestMigrateUpRefusesANumberBelowWhatIsApplied(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := dbtest.New(t)
	late := db.MigratorConfig{Files: migrations(map[string]string{"00012_late.sql": addsColumn})}
	m, _ := migrator(t, d, late, "")
	_, err := m.Up(ctx)
	mentions(t, fmt.Sprint(err), "00012_late.sql was never applied", "--allow-missing")
	late.AllowMissing = true
	m, _ = migrator(t, d, late, "")
	must(m.Up(ctx))
	scan[int](ctx, d.Owner(), "SELECT count(colour) FROM tenants")
}

func TestAHeaderIsUnderstoodOrRefused(t *testing.T) {
	t.Parallel()
	for line, says := range map[string]string{
		"-- +waybill statment_timeout: 1m":   "is none of",
		"-- +waybill lock_timeout: soon":     "invalid duration",
		"-- +waybill compatible_from: 90002": "older than this migration",
		"-- +waybill compatible_from":        "invalid syntax",
	} {
		_, err := db.NewMigratorWith("postgres:///", db.MigratorConfig{
			Files: migrations(map[string]string{later: line + "\n" + addsColumn})})
		mentions(t, fmt.Sprint(err), later, says)
	}
}

// A session of a pooler serves others next: the limits of a migration are not left in it. The pool needs a session
// for the lock, and one for the migration.
func TestMigrateThroughAPoolerLeavesNoLimits(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := dbtest.New(t)
	p := d.PgBouncer(map[string]string{"pool_mode": "transaction", "default_pool_size": "2"})
	for n, up := range []string{"-- +goose Up\nALTER TABLE tenants ADD COLUMN colour text;",
		noTx + "-- +goose Up\nCREATE INDEX CONCURRENTLY tenants_name_idx ON tenants (name);\nSELECT 1;"} {
		m, lines := migrator(t, &dbtest.DB{OwnerURL: p.OwnerURL}, db.MigratorConfig{Files: migrations(map[string]string{
			"90001_a.sql": "-- +goose Up\nSELECT 1;", fmt.Sprintf("9001%d_b.sql", n): up}), AllowMissing: true}, "")
		must(m.Up(ctx))
		mentions(t, lines.text(), "through a connection pooler")
		conn := must(pgx.Connect(ctx, p.OwnerURL+"&default_query_exec_mode=simple_protocol"))
		for range 3 {
			for _, setting := range []string{"lock_timeout", "statement_timeout"} {
				var left string
				must(0, conn.QueryRow(ctx, "SHOW "+setting).Scan(&left))
				if left != "0" {
					t.Errorf("%s is %s", setting, left)
				}
			}
		}
		must(0, conn.Close(ctx))
	}
}
