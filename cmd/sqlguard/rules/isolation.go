package rules

import "slices"

// Isolation is the level at which a project runs its transactions.
type Isolation string

const (
	ReadCommitted  Isolation = "read committed"
	RepeatableRead Isolation = "repeatable read"
	Serializable   Isolation = "serializable"
)

// Known reports whether it is a level that there is; "" is PostgreSQL's default,
// read committed.
func (i Isolation) Known() bool {
	return slices.Contains([]Isolation{"", ReadCommitted, RepeatableRead, Serializable}, i)
}

// The levels at which a write fails with 40001 where another transaction has changed
// since the snapshot what it rests on: the row itself, or rows that it only read.
var (
	changedRow = []Isolation{RepeatableRead, Serializable}
	changedSet = []Isolation{Serializable}
)
