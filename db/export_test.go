package db

import (
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db/retry"
)

// Access for the tests, which are in package db_test because dbtest imports this one, to internals of the
// package.

// Raw is a System that also has every generated statement. Where the Store has a method of the same name,
// Raw has the statement, and its Store the method.
type Raw struct {
	*Queries
	sealed
}

type sealed struct{ *System }

func raw(s *Store) *Raw { return &Raw{s.q, sealed{&System{s, s.q}}} }

// OpenRaw is Open.
func OpenRaw(ctx context.Context, c Config) (*Raw, error) {
	s, err := Open(ctx, c)
	if err != nil {
		return nil, err
	}
	return raw(s.Store), nil
}

// As returns every statement, under the row-level security of one viewer.
func (r *Raw) As(v Viewer) *Queries { return r.Store.as(v) }

// ListPickups is the method of the Store.
func (r *Raw) ListPickups(ctx context.Context, p ListPickupsParams) ([]ListPickupsRow, error) {
	return r.Store.ListPickups(ctx, p)
}

// FindUsersLooking is FindUsers with another number of entries to look at.
func (s *Store) FindUsersLooking(ctx context.Context, v Viewer, p FindUsersParams, looks int32) (Found[User], error) {
	p.MaxLooks = looks
	return s.findUsers(ctx, v, p)
}

// FindPatientsLooking is FindPatients with another number of entries to look at.
func (s *Store) FindPatientsLooking(
	ctx context.Context, v Viewer, p FindPatientsParams, looks int64,
) (Found[Patient], error) {
	p.MaxLooks = looks
	return s.findPatients(ctx, v, p)
}

// StoreOver returns a store whose statements go to q: a store's, a connection or a transaction. rewrite
// may change them on the way.
func StoreOver(q DBTX, rewrite func(DBTX) DBTX) *Raw {
	return StoreConfirming(q, rewrite, func(sql string) string { return sql })
}

// StoreConfirming returns a store that may also change the statements that are sent with others in one
// round trip.
func StoreConfirming(q DBTX, rewrite func(DBTX) DBTX, text func(sql string) string) *Raw {
	over, ok := q.(confirming)
	if !ok { // a connection, or a transaction
		over = confirming{DBTX: q, take: func(context.Context) (batches, func(error) error, error) {
			return q.(batches), asItIs, nil
		}}
	}
	over.take = over.take.rewriting(text)
	viewing := func(v Viewer, after []queued) DBTX { return rewrite(viewing{over.DBTX, over.take, v, after}) }
	return raw(newStore(rewrite(over), viewing, lockWaits{}, true))
}

func (take taker) rewriting(text func(string) string) taker {
	return func(ctx context.Context) (batches, func(error) error, error) {
		conn, end, err := take(ctx)
		return rewritten{conn, text}, end, err
	}
}

func asItIs(err error) error { return err }

// rewritten changes the statements of a batch.
type rewritten struct {
	batches
	text func(string) string
}

func (r rewritten) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	for _, q := range b.QueuedQueries {
		q.SQL = r.text(q.SQL)
	}
	return r.batches.SendBatch(ctx, b)
}

// BatchingOver returns a store whose concurrent requests share statements.
func BatchingOver(q DBTX) *Raw { return raw(newStore(q, nil, lockWaits{}, false)) }

// DBTX returns where the statements are sent.
func (q *Queries) DBTX() DBTX { return q.db }

// ListedConstraints returns the names of the constraints that are listed with their meaning.
func ListedConstraints() []string { return slices.Sorted(maps.Keys(violations)) }

// ConventionalMeaning returns what the name of a constraint says. ok is false if it says nothing.
func ConventionalMeaning(table, constraint string) (code Code, field string, ok bool) {
	v, ok := conventional(table, constraint)
	return v.code, v.field, ok
}

// MeaningOf returns what a violation of a constraint is answered as. ok is false if that is not known.
func MeaningOf(table, constraint string) (code Code, field string, ok bool) {
	v, ok := violationOf(table, constraint)
	return v.code, v.field, ok
}

