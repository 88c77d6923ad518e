package rules

import (
	"slices"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/syntax"
	"waybill/cmd/sqlguard/verdict"
)

// apart reports whether two writes of a statement cannot mean the same row: their
// conditions exclude each other on the snapshot that both see, one of them is of what
// the other did not find, or it inserts what the other returned under another key.
func apart(a, b *verdict.Write) bool {
	return contradict(claimsOf(a), claimsOf(b)) || without(a, b) || without(b, a) || insertsFrom(a, b) || insertsFrom(b, a) || joinsElsewhere(a, b) || joinsElsewhere(b, a)
}

// claim is what one condition says: subject operator value.
type claim struct {
	subject  string // a column of the table, or the key of an expression
	operator string
	value    string
	constant bool
}

// claimsOf are the claims of a write's conditions, and of those of the same table that
// feed it.
func claimsOf(w *verdict.Write) []claim {
	conditions := slices.Clone(w.Conditions)
	for _, t := range append(w.Of(verdict.Stale), w.Guards()...) {
		conditions = append(conditions, t.Source)
	}
	for _, b := range reading.Upstream(w.Block.Inputs...) {
		if w.Op != reading.Upsert {
			conditions = append(conditions, b.Conditions...)
		}
	}
	var all []claim
	for _, c := range conditions {
		if c.Node != nil && !c.Outer {
			all = append(all, claimed(w, c.Node, c.Block, false)...)
		}
	}
	if w.Op == reading.Upsert {
		all = append(all, insertedClaims(w)...)
	}
	return all
}

// insertedClaims: the row of a conflict has what was to be inserted in its columns.
func insertedClaims(w *verdict.Write) []claim {
	var all []claim
	for _, column := range w.Conflict {
		if n := w.InsertedNode[column]; n != nil {
			if f := syntax.Bare(n).GetFuncCall(); f != nil && syntax.Last(f.GetFuncname()) == "unnest" && len(f.GetArgs()) == 1 {
				all = append(all, claim{column, "= any", syntax.Key(f.GetArgs()[0]), false})
				continue
			}
			all = append(all, claim{column, "=", syntax.Key(n), syntax.Bare(n).GetAConst() != nil})
		}
	}
	return all
}

var negated = map[string]string{"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">", "= any": "<> all", "<> all": "= any",
	"null": "not null", "not null": "null", "true": "false", "false": "true"}

func claimed(w *verdict.Write, n *pg.Node, b *reading.Block, not bool) []claim {
	n = syntax.Bare(n)
	c := claim{}
	switch x := n.GetNode().(type) {
	case *pg.Node_BoolExpr:
		if x.BoolExpr.GetBoolop() == pg.BoolExprType_NOT_EXPR && len(x.BoolExpr.GetArgs()) == 1 {
			return claimed(w, x.BoolExpr.GetArgs()[0], b, !not)
		}
		return nil
	case *pg.Node_NullTest:
		c = claim{subject: subjectOf(w, x.NullTest.GetArg(), b), operator: "null"}
		if x.NullTest.GetNulltesttype() == pg.NullTestType_IS_NOT_NULL {
			c.operator = "not null"
		}
	case *pg.Node_BooleanTest:
		c = claim{subject: subjectOf(w, x.BooleanTest.GetArg(), b), operator: map[pg.BoolTestType]string{
			pg.BoolTestType_IS_TRUE: "true", pg.BoolTestType_IS_FALSE: "false", pg.BoolTestType_IS_NOT_TRUE: "false", pg.BoolTestType_IS_NOT_FALSE: "true",
		}[x.BooleanTest.GetBooltesttype()]}
	case *pg.Node_AExpr:
		c = comparison(w, x.AExpr, b)
	default:
		c = claim{subject: subjectOf(w, n, b), operator: "true"}
	}
	if not {
		c.operator = negated[c.operator]
	}
	if c.subject == "" || c.operator == "" {
		return nil
	}
	return []claim{c}
}

func comparison(w *verdict.Write, e *pg.A_Expr, b *reading.Block) claim {
	c := claim{subject: subjectOf(w, e.GetLexpr(), b), operator: syntax.Last(e.GetName()), value: syntax.Key(e.GetRexpr())}
	c.constant = syntax.Bare(e.GetRexpr()).GetAConst() != nil
	switch e.GetKind() {
	case pg.A_Expr_Kind_AEXPR_OP:
	case pg.A_Expr_Kind_AEXPR_DISTINCT:
		c.operator = "<>"
	case pg.A_Expr_Kind_AEXPR_NOT_DISTINCT:
		c.operator = "="
	case pg.A_Expr_Kind_AEXPR_OP_ANY:
		c.operator += " any"
	case pg.A_Expr_Kind_AEXPR_OP_ALL:
		c.operator += " all"
	case pg.A_Expr_Kind_AEXPR_IN:
		c.operator += map[string]string{"=": " any", "<>": " all"}[c.operator]
	default:
		return claim{}
	}
	if v := syntax.Bare(e.GetRexpr()).GetAConst().GetBoolval(); v != nil && c.operator == "=" {
		c.operator = map[bool]string{true: "true", false: "false"}[v.GetBoolval()]
	}
	return c
}

