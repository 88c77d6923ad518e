package db

import (
	"context"
)

// What the tests, which are in package db_test because dbtest imports this one,
// need of its inside.

// StoreOver is a store whose statements go to q: a store's, a connection or a
// transaction. rewrite may change them on the way.
func StoreOver(q DBTX, rewrite func(DBTX) DBTX) *Store {
	viewing := func(v Viewer) DBTX {
		if p, ok := q.(pooled); ok {
			return rewrite(p.as(v))
		}
		return rewrite(viewing{q, func(context.Context) (batches, func(), error) { return q.(batches), func() {}, nil }, v})
	}
	return newStore(rewrite(q), viewing, true)
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

// HashOf is what is stored of a token.
func HashOf(t Token) []byte {
	_, hash, _ := t.parse()
	return hash
}

// Attempts is how often a write that would win by now is tried.
const Attempts = attempts

// SendDrafts sends the statement, whatever it will be refused for.
func (s *Store) SendDrafts(ctx context.Context, v Viewer, drafts []Draft) ([][]Pickup, error) {
	return s.flushDrafts(ctx, []batch{{drafts, v}})
}
