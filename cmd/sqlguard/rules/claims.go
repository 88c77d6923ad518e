package rules

import (
	"slices"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/syntax"
	"waybill/cmd/sqlguard/verdict"
)

// claim is one comparison: subject operator value.
type claim struct {
	subject  string // a column of the table, or the key of an expression
	operator string
	value    string
	constant bool
}

// claimsOf returns the claims in a write's conditions, and in those of the blocks of the same table
// that feed it.
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

// insertedClaims returns the claims that follow from a conflict: the existing row has the inserted
// values in the columns of the conflict target.
func insertedClaims(w *verdict.Write) []claim {
	var all []claim
	for _, column := range w.Conflict {
		if n := w.InsertedNode[column]; n != nil {
			if f := syntax.Bare(n).
				GetFuncCall(); f != nil && syntax.Last(f.GetFuncname()) == "unnest" && len(f.GetArgs()) == 1 {
				all = append(all, claim{column, "= any", syntax.Key(f.GetArgs()[0]), false})
				continue
			}
			all = append(all, claim{column, "=", syntax.Key(n), syntax.Bare(n).GetAConst() != nil})
		}
	}
	return all
}

var negated = map[string]string{"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=",
	"<=": ">", "= any": "<> all", "<> all": "= any",
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
			pg.BoolTestType_IS_TRUE: "true", pg.BoolTestType_IS_FALSE: "false", pg.BoolTestType_IS_NOT_TRUE: "false",
			pg.BoolTestType_IS_NOT_FALSE: "true",
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
	c := claim{subject: subjectOf(w, e.GetLexpr(), b), operator: syntax.Last(e.GetName()),
		value: syntax.Key(e.GetRexpr())}
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

// subjectOf returns a column of the written table, or the expression itself if it reads no row.
func subjectOf(w *verdict.Write, n *pg.Node, b *reading.Block) string {
	n = syntax.Bare(n)
	from := w.Statement.Direct(n, b)
	if n.GetColumnRef() != nil && len(from) == 1 && from[0].Relation != nil &&
		from[0].Relation.Table == w.Target.Table {
		return from[0].Column
	}
	if slices.ContainsFunc(from, func(s reading.Source) bool { return s.Origin != reading.FromParam }) || n == nil ||
		holdsSubselect(n) {
		return ""
	}
	return syntax.Key(n)
}

// excluded maps an operator to those that cannot hold for the same value at the same time.
var excluded = map[string][]string{"=": {"<>", "<", ">"}, "<": {">=", ">", "="},
	">": {"<=", "<", "="}, "<=": {">"}, ">=": {"<"}, "<>": {"="},
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
