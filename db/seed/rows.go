// Package seed makes initial rows for tests, benchmarks and the demo tenant: a tenant with users,
// facilities, groups, accounts, drivers, patients, and pickups in any status. It sends the application's
// own statements. Tenants and patients need a connection of the schema's owner; the application's suffices
// for the rest.
//
//	var s *seed.Standard
//	err := seed.Make(ctx, pool, uuid.New(), func(r *seed.Rows) {
//		s = r.Standard()
//		r.Pickups(3, s.Pickup(seed.In(db.PickupStatusASSIGNED)))
//	})
//
// A default of a function is changed by an option: an edit of the statement's parameters.
package seed

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"waybill/db"
)

// Rows collects the rows to be made for one tenant.
type Rows struct {
	TenantID uuid.UUID

	ctx   context.Context
	conn  db.DBTX
	q     *db.Queries
	read  *db.Queries             // answers at once
	rules []db.ListTransitionsRow // the dictionary, once read
	batch *batch                  // nil: each statement is sent at once
	taken []db.Code               // errors for rows that already exist
	err   error                   // the first: nothing is made after it
}

// Make makes the rows that fill asks for, in one round trip and one transaction: all or none. If there are
// pickups other than drafts, it first reads the dictionary of transitions. It also returns an error if a
// statement makes fewer rows than requested.
func Make(ctx context.Context, conn Sender, tenantID uuid.UUID, fill func(*Rows)) error {
	b := &batch{}
	r := &Rows{TenantID: tenantID, ctx: ctx, conn: b, q: db.New(b), read: db.New(conn), batch: b}
	fill(r)
	if r.err != nil {
		return r.err
	}
	return b.send(ctx, conn)
}

// Complete makes the missing ones of the rows that fill asks for, each at once. A row exists if one has
// its id, or if the database refuses it with one of the codes taken.
func Complete(ctx context.Context, conn db.DBTX, tenantID uuid.UUID, taken []db.Code, fill func(*Rows)) error {
	q := db.New(conn)
	r := &Rows{TenantID: tenantID, ctx: ctx, conn: conn, q: q, read: q, taken: taken}
	fill(r)
	return r.err
}

// Err returns the first error.
func (r *Rows) Err() error { return r.err }

// Do runs statements of the caller's own in their turn, unless an error came before.
func (r *Rows) Do(run func(context.Context, *db.Queries) error) {
	if r.err == nil {
		r.err = run(r.ctx, r.q)
	}
}

// create runs a generated query that makes one row.
func create[P, R any](r *Rows, query func(*db.Queries, context.Context, P) (R, error), params P) {
	createAll(r, 1, query, params)
}

// createAll runs a generated query that makes n rows.
func createAll[P, R any](r *Rows, n int, query func(*db.Queries, context.Context, P) (R, error), params P) {
	if r.batch != nil {
		r.batch.want = int64(n)
	}
	r.Do(func(ctx context.Context, q *db.Queries) error {
		_, err := query(q, ctx, params)
		if r.batch == nil && r.isThere(err) {
			return nil
		}
		return err
	})
}

// fail keeps an error, if it is the first.
func (r *Rows) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *Rows) isThere(err error) bool {
	return err != nil && (db.NoRow(err) || slices.Contains(r.taken, db.Explain(err).Code))
}

// digest is the request digest of seeded rows, which no request has made.
var digest = []byte("seed")

// newID returns an id as the server makes them: ordered by time.
func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

func edited[P any](p P, edits []func(*P)) P {
	for _, edit := range edits {
		edit(&p)
	}
	return p
}
