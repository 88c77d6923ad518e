// Package verdict says of each write what two callers at once can do to each other
// through it.
package verdict

import (
	"waybill/cmd/sqlguard/catalog"
	"waybill/cmd/sqlguard/project"
	"waybill/cmd/sqlguard/reading"
)

// Verdict is what a write is worth when others write the same rows.
type Verdict string

const (
	Unbounded   Verdict = "unbounded"   // no WHERE on the target
	Conditional Verdict = "conditional" // a guard that PostgreSQL tests again on the locked row
	Blind       Verdict = "blind"       // overwrites what it has not seen
	Relative    Verdict = "relative"    // computed from the row as it is
	Constant    Verdict = "constant"    // the same however often, and by whomever

	UpsertConditional Verdict = "upsert-conditional"
	UpsertRelative    Verdict = "upsert-relative"
	UpsertBlind       Verdict = "upsert-blind"

	DeleteKey         Verdict = "delete-key"
	DeleteConditional Verdict = "delete-conditional"
	DeleteOwner       Verdict = "delete-owner"
	DeleteUnbounded   Verdict = "delete-unbounded"

	Opaque Verdict = "opaque" // a function writes, and its body cannot be judged
)

// Guarded reports whether a write can lose, and so must tell.
func (v Verdict) Guarded() bool {
	return v == Conditional || v == UpsertConditional || v == DeleteConditional
}

// Overwrites reports whether a write discards what it has not seen.
func (v Verdict) Overwrites() bool { return v == Blind || v == UpsertBlind }

// Kind is what kind of guard makes a write conditional.
type Kind string

const (
	CAS      Kind = "cas"      // tests a column that it writes
	Fence    Kind = "fence"    // tests a token that others move
	Lock     Kind = "lock"     // tests rows that it locked before
	Liveness Kind = "liveness" // tests a state that it leaves as it is
)

// Class is how a column's new value comes about; the later the worse.
type Class uint8

const (
	Touch       Class = iota // its own value
	Clock                    // the time
	ConstantSet              // always the same
	RelativeSet              // computed from the row's own state
	PatchSet                 // the caller's value, or else its own
	AbsoluteSet              // the rest
)

// TestClass is what one condition is worth.
type TestClass uint8

const (
	Irrelevant TestClass = iota // says nothing of the target
	Tautology                   // always true
	Optional                    // the caller may switch it off
	Stale                       // of a snapshot, not tested again after a lock wait
	Noop                        // only skips a write that changes nothing
	Renewed                     // true again once the write is done, whoever else writes
	Scope                       // an immutable column
	Identity                    // a key
	Guard
)

// Test is a condition, judged.
type Test struct {
	Class   TestClass
	Kind    Kind     // of a guard
	Columns []string // of the target's table
	Offset  int      // in the statement, or -1
	Lost    bool     // of an optional one: it would be a guard
	Repeats bool     // of a guard: it is true again once the write is done; others make it false
	Fixed   bool     // it asks whether the row has a value, or a mark, that never changes
	Source  reading.Condition
}

// Column is an assignment, judged.
type Column struct {
	reading.Assignment
	Class Class
}

// Write is a write, judged.
type Write struct {
	*reading.Write
	Statement *reading.Statement
	Query     *Query
	Verdict   Verdict
	Kind      Kind
	Columns   []Column
	Tests     []Test
	Snapshots []Test         // the stale tests, each where it stands: in a subselect, not around it
	Retested  []string       // the columns that conditions name on the row itself, or on the row as it was locked
	Keys      []*catalog.Key // the keys by which it finds its rows
	Triggered []string       // the columns that triggers set beside it
	Facts     *Facts
	Function  string // whose body it stands in, if any
}

// Table is the written table's name.
func (w *Write) Table() string { return w.Target.Table.String() }

// Guards are the tests that make the write conditional.
func (w *Write) Guards() []Test { return w.Of(Guard) }

// Of are the write's tests of one class.
func (w *Write) Of(c TestClass) []Test {
	var found []Test
	for _, t := range w.Tests {
		if t.Class == c {
			found = append(found, t)
		}
	}
	return found
}

// Set are the names of the columns of one class.
func (w *Write) Set(classes ...Class) []string {
	var names []string
	for _, c := range w.Columns {
		for _, class := range classes {
			if c.Class == class {
				names = append(names, c.Column)
			}
		}
	}
	return names
}

// Query is a query, judged.
type Query struct {
	*project.Query
	Statements []*reading.Statement
	Writes     []*Write
	Opaque     []string // functions that it calls and that write in a way nobody can judge
}

// Database is a database's queries, judged.
type Database struct {
	Catalog *catalog.Catalog
	Queries []*Query
	Facts   *Facts
}
