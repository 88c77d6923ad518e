package db

// What the tests, which are in package db_test because dbtest imports this one,
// need of its inside.

// StoreOver is a store whose statements go through q, which may rewrite them.
func StoreOver(q DBTX) *Store { return newStore(q, true) }

// CombiningOver is one whose concurrent requests share statements.
func CombiningOver(q DBTX) *Store { return newStore(q, false) }

// DBTX is where the store's statements go.
func (s *Store) DBTX() DBTX { return s.db }

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
