// Package seed makes rows to start from, for tests, benchmarks and the demo tenant: a tenant
// with users, facilities, groups, accounts, drivers, patients, and pickups in any status. It
// sends the application's own statements. Tenants, and patients, are made over a connection of
// the schema's owner; the rest over one of the application's, too.
//
//	var s *seed.Standard
//	err := seed.Make(ctx, pool, uuid.New(), func(r *seed.Rows) {
//		s = r.Standard()
//		r.Pickups(3, s.Pickup(seed.In(db.PickupStatusASSIGNED)))
//	})
//
// What a function takes by itself is an option's to change: an edit of the statement's
// parameters.
package seed

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"waybill/db"
)

// Rows are rows of one tenant that are being made.
type Rows struct {
	TenantID uuid.UUID

	ctx   context.Context
	conn  db.DBTX
	q     *db.Queries
	read  *db.Queries             // answers at once
	rules []db.ListTransitionsRow // the dictionary, once read
	batch *batch                  // nil: each statement is sent at once
	taken []db.Code               // refusals of what is there already
	err   error                   // the first: nothing is made after it
}

// Make makes the rows that fill asks for, in one round trip and one transaction: all or none. Where
// there are pickups that are no drafts, it reads the dictionary of transitions before.
// It returns an error also where a statement makes fewer rows than it was asked for.
func Make(ctx context.Context, conn Sender, tenantID uuid.UUID, fill func(*Rows)) error {
	b := &batch{}
	r := &Rows{TenantID: tenantID, ctx: ctx, conn: b, q: db.New(b), read: db.New(conn), batch: b}
	fill(r)
	if r.err != nil {
		return r.err
	}
	return b.send(ctx, conn)
}

// Complete makes what is not there yet of the rows that fill asks for, each at once. A row is
// there if one has its id, or if the database refuses it with one of the codes taken.
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

// createAll runs one that makes n.
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

// digest stands for the requests that nobody made.
var digest = []byte("seed")

// newID is an id as the server makes them: in the order of time.
func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

func edited[P any](p P, edits []func(*P)) P {
	for _, edit := range edits {
		edit(&p)
	}
	return p
}