// subjectOf is a column of the written table, or else the expression itself where it
// reads no row at all.
func subjectOf(w *verdict.Write, n *pg.Node, b *reading.Block) string {
	n = syntax.Bare(n)
	from := w.Statement.Direct(n, b)
	if n.GetColumnRef() != nil && len(from) == 1 && from[0].Relation != nil && from[0].Relation.Table == w.Target.Table {
		return from[0].Column
	}
	if slices.ContainsFunc(from, func(s reading.Source) bool { return s.Origin != reading.FromParam }) || n == nil || holdsSubselect(n) {
		return ""
	}
	return syntax.Key(n)
}

// excluded are the operators that cannot hold beside one, of one value.
var excluded = map[string][]string{"=": {"<>", "<", ">"}, "<": {">=", ">", "="}, ">": {"<=", "<", "="}, "<=": {">"}, ">=": {"<"}, "<>": {"="},
	"= any": {"<> all"}, "<> all": {"= any"}}

func contradict(a, b []claim) bool {
	for _, x := range a {
		for _, y := range b {
			if x.subject == y.subject && (contradicts(x, y) || contradicts(y, x)) {
				return true
			}
		}
	}
	return false
}

func contradicts(x, y claim) bool {
	switch {
	case x.operator == "null" || x.operator == "true":
		return y.operator == negated[x.operator] || x.operator == "null" && (y.operator == "=" || y.operator == "= any")
	case x.operator == "=" && y.operator == "=":
		return x.constant && y.constant && x.value != y.value
	}
	return x.value == y.value && slices.Contains(excluded[x.operator], y.operator)
}

// without reports whether one write is only of what another did not find: NOT EXISTS
// (the other), NOT IN (the other), or where the number of its rows is 0. It is also
// where the other takes its rows from a CTE, and this one those that are not in it.
func without(w, other *verdict.Write) bool {
	for _, c := range append(slices.Clone(w.Conditions), inputConditions(w)...) {
		found := false
		syntax.Walk(c.Node, func(n *pg.Node) bool {
			link := n.GetSubLink()
			found = found || link != nil && reads(w.Statement.Sub(link, c.Block), other)
			return !found && link == nil
		})
		if found && saysNone(c.Node) {
			return true
		}
	}
	return false
}

// inputConditions are the conditions of what feeds a write, or an upsert.
func inputConditions(w *verdict.Write) []reading.Condition {
	var all []reading.Condition
	for _, b := range reading.Upstream(w.Feeds()...) {
		all = append(all, b.Conditions...)
	}
	return all
}

func reads(b *reading.Block, other *verdict.Write) bool {
	taken := reading.Upstream(other.Feeds()...)
	return slices.ContainsFunc(reading.Upstream(b), func(b *reading.Block) bool {
		return b.Node == other.Node || b.InCTE && slices.Contains(taken, b)
	})
}

// saysNone: NOT (…), c NOT IN (…), c <> ALL (…), (SELECT count(*) …) = 0.
func saysNone(n *pg.Node) bool {
	n = syntax.Bare(n)
	if n.GetBoolExpr().GetBoolop() == pg.BoolExprType_NOT_EXPR {
		return true
	}
	if link := n.GetSubLink(); link.GetSubLinkType() == pg.SubLinkType_ALL_SUBLINK {
		return syntax.Last(link.GetOperName()) == "<>"
	}
	zero := syntax.Bare(n.GetAExpr().GetRexpr()).GetAConst()
	return syntax.Operator(n) == "=" && zero.GetIval() != nil && zero.GetIval().GetIval() == 0
}

// insertsFrom reports whether w is an upsert of what the other returned, under a key
// that is not read from it.
func insertsFrom(w, other *verdict.Write) bool {
	return w.Op == reading.Upsert && w.Again == nil && slices.ContainsFunc(reading.Upstream(w.Feeds()...), func(b *reading.Block) bool { return b.Node == other.Node })
}

// joinsElsewhere reports whether w finds its rows by what the other returned, but not by
// the same column: the children of the rows that the other wrote.
func joinsElsewhere(w, other *verdict.Write) bool {
	joined := false
	for _, c := range w.Conditions {
		for _, p := range paired(w.Statement, c) {
			if p[0].Relation != w.Target || p[1].Relation.Table != w.Target.Table || p[1].Relation != other.Target {
				continue
			}
			if p[0].Column == p[1].Column {
				return false
			}
			joined = true
		}
	}
	return joined
}
