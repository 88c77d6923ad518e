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

// Check looks for what must never be, whatever a test did. owner is a pool of
// the test's database.
type Check func(ctx context.Context, owner *pgxpool.Pool) error

// checkTimeout limits each check: it may wait for a lock that the test left behind.
const checkTimeout = 30 * time.Second

// Option is what a package asks of [Run] for all its tests.
type Option interface{ applyTo(*suite) }

// LogCheck looks, after all tests, at what PostgreSQL logged during them. With
// DATABASE_URL, the log is out of reach, and nothing is checked.
type LogCheck func(log []byte) error

func (c LogCheck) applyTo(s *suite) { s.logChecks = append(s.logChecks, c) }

// Seed puts into the database what all tests of the package start from. It runs once, when
// the first of them asks for a database: theirs are clones of what it leaves.
type Seed func(ctx context.Context, owner *pgxpool.Pool) error

func (fill Seed) applyTo(s *suite) { s.seed = fill }

// Empty leaves out the migrations: the databases are as PostgreSQL makes them.
type Empty struct{}

func (Empty) applyTo(s *suite) { s.empty = true }

// Parallel is how many tests run at once for each processor, where -parallel does not say:
// more than one, for tests that wait more than they compute.
type Parallel int

func (n Parallel) applyTo(s *suite) { s.parallel = n }

// Run runs the tests and then stops the server, if any test started one. It
// returns the exit code.
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

// set leaves alone what the command line says.
func (n Parallel) set() {
	const name = "test.parallel"
	flag.Parse()
	told := false
	flag.Visit(func(f *flag.Flag) { told = told || f.Name == name })
	if n == 0 || told {
		return
	}
	if err := flag.Set(name, strconv.Itoa(int(n)*runtime.GOMAXPROCS(0))); err != nil {
		panic(err) // it is a number
	}
}

// collectLess, unless GOGC says otherwise: of a heap of some MB the garbage collector took a
// tenth of the tests' processor time.
func collectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
}

// New gives the test a new database. When the test ends, the checks run, unless
// it has failed already; then the database is dropped, or kept if it failed.
//
// It ends the test if no database can be had.
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
