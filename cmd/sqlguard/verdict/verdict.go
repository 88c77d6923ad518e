// Package verdict classifies each write by what two concurrent callers can do to each other through it.
package verdict

import (
	"waybill/cmd/sqlguard/catalog"
	"waybill/cmd/sqlguard/project"
	"waybill/cmd/sqlguard/reading"
)

// Verdict is the class of a write under concurrency.
type Verdict string

const (
	Unbounded   Verdict = "unbounded"   // no condition on the target
	Conditional Verdict = "conditional" // a guard that PostgreSQL re-tests on the locked row
	Blind       Verdict = "blind"       // overwrites values that it has not read
	Relative    Verdict = "relative"    // computed from the row's current value
	Constant    Verdict = "constant"    // idempotent: the same result however often it runs

	UpsertConditional Verdict = "upsert-conditional"
	UpsertRelative    Verdict = "upsert-relative"
	UpsertBlind       Verdict = "upsert-blind"

	DeleteKey         Verdict = "delete-key"
	DeleteConditional Verdict = "delete-conditional"
	DeleteOwner       Verdict = "delete-owner"
	DeleteUnbounded   Verdict = "delete-unbounded"

	Opaque Verdict = "opaque" // a function writes, and its body cannot be analysed
)

// Guarded reports whether a write can lose, and so must report it.
func (v Verdict) Guarded() bool {
	return v == Conditional || v == UpsertConditional || v == DeleteConditional
}

// Overwrites reports whether a write discards values that it has not read.
func (v Verdict) Overwrites() bool { return v == Blind || v == UpsertBlind }

// Kind is the kind of guard that makes a write conditional.
type Kind string

const (
	CAS      Kind = "cas"      // tests a column that it writes
	Fence    Kind = "fence"    // tests a token that other queries change
	Lock     Kind = "lock"     // tests rows that the statement locked before
	Liveness Kind = "liveness" // tests a state that it does not change
)

// Class is how a column's new value is derived, from harmless to worst.
type Class uint8

const (
	Touch       Class = iota // its own value
	Clock                    // the current time
	ConstantSet              // a constant
	RelativeSet              // computed from the row's own state
	PatchSet                 // the caller's value, or else its own
	AbsoluteSet              // anything else
)

// TestClass is the worth of one condition.
type TestClass uint8

const (
	Irrelevant TestClass = iota // does not depend on the target
	Tautology                   // always true
	Optional                    // the caller can switch it off
	Stale                       // tested on the snapshot, not again after a lock wait
	Noop                        // only skips a write that changes nothing
	Renewed                     // true again after the write, and no other write makes it false
	Scope                       // an immutable column
	Identity                    // a key
	Guard
)

// Test is a classified condition.
type Test struct {
	Class   TestClass
	Kind    Kind     // the kind of a guard
	Columns []string // of the target's table
	Offset  int      // the offset in the statement, or -1
	Lost    bool     // of an optional test: without the alternative it would be a guard
	Repeats bool     // of a guard: it is true again after the write, but others make it false
	Fixed   bool     // it tests an immutable value of the row
	Source  reading.Condition
}

// Column is a classified assignment.
type Column struct {
	reading.Assignment
	Class Class
}

// Write is a classified write.
type Write struct {
	*reading.Write
	Statement *reading.Statement
	Query     *Query
	Verdict   Verdict
	Kind      Kind
	Columns   []Column
	Tests     []Test
	Snapshots []Test         // the stale tests, each at its own place inside a subselect
	Retested  []string       // the columns that conditions name on the row itself, or on the row as it was locked
	Keys      []*catalog.Key // the keys by which it finds its rows
	Triggered []string       // the columns that triggers set as well
	Facts     *Facts
	Function  string // the function that contains it, if any
}

// Table returns the written table's name.
func (w *Write) Table() string { return w.Target.Table.String() }

// Guards returns the tests that make the write conditional.
func (w *Write) Guards() []Test { return w.Of(Guard) }

// Of returns the write's tests of one class.
func (w *Write) Of(c TestClass) []Test {
	var found []Test
	for _, t := range w.Tests {
		if t.Class == c {
			found = append(found, t)
		}
	}
	return found
}

// Set returns the columns with one of the classes.
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

// Query is a query with its classified writes.
type Query struct {
	*project.Query
	Statements []*reading.Statement
	Writes     []*Write
	Opaque     []string // functions it calls that write and cannot be analysed
}

// Database is a database's queries with their verdicts.
type Database struct {
	Catalog *catalog.Catalog
	Queries []*Query
	Facts   *Facts
}
