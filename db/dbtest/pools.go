package dbtest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	defaultConns = 4
	closeTimeout = 3 * time.Second
)

// DB is the database of one test. Its connections bear the test's name
// (application_name) and are in an unusual time zone, so that code that relies
// on UTC fails.
type DB struct {
	OwnerURL string // of the login that owns the schema
	AppURL   string // of the application's login, which is waybill_app or turns into it

	t       testing.TB
	cluster *cluster
	name    string
	owner   func() *pgxpool.Pool
	app     func() *pgxpool.Pool

	mu    sync.Mutex
	pools []*pgxpool.Pool
}

func newDB(t testing.TB, c *cluster, name string) *DB {
	d := &DB{t: t, cluster: c, name: name}
	d.OwnerURL = withParam(c.ownerURL(name), "application_name", t.Name())
	d.AppURL = withParam(c.appURL(name), "application_name", t.Name())
	d.owner = sync.OnceValue(func() *pgxpool.Pool { return d.pool(d.OwnerURL, defaultConns) })
	d.app = sync.OnceValue(func() *pgxpool.Pool { return d.pool(d.AppURL, defaultConns) })
	return d
}

// Owner is a pool of at most 4 connections as the schema's owner, the same at each call.
func (d *DB) Owner() *pgxpool.Pool { return d.owner() }

// App is a pool of at most 4 connections as the application, the same at each call.
func (d *DB) App() *pgxpool.Pool { return d.app() }

// AppPool is a new pool of at most max connections as the application. The
// test's end closes it.
func (d *DB) AppPool(max int) *pgxpool.Pool { return d.pool(d.AppURL, max) }

// SettledURL is AppURL with the plans that a connection comes to after a while, those for
// all arguments: a test that runs each statement a few times on each of its connections
// would do little else than plan.
func (d *DB) SettledURL() string { return withParam(d.AppURL, "plan_cache_mode", "force_generic_plan") }

// pool does not connect yet: the first query does.
func (d *DB) pool(url string, max int) *pgxpool.Pool {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		panic(err) // this package made the URL
	}
	config.MaxConns = int32(max)
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		panic(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pools = append(d.pools, pool)
	return pool
}

// closePools fails the test if it holds on to a connection, for which Close would
// wait for ever.
func (d *DB) closePools() {
	d.t.Helper()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		for _, pool := range d.pools {
			pool.Close()
		}
	}()
	select {
	case <-closed:
	case <-time.After(closeTimeout):
		d.t.Errorf("dbtest: connections not released: %d", d.acquired())
	}
}

func (d *DB) acquired() (n int32) {
	for _, pool := range d.pools {
		n += pool.Stat().AcquiredConns()
	}
	return n
}
