package verdict

import (
	"slices"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/syntax"
)

// leaf classifies a condition without AND, OR or NOT.
func (j *judge) leaf(n *pg.Node, b *reading.Block, not bool) Test {
	direct := j.statement.Direct(n, b)
	t := Test{Columns: j.columnsIn(direct)}
	if j.tautology(n, b, not) {
		t.Class = Tautology
		return t
	}
	if inner := j.links(n, b); inner.Class > Irrelevant {
		return inner
	}
	switch {
	case len(t.Columns) == 0:
	case j.noop(n, b, not):
		t.Class = Noop
	case j.withItself(direct):
		t.Class = Identity
	case j.withSnapshot(direct):
		t.Class = Stale
	default:
		t.Class, t.Kind = j.byColumns(n, t.Columns, direct, not)
		t.Fixed = t.Class == Scope && (n.GetNullTest() != nil || n.GetColumnRef() != nil) &&
			!slices.ContainsFunc(direct, func(s reading.Source) bool { return !j.subject(s) })
		if t.Class == Guard && selfDefault(n) {
			t.Class, t.Kind, t.Lost = Optional, "", true
		}
	}
	return t
}

// columnsIn returns the subject's columns among the sources.
func (j *judge) columnsIn(from []reading.Source) []string {
	var columns []string
	for _, s := range from {
		if j.subject(s) && !slices.Contains(columns, s.Column) {
			columns = append(columns, s.Column)
		}
	}
	return columns
}

// byColumns classifies a condition by the columns that it reads.
func (j *judge) byColumns(n *pg.Node, columns []string, direct []reading.Source, not bool) (TestClass, Kind) {
	if j.all(columns, j.conflict) {
		return Identity, ""
	}
	if j.any(columns, j.changes) {
		return Guard, CAS
	}
	moved := func(c string) bool {
		return !j.keyColumn(c) && j.facts.Mutable(j.table, c) && !j.belongs(n, c, direct)
	}
	if j.any(columns, moved) {
		return Guard, j.kind(n, columns, direct)
	}
	if j.any(columns, j.keyColumn) && !differs(n, not) {
		return Identity, ""
	}
	return Scope, ""
}

func (j *judge) all(columns []string, is func(string) bool) bool {
	return !j.any(columns, func(c string) bool { return !is(c) })
}

func (j *judge) any(columns []string, is func(string) bool) bool {
	return slices.ContainsFunc(columns, is)
}

// conflict reports whether the column belongs to the conflict target, so that it equals the inserted
// value.
func (j *judge) conflict(column string) bool { return slices.Contains(j.write.Conflict, column) }

// changes reports whether the write changes the column, or one that it is computed from.
func (j *judge) changes(column string) bool {
	if column == "" || column == "xmin" { // the whole row, or its last writer
		return len(j.written) > 0
	}
	return j.any(j.table.Base(column), func(c string) bool { return j.written[c] })
}

// keyColumn reports whether a column identifies the row: it belongs to a key and, if queries change it,
// to a key that is named as a whole.
func (j *judge) keyColumn(column string) bool {
	for _, k := range j.table.Keys {
		if !slices.Contains(k.Columns, column) {
			continue
		}
		if !j.facts.Mutable(j.table, column) || k.Covered(func(c string) bool { return j.tested[c] }) {
			return true
		}
	}
	return column == "ctid" || !j.table.Known() && column == "id"
}

// kind distinguishes a token that others change from a state that is left as it is.
func (j *judge) kind(n *pg.Node, columns []string, direct []reading.Source) Kind {
	if j.write.Op == reading.Delete {
		return CAS
	}
	given := j.hasLink(n)
	for _, s := range direct {
		if s.Origin == reading.FromClock {
			return Liveness
		}
		given = given || !j.subject(s)
	}
	if !given || ordering(n) && j.any(columns, j.isTime) {
		return Liveness
	}
	return Fence
}

func ordering(n *pg.Node) bool {
	return slices.Contains([]string{"<", ">", "<=", ">="}, syntax.Operator(n))
}

func (j *judge) isTime(column string) bool {
	c := j.table.Column(column)
	return c != nil && slices.Contains([]string{"timestamptz", "timestamp", "date"}, c.Type)
}
