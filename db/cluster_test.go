package db_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"waybill/db"
	"waybill/db/localpg"
	"waybill/db/seed"
)

// startServer starts a PostgreSQL of the test's own, with the schema.
func startServer(t *testing.T, o localpg.Options) *localpg.Server {
	t.Helper()
	server := must(localpg.Start(t.Context(), o))
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
func worldOn(t *testing.T, server *localpg.Server, s *db.Raw) *world {
	t.Helper()
	w := &world{Raw: s, as: s, pool: s.Pool(), tenant: uuid.New(),
		owner: openPool(t, server.URL(localpg.Owner, localpg.Database))}
	w.make(t.Context(), func(r *seed.Rows) { w.seeded = r.Standard(withOldHash) })
	w.admin, w.dispatcher, w.hub = w.seeded.Admin.Viewer, w.seeded.Dispatcher.Viewer, w.seeded.Hub.Viewer
	w.staff, w.stranger = w.seeded.Staff.Viewer, w.seeded.Stranger.Viewer
	w.facility, w.hidden, w.account = w.seeded.Facility, w.seeded.Hidden, w.seeded.Account
	return w
}
