package dbtest_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"waybill/db/dbtest"
)

func TestMain(m *testing.M) { dbtest.Exit(dbtest.Run(m, dbtest.Seed(plant))) }

func plant(ctx context.Context, owner *pgxpool.Pool) error {
	_, err := owner.Exec(ctx, "CREATE TABLE planted AS SELECT gen_random_uuid() AS id")
	return err
}

func ask(t *testing.T, pool *pgxpool.Pool, sql string) (value string) {
	t.Helper()
	if err := pool.QueryRow(t.Context(), sql).Scan(&value); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return value
}

func TestNewGivesAMigratedDatabase(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	if got := ask(t, d.Owner(), "SELECT (max(version_id) > 0)::text FROM goose_db_version"); got != "true" {
		t.Errorf("migrated = %s", got)
	}
}

func TestNewGivesEachTestItsOwn(t *testing.T) {
	t.Parallel()
	const find = "SELECT coalesce(to_regclass('mine')::text, 'none')"
	a, b := dbtest.New(t), dbtest.New(t)
	if _, err := a.Owner().Exec(t.Context(), "CREATE TABLE mine (id int)"); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, a.App(), find); got != "mine" {
		t.Errorf("a does not see its own table")
	}
	if got := ask(t, b.Owner(), find); got != "none" {
		t.Errorf("b sees the table of a")
	}
}

func TestNewGivesEachTestTheSeed(t *testing.T) {
	t.Parallel()
	const find = "SELECT id::text FROM planted"
	a, b := dbtest.New(t), dbtest.New(t)
	seed := ask(t, a.Owner(), find)
	if got := ask(t, b.Owner(), find); got != seed {
		t.Errorf("planted are %s and %s, want one seed, planted once", seed, got)
	}
	if _, err := a.Owner().Exec(t.Context(), "DELETE FROM planted"); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, b.Owner(), find); got != seed {
		t.Errorf("b sees what became of a's seed: %s", got)
	}
}

func TestPoolsHaveTheirRoles(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	const me = "SELECT current_user || ' ' || current_setting('is_superuser')"
	if got := ask(t, d.App(), me); got != "waybill_app off" {
		t.Errorf("App is %s", got)
	}
	if got := ask(t, d.AppPool(9), me); got != "waybill_app off" {
		t.Errorf("AppPool is %s", got)
	}
	if os.Getenv("DATABASE_URL") != "" {
		return // its login may be a superuser
	}
	if got := ask(t, d.Owner(), me); got != "waybill_owner off" {
		t.Errorf("Owner is %s", got)
	}
}

func TestConnectionsBearTheTestsNameAndAnOddTimeZone(t *testing.T) {
	t.Parallel()
	t.Run("with a space & more", func(t *testing.T) {
		pool := dbtest.New(t).App()
		if got := ask(t, pool, "SELECT current_setting('application_name')"); got != t.Name()[:63] {
			t.Errorf("application_name = %q", got)
		}
		if got := ask(t, pool, "SELECT current_setting('timezone')"); got != "Asia/Kathmandu" {
			t.Errorf("timezone = %q", got)
		}
		// A line of the log names the test, too, unless the server is another's.
		if got := ask(t, pool, "SELECT current_setting('log_line_prefix')"); !strings.Contains(got, "%a") &&
			os.Getenv("DATABASE_URL") == "" {
			t.Errorf("log_line_prefix = %q", got)
		}
	})
}

func TestPoolSizes(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	app, owner := d.App(), d.Owner()
	if d.App() != app || d.Owner() != owner || app.Config().MaxConns != 4 {
		t.Error("App and Owner are one pool of 4 each")
	}
	if got := d.AppPool(20).Config().MaxConns; got != 20 {
		t.Errorf("AppPool(20) has %d", got)
	}
}

func TestChecksRunAfterTheTest(t *testing.T) {
	t.Parallel()
	var seen string
	t.Run("inner", func(t *testing.T) {
		dbtest.New(t, func(ctx context.Context, owner *pgxpool.Pool) error {
			return owner.QueryRow(ctx, "SELECT current_database()").Scan(&seen)
		})
		if seen != "" {
			t.Error("the check ran before the end")
		}
	})
	if !strings.HasPrefix(seen, "waybill_test_") {
		t.Errorf("the check ran in %q", seen)
	}
}

// BenchmarkNew is of what each test waits for: go test ./db/dbtest -run - -bench New
func BenchmarkNew(b *testing.B) {
	dbtest.New(b) // the server's start
	for b.Loop() {
		dbtest.New(b)
	}
}

// The next three fail on purpose: other tests run them in a process of their own.

func TestHelperFails(t *testing.T) {
	onlyAsHelper(t)
	d := dbtest.New(t)
	if _, err := d.Owner().
		Exec(t.Context(), "CREATE TABLE evidence AS SELECT 'left by the failed test' AS what"); err != nil {
		t.Fatal(err)
	}
	t.Error("on purpose")
}

func TestHelperFailsItsCheck(t *testing.T) {
	onlyAsHelper(t)
	dbtest.New(t, func(context.Context, *pgxpool.Pool) error { return errors.New("the books do not balance") })
}

func TestHelperHoldsAConnection(t *testing.T) {
	onlyAsHelper(t)
	if _, err := dbtest.New(t).App().Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func onlyAsHelper(t *testing.T) {
	t.Helper()
	if os.Getenv(helperVariable) == "" {
		t.Skip("only as a helper process of another test")
	}
}
