package rules

import "slices"

// Isolation is the isolation level of a project's transactions.
type Isolation string

const (
	ReadCommitted  Isolation = "read committed"
	RepeatableRead Isolation = "repeatable read"
	Serializable   Isolation = "serializable"
)

// Known reports whether the level exists; "" is PostgreSQL's default, read committed.
func (i Isolation) Known() bool {
	return slices.Contains([]Isolation{"", ReadCommitted, RepeatableRead, Serializable}, i)
}

// The levels at which a write fails with 40001 if the written row, or a row that it only read, has
// changed since the snapshot.
var (
	changedRow = []Isolation{RepeatableRead, Serializable}
	changedSet = []Isolation{Serializable}
)