// Attempts is how often a write that would now succeed is tried.
const Attempts = retry.MaxAttempts

// SendMoves sends one statement for all transitions, and returns which of the pickups it moved.
func (r *Raw) SendMoves(
	ctx context.Context, v Viewer, name TransitionName, pickups ...uuid.UUID,
) (moved []bool, err error) {
	asks := mapSlice(pickups, func(id uuid.UUID) move {
		return move{Transition{Name: name, PickupID: id, Digest: id[:]}, v, newID()}
	})
	all, err := r.transitioning(r.TransitionPickups)(ctx, asks)
	return mapSlice(all, func(m found[Moved]) bool { return m.ok }), err
}

// The forms of statements that skip locked rows, each with two requests or more in one statement: they return
// which of them were done.

// MovePastLocks moves pickups; drivers are those that an assign names.
func (r *Raw) MovePastLocks(
	ctx context.Context, v Viewer, name TransitionName, pickups, drivers []uuid.UUID,
) ([]bool, error) {
	var asks []move
	for i, id := range pickups {
		t := Transition{Name: name, PickupID: id, Digest: id[:]}
		if drivers != nil {
			t.DriverID = drivers[i]
		}
		asks = append(asks, move{t, v, newID()})
	}
	return wereFound(r.transitioning(r.transitionPastLocks)(ctx, asks))
}

// EnterPastLocks books entries.
func (r *Raw) EnterPastLocks(ctx context.Context, v Viewer, entries ...Entry) ([]bool, error) {
	return wereFound(r.entering(r.enterPastLocks)(ctx, mapSlice(entries, func(e Entry) entry { return entry{e, v} })))
}

// CreatePastLocks creates pickups.
func (r *Raw) CreatePastLocks(ctx context.Context, v Viewer, drafts ...Draft) ([]bool, error) {
	all, err := r.drafting(r.createPastLocks)(ctx,
		mapSlice(drafts, func(d Draft) draftBatch { return draftBatch{[]Draft{d}, v} }))
	return mapSlice(all, func(made []Pickup) bool { return len(made) == 1 }), err
}

// LocatePastLocks updates locations.
func (r *Raw) LocatePastLocks(ctx context.Context, v Viewer, locations ...Location) ([]bool, error) {
	return wereFound(r.locating(r.locatePastLocks)(ctx,
		mapSlice(locations, func(l Location) location { return location{l, v} })))
}

func wereFound[T any](all []found[T], err error) ([]bool, error) {
	return mapSlice(all, func(f found[T]) bool { return f.ok }), err
}

// SendDrafts sends the statement without checking the drafts first.
func (r *Raw) SendDrafts(ctx context.Context, v Viewer, drafts []Draft) ([][]Pickup, error) {
	return r.drafting(r.CreatePickups)(ctx, []draftBatch{{drafts, v}})
}

// CompareSession is compareSession.
func CompareSession(wanted map[string]string, have GetSessionSettingsRow) error {
	return compareSession(wanted, have)
}

// WithMigrationLock calls do while it has the migrators' lock.
func WithMigrationLock(ctx context.Context, ownerURL string, do func()) error {
	m, err := NewMigrator(ownerURL)
	if err != nil {
		return err
	}
	defer m.Close()
	return m.locked(ctx, func() error {
		do()
		return nil
	})
}

// BelieveReplayed makes the store believe that the replicas have replayed everything, as after a restart of one.
func (r *Raw) BelieveReplayed() {
	for _, replica := range r.replicas.all {
		replica.replayed.Store(math.MaxUint64)
	}
}

// BelieveState makes the store believe that it has just read the primary's state, as after a crash of the primary
// from which it recovers in no time.
func (r *Raw) BelieveState() {
	known := *r.replicas.known.Load()
	known.at = time.Now()
	r.replicas.known.Store(&known)
}
