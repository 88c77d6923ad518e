package db_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"waybill/db"
	"waybill/db/localpg"
	"waybill/db/seed"
)

// startServer starts a PostgreSQL of the test's own, with the schema. What it has committed survives a
// crash of its processes.
func startServer(t *testing.T) *localpg.Server {
	t.Helper()
	server := must(localpg.Start(t.Context(), localpg.Options{Settings: map[string]string{"synchronous_commit": "on"}}))
	t.Cleanup(func() { server.Stop() })
	must(0, db.Migrate(t.Context(), server.URL(localpg.Owner, localpg.Database)))
	return server
}

// openPool returns a pool for the rest of the test.
func openPool(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	pool := must(pgxpool.New(t.Context(), url))
	t.Cleanup(pool.Close)
	return pool
}

// worldOn makes a new tenant in the database of a server of the test's own, over a store.
func worldOn(t *testing.T, server *localpg.Server, s *db.Raw) *fixture {
	t.Helper()
	w := &fixture{Raw: s, as: s, pool: s.Pool(), tenant: uuid.New(),
		owner: openPool(t, server.URL(localpg.Owner, localpg.Database))}
	w.make(t.Context(), func(r *seed.Rows) { w.seeded = r.Standard(withOldHash) })
	w.admin, w.dispatcher, w.hub = w.seeded.Admin.Viewer, w.seeded.Dispatcher.Viewer, w.seeded.Hub.Viewer
	w.staff, w.stranger = w.seeded.Staff.Viewer, w.seeded.Stranger.Viewer
	w.facility, w.hidden, w.account = w.seeded.Facility, w.seeded.Hidden, w.seeded.Account
	return w
}

// vanishedLimit is far more than a vanished host should cost, and far less than the kernel's and the
// driver's own limits, which are minutes.
const vanishedLimit = 30 * time.Second

// recovers calls do until it succeeds. Meanwhile it may fail with unavailable.
func recovers(t *testing.T, do func() error) {
	t.Helper()
	begin := time.Now()
	for err := do(); err != nil; err = do() {
		if c := code(err); c != db.Unavailable {
			t.Fatalf("after %v: %v", time.Since(begin), err)
		}
		if time.Since(begin) > vanishedLimit {
			t.Fatal("it does not recover")
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Logf("recovered after %v", time.Since(begin))
}
