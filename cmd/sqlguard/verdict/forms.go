package verdict

import (
	"slices"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/syntax"
)

// tautology reports whether a condition is always true: c = c, 1 = 1, or c IS NOT NULL on a NOT NULL
// column.
func (j *judge) tautology(n *pg.Node, b *reading.Block, not bool) bool {
	if isConstant(n, !not) {
		return true
	}
	if t := n.GetNullTest(); t != nil {
		return j.neverNull(t, b, not)
	}
	e := n.GetAExpr()
	if e == nil || not {
		return false
	}
	switch syntax.Operator(n) {
	case "=", ">=", "<=":
		return !j.hasLink(n) && compares(e) && syntax.Key(e.GetLexpr()) == syntax.Key(e.GetRexpr())
	}
	return false
}

func compares(e *pg.A_Expr) bool {
	return e.GetLexpr() != nil &&
		(e.GetKind() == pg.A_Expr_Kind_AEXPR_OP || e.GetKind() == pg.A_Expr_Kind_AEXPR_NOT_DISTINCT)
}

func (j *judge) neverNull(t *pg.NullTest, b *reading.Block, not bool) bool {
	if (t.GetNulltesttype() == pg.NullTestType_IS_NOT_NULL) == not {
		return false
	}
	column := j.plain(t.GetArg(), b)
	c := j.table.Column(column)
	return c != nil && c.NotNull
}

// plain returns the subject's column if n is a bare column reference, or "".
func (j *judge) plain(n *pg.Node, b *reading.Block) string {
	n = syntax.Bare(n)
	if n.GetColumnRef() == nil {
		return ""
	}
	if from := j.statement.Direct(n, b); len(from) == 1 && j.subject(from[0]) {
		return from[0].Column
	}
	return ""
}

// noop reports whether a condition only asks whether the write would change anything: c IS DISTINCT
// FROM the value that c is set to, in any spelling.
func (j *judge) noop(n *pg.Node, b *reading.Block, not bool) bool {
	e := n.GetAExpr()
	if e == nil || !asksForDifference(e, not) {
		return false
	}
	left, right := elements(e.GetLexpr()), elements(e.GetRexpr())
	if len(left) != len(right) {
		return false
	}
	for i := range left {
		if j.setTo(left[i], right[i], b) || j.setTo(right[i], left[i], b) {
			return true
		}
	}
	return j.wholeRow(e, b)
}

// asksForDifference matches a <> b, a IS DISTINCT FROM b, and their negated opposites.
func asksForDifference(e *pg.A_Expr, not bool) bool {
	switch e.GetKind() {
	case pg.A_Expr_Kind_AEXPR_DISTINCT:
		return !not
	case pg.A_Expr_Kind_AEXPR_NOT_DISTINCT:
		return not
	case pg.A_Expr_Kind_AEXPR_OP, pg.A_Expr_Kind_AEXPR_IN:
		operator := syntax.Last(e.GetName())
		return operator == "<>" && !not || operator == "=" && not
	}
	return false
}

// elements returns the fields of a row, the element of a one-element list, or else n itself.
func elements(n *pg.Node) []*pg.Node {
	n = syntax.Bare(n)
	if row := n.GetRowExpr(); row != nil {
		return row.GetArgs()
	}
	if list := n.GetList(); list != nil {
		return list.GetItems()
	}
	return []*pg.Node{n}
}

// setTo reports whether the write sets column to value.
func (j *judge) setTo(column, value *pg.Node, b *reading.Block) bool {
	name := j.plain(column, b)
	return name != "" && slices.Contains(j.values[name], syntax.Key(value))
}

// wholeRow matches t.* IS DISTINCT FROM EXCLUDED.*
func (j *judge) wholeRow(e *pg.A_Expr, b *reading.Block) bool {
	left := j.statement.Direct(e.GetLexpr(), b)
	return len(left) == 1 && j.subject(left[0]) && left[0].Column == "" && e.GetKind() == pg.A_Expr_Kind_AEXPR_DISTINCT
}

// selfDefault matches c = COALESCE(param, c), which is true if the caller omits the parameter.
func selfDefault(n *pg.Node) bool {
	e := n.GetAExpr()
	for _, pair := range [][2]*pg.Node{{e.GetLexpr(), e.GetRexpr()}, {e.GetRexpr(), e.GetLexpr()}} {
		column := syntax.Bare(pair[0])
		if column.GetColumnRef() == nil {
			continue
		}
		for _, arg := range syntax.Bare(pair[1]).GetCoalesceExpr().GetArgs() {
			if syntax.Key(arg) == syntax.Key(column) {
				return true
			}
		}
	}
	return false
}

// withItself reports whether the row is compared with what a locking SELECT read from the same column.
func (j *judge) withItself(direct []reading.Source) bool {
	seen, found := map[string]bool{}, false
	for _, s := range direct {
		if j.own(s) {
			seen[s.Column] = true
		}
	}
	for _, s := range direct {
		if !j.own(s) && !j.locked(s) {
			return false
		}
		found = found || j.locked(s) && seen[s.Column]
	}
	return found
}

// withSnapshot reports whether the row is compared with the snapshot's value of a mutable column.
func (j *judge) withSnapshot(direct []reading.Source) bool {
	return slices.ContainsFunc(direct, func(s reading.Source) bool {
		return j.stale(s) && !j.subject(s) && !j.keyColumn(s.Column) &&
			(j.changes(s.Column) || j.facts.Mutable(j.table, s.Column))
	})
}

func (j *judge) hasLink(n *pg.Node) bool {
	found := false
	syntax.Walk(n, func(n *pg.Node) bool {
		found = found || n.GetSubLink() != nil
		return !found
	})
	return found
}

// links classifies the subselects in a condition: a guard if they lock the rows that they test,
// otherwise stale.
func (j *judge) links(n *pg.Node, b *reading.Block) Test {
	best := Test{}
	syntax.Walk(n, func(n *pg.Node) bool {
		link := n.GetSubLink()
		if link == nil {
			return true
		}
		sub := j.statement.Sub(link, b)
		parts := j.upstream([]*reading.Block{sub})
		if link.GetSubLinkType() != pg.SubLinkType_EXISTS_SUBLINK {
			parts = append(parts, j.compared(sub))
		}
		for _, t := range parts {
			if t.Class > best.Class {
				best = t
			}
		}
		return false
	})
	return best
}

// compared classifies a comparison with a subselect's mutable columns of the same table: irrelevant,
// unless other conditions say more.
func (j *judge) compared(sub *reading.Block) Test {
	for _, o := range sub.Outputs {
		for _, s := range o.From {
			if j.stale(s) && !j.keyColumn(s.Column) && (j.changes(s.Column) || j.facts.Mutable(j.table, s.Column)) {
				return Test{Class: Stale, Columns: []string{s.Column}}
			}
		}
	}
	return Test{}
}
