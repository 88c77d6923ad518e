// Package dbtest gives each test a database of its own, migrated unless the package's tests
// want none of it ([Empty]), and without rows but those that they all start from ([Seed]).
//
// A package's tests share one throwaway PostgreSQL, started at the first use, or
// the server of DATABASE_URL, whose login must be allowed to create databases.
// The migrations run once, and the seed after them; each test gets a clone of their
// result, made ahead while others run:
//
//	func TestMain(m *testing.M) { dbtest.Exit(dbtest.Run(m)) }
//
//	func TestSomething(t *testing.T) {
//		t.Parallel()
//		d := dbtest.New(t)
//		d.App().Exec(…)
//	}
//
// The database of a failed test is kept, and the test's log says how to open it.
package dbtest

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Check verifies invariants that must hold after every test. owner is a pool of the test's database.
type Check func(ctx context.Context, owner *pgxpool.Pool) error

// checkTimeout bounds each check: it may wait for a lock that the test left behind.
const checkTimeout = 30 * time.Second

// Option configures [Run] for all tests of a package.
type Option interface{ applyTo(*suite) }

// LogCheck checks PostgreSQL's log after all tests. With DATABASE_URL the log is not available, and
// nothing is checked.
type LogCheck func(log []byte) error

func (c LogCheck) applyTo(s *suite) { s.logChecks = append(s.logChecks, c) }

// Seed inserts the rows that all tests of the package start from. It runs once, for the first test that
// asks for a database: the tests' databases are clones of the result.
type Seed func(ctx context.Context, owner *pgxpool.Pool) error

func (fill Seed) applyTo(s *suite) { s.seed = fill }

// Empty skips the migrations: databases are as PostgreSQL creates them.
type Empty struct{}

func (Empty) applyTo(s *suite) { s.empty = true }

// Parallel is the number of concurrent tests per processor, unless -parallel is set: more than one is
// useful for tests that mostly wait.
type Parallel int

func (n Parallel) applyTo(s *suite) { s.parallel = n }

// Run runs the tests, and then stops the server if a test started one. It returns the exit code.
func Run(m *testing.M, options ...Option) int {
	collectLess()
	for _, option := range options {
		option.applyTo(&shared)
	}
	shared.running = true
	shared.parallel.set()
	code := m.Run()
	if err := shared.checkLog(); err != nil {
		fmt.Fprintln(os.Stderr, "dbtest: PostgreSQL's log:", err)
		code = max(code, 1)
	}
	if err := shared.close(); err != nil {
		fmt.Fprintln(os.Stderr, "dbtest:", err)
		code = max(code, 1)
	}
	return code
}

// set does not override the command line.
func (n Parallel) set() {
	const name = "test.parallel"
	flag.Parse()
	told := false
	flag.Visit(func(f *flag.Flag) { told = told || f.Name == name })
	if n == 0 || told {
		return
	}
	if err := flag.Set(name, strconv.Itoa(int(n)*runtime.GOMAXPROCS(0))); err != nil {
		panic(err) // always a number
	}
}

// collectLess sets the garbage collector's target unless GOGC is set: with a heap of a few MB it took a
// tenth of the tests' CPU time.
func collectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
}

// New returns a new database for the test. When the test ends, the checks run, unless it has already
// failed; then the database is dropped, or kept if the test failed.
//
// It fails the test if no database is available.
func New(t testing.TB, checks ...Check) *DB {
	t.Helper()
	c, err := shared.open()
	if err != nil {
		t.Fatalf("dbtest: %v", err)
	}
	name, err := c.stock.take()
	if err != nil {
		t.Fatalf("dbtest: %v", err)
	}
	d := newDB(t, c, name)
	t.Cleanup(func() { d.finish(checks) })
	return d
}

func (d *DB) finish(checks []Check) {
	d.t.Helper()
	if !d.t.Failed() {
		d.check(checks)
	}
	d.closePools()
	if d.t.Failed() {
		d.t.Log(d.cluster.keep(d.name))
		return
	}
	d.cluster.stock.drop(d.name)
}

func (d *DB) check(checks []Check) {
	d.t.Helper()
	for _, check := range checks {
		ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
		if err := check(ctx, d.Owner()); err != nil {
			d.t.Errorf("dbtest: after the test: %v", err)
		}
		cancel()
	}
}
