package verdict

import (
	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/syntax"
)

// chosenBySnapshot returns the CASE conditions in a SET that read the table's snapshot: the branch is
// chosen once, and not again after a lock wait.
func (j *judge) chosenBySnapshot() []Test {
	var all []Test
	for _, a := range j.write.Assigned {
		syntax.Walk(a.Value, func(n *pg.Node) bool {
			c := n.GetCaseExpr()
			if c == nil {
				return true
			}
			asked := []*pg.Node{c.GetArg()}
			for _, when := range c.GetArgs() {
				asked = append(asked, when.GetCaseWhen().GetExpr())
			}
			for _, n := range asked {
				if columns := j.staleColumns(n); len(columns) > 0 {
					all = append(all, Test{Class: Stale, Columns: columns, Offset: syntax.Start(n),
						Source: reading.Condition{Node: n, Block: j.write.Block}})
				}
			}
			return true
		})
	}
	return all
}

// snapshots returns the stale tests of a write; for a condition with a subselect, those inside it.
func (j *judge) snapshots(tests []Test) []Test {
	var all []Test
	for _, t := range tests {
		if t.Class != Stale {
			continue
		}
		inner := j.within(t.Source)
		if len(inner) == 0 {
			inner = []Test{t}
		}
		all = append(all, inner...)
	}
	return all
}

// within returns the stale tests in the subselects of a condition.
func (j *judge) within(c reading.Condition) []Test {
	var all []Test
	syntax.Walk(c.Node, func(n *pg.Node) bool {
		link := n.GetSubLink()
		if link == nil {
			return true
		}
		for _, t := range j.upstream([]*reading.Block{j.statement.Sub(link, c.Block)}) {
			if t.Class == Stale {
				all = append(all, t)
			}
		}
		return false
	})
	return all
}

// staleColumns returns the mutable columns of the table that n reads from the snapshot.
func (j *judge) staleColumns(n *pg.Node) []string {
	var columns []string
	if n == nil {
		return nil
	}
	for _, s := range j.sources(n) {
		if j.stale(s) && !j.keyColumn(s.Column) && (j.changes(s.Column) || j.facts.Mutable(j.table, s.Column)) {
			columns = append(columns, s.Column)
		}
	}
	return columns
}
