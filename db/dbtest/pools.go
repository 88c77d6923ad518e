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

// DB is the database of one test. Its connections use the test's name as application_name, and an
// unusual time zone, so that code that relies on UTC fails.
type DB struct {
	OwnerURL string // for the login that owns the schema
	AppURL   string // for the application's login, which is or becomes waybill_app

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
	d.OwnerURL = ofTest(c.ownerURL(name), t)
	d.AppURL = ofTest(c.appURL(name), t)
	d.owner = sync.OnceValue(func() *pgxpool.Pool { return d.pool(d.OwnerURL, defaultConns) })
	d.app = sync.OnceValue(func() *pgxpool.Pool { return d.pool(d.AppURL, defaultConns) })
	return d
}

// ofTest returns a URL by which a test's sessions have its name, and wait for a server that the machine keeps busy:
// programs give up after two seconds.
func ofTest(url string, t testing.TB) string {
	return withParam(withParam(url, "application_name", t.Name()), "connect_timeout", "15")
}

// Owner returns a pool of at most 4 connections as the schema's owner, the same at each call.
func (d *DB) Owner() *pgxpool.Pool { return d.owner() }

// App returns a pool of at most 4 connections as the application, the same at each call.
func (d *DB) App() *pgxpool.Pool { return d.app() }

// AppPool returns a new pool of at most max connections as the application, which is closed at the end
// of the test.
func (d *DB) AppPool(max int) *pgxpool.Pool { return d.pool(d.AppURL, max) }

// SettledURL returns AppURL with the generic plans that long-lived connections end up with: a test that
// runs each statement only a few times per connection would mostly plan.
func (d *DB) SettledURL() string { return withParam(d.AppURL, "plan_cache_mode", "force_generic_plan") }

// pool connects lazily, at the first query.
func (d *DB) pool(url string, max int) *pgxpool.Pool {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		panic(err) // built by this package
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

// closePools fails the test if it still holds a connection, for which Close would wait forever.
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
