package db

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// What the tests, which are in package db_test because dbtest imports this one,
// need of its inside.

// StoreOver is a store whose statements go to q: a store's, a connection or a
// transaction. rewrite may change them on the way.
func StoreOver(q DBTX, rewrite func(DBTX) DBTX) *Store {
	return StoreConfirming(q, rewrite, func(sql string) string { return sql })
}

// StoreConfirming is one that may change the statements, too, that go with others in one
// round trip.
func StoreConfirming(q DBTX, rewrite func(DBTX) DBTX, text func(sql string) string) *Store {
	over, ok := q.(confirming)
	if !ok { // a connection, or a transaction
		over = confirming{q, func(context.Context) (batches, func(), error) { return q.(batches), func() {}, nil }}
	}
	over.take = over.take.rewriting(text)
	viewing := func(v Viewer, after []queued) DBTX { return rewrite(viewing{over.DBTX, over.take, v, after}) }
	return newStore(rewrite(over), viewing, true)
}

func (take taker) rewriting(text func(string) string) taker {
	return func(ctx context.Context) (batches, func(), error) {
		conn, release, err := take(ctx)
		return rewritten{conn, text}, release, err
	}
}

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

// CombiningOver is one whose concurrent requests share statements.
func CombiningOver(q DBTX) *Store { return newStore(q, nil, false) }

// DBTX is where the statements go.
func (q *Queries) DBTX() DBTX { return q.db }

// ConstraintCodes gives the code of each constraint that is mapped.
func ConstraintCodes() map[string]Code {
	codes := make(map[string]Code, len(violations))
	for name, v := range violations {
		codes[name] = v.code
	}
	return codes
}

// Attempts is how often a write that would win by now is tried.
const Attempts = attempts

// SendMoves sends one statement for all, and tells which of the pickups it moved.
func (s *Store) SendMoves(
	ctx context.Context, v Viewer, name TransitionName, pickups ...uuid.UUID,
) (moved []bool, err error) {
	asks := each(pickups, func(id uuid.UUID) move { return move{Transition{Name: name, PickupID: id, Digest: id[:]}, v, newID()} })
	all, err := s.transitioning(s.TransitionPickups)(ctx, asks)
	return each(all, func(m found[Moved]) bool { return m.is }), err
}

// SendDrafts sends the statement, whatever it will be refused for.
func (s *Store) SendDrafts(ctx context.Context, v Viewer, drafts []Draft) ([][]Pickup, error) {
	return s.flushDrafts(ctx, []draftBatch{{drafts, v}})
}
