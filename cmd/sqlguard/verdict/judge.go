package verdict

import (
	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/catalog"
	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/syntax"
)

// judge classifies one write.
type judge struct {
	facts     *Facts
	statement *reading.Statement
	write     *reading.Write
	target    *reading.Relation
	table     *catalog.Table

	written map[string]bool     // columns that the write changes
	values  map[string][]string // the keys of the values assigned to a column
	whose   subject             // the subject whose columns are asked for
	tested  map[string]bool     // the subject's columns that any condition reads
	asked   map[question]map[string]bool
}

// subject is what a condition is about: the target's rows themselves, or the same rows as a SELECT read
// them.
type subject uint8

const (
	ownRows subject = iota
	lockedRows
	staleRows
)

// question identifies a cached set of a subject's columns that some conditions read.
type question struct {
	whose subject
	first *pg.Node // the first of the conditions
}

func (j *judge) subject(s reading.Source) bool {
	switch j.whose {
	case lockedRows:
		return j.locked(s)
	case staleRows:
		return j.stale(s)
	}
	return j.own(s)
}

func judged(f *Facts, s *reading.Statement, w *reading.Write) *Write {
	j := &judge{facts: f, statement: s, write: w, target: w.Target, table: w.Target.Table,
		asked: map[question]map[string]bool{}}
	out := &Write{Write: w, Statement: s, Facts: f, Columns: j.columns()}
	if w.Op != reading.Delete {
		out.Triggered = f.triggers(j.table)
	}
	j.writes(out.Columns, out.Triggered)
	out.Tests = j.tests()
	out.Snapshots = j.snapshots(out.Tests)
	out.Retested = j.retested()
	out.Keys = j.keys()
	out.Kind = strongest(out.Guards())
	out.Verdict = j.verdict(out)
	return out
}

// writes records which columns change, and to which values.
func (j *judge) writes(columns []Column, triggered []string) {
	j.written, j.values = map[string]bool{}, map[string][]string{}
	for _, c := range columns {
		if c.Class == Touch {
			continue
		}
		j.written[c.Column] = true
		if c.Value != nil && !c.Part {
			j.values[c.Column] = j.valueKeys(c)
		}
	}
	for _, c := range triggered {
		j.written[c] = true
	}
}

// valueKeys returns the expressions that stand for a column's new value: the expression itself, the
// caller's part of a patch, or the inserted value for EXCLUDED.c.
func (j *judge) valueKeys(c Column) []string {
	keys := []string{syntax.Key(c.Value)}
	value := syntax.Bare(c.Value)
	if args := value.GetCoalesceExpr().GetArgs(); len(args) > 0 {
		keys = append(keys, syntax.Key(args[0]))
	}
	if names := syntax.Names(value.GetColumnRef().GetFields()); len(names) == 2 && names[0] == "excluded" {
		if key, ok := j.write.Inserted[names[1]]; ok {
			keys = append(keys, key)
		}
	}
	return keys
}

// own reports whether the source is the written row, as PostgreSQL finds it once it holds the lock.
func (j *judge) own(s reading.Source) bool {
	return s.Origin == reading.FromColumn && s.Relation == j.target
}

// locked reports whether the source is a row of the table that a SELECT of the statement locked before.
func (j *judge) locked(s reading.Source) bool {
	return j.elsewhere(s) && s.Relation.Locked
}

// stale reports whether the source is a row of the table in the statement's snapshot.
func (j *judge) stale(s reading.Source) bool {
	return j.elsewhere(s) && !s.Relation.Locked && !s.Relation.Written
}

func (j *judge) elsewhere(s reading.Source) bool {
	return s.Origin == reading.FromColumn && s.Relation != j.target && s.Relation.Table == j.table
}

// current reports whether the source is the row's current state, including rows that another part of
// the statement wrote and returned.
func (j *judge) current(s reading.Source) bool {
	return j.own(s) || j.locked(s) || j.elsewhere(s) && s.Relation.Written
}

func (j *judge) sources(n *pg.Node) []reading.Source {
	return j.statement.Sources(n, j.write.Block)
}
