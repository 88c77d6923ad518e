package verdict

import (
	"slices"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/syntax"
)

// renewed evaluates a guard after the write. If it is true again, it lets the next caller through: it
// still counts if another write of the project makes it false, and otherwise is no guard.
func (j *judge) renewed(c reading.Condition, t Test) Test {
	if t.Class != Guard || t.Kind != CAS || j.write.Op == reading.Delete {
		return t
	}
	if j.after(c.Node, c.Block, assigned(j.write)) != yes {
		return t
	}
	for _, w := range j.facts.writes[j.table] {
		set := assigned(w)
		touched := slices.ContainsFunc(t.Columns, func(column string) bool { return set[column] != nil })
		if w.Node != j.write.Node && touched && j.after(c.Node, c.Block, set) != yes {
			t.Repeats = true
			return t
		}
	}
	t.Class, t.Kind = Renewed, ""
	return t
}

// assigned returns the values that a write assigns to whole columns.
func assigned(w *reading.Write) map[string]*pg.Node {
	set := map[string]*pg.Node{}
	for _, a := range w.Assigned {
		if !a.Part && a.Value != nil {
			set[a.Column] = a.Value
		}
	}
	return set
}

// truth is a three-valued answer: yes, no or unknown.
type truth int8

const (
	unknown truth = iota
	yes
	no
)

func known(is bool) truth {
	if is {
		return yes
	}
	return no
}

func (t truth) not() truth { return [...]truth{unknown: unknown, yes: no, no: yes}[t] }

// after evaluates a condition on a row whose columns have been set.
func (j *judge) after(n *pg.Node, b *reading.Block, set map[string]*pg.Node) truth {
	n = syntax.Bare(n)
	switch x := n.GetNode().(type) {
	case *pg.Node_BoolExpr:
		return j.afterAll(x.BoolExpr, b, set)
	case *pg.Node_AConst:
		if v := x.AConst.GetBoolval(); v != nil {
			return known(v.GetBoolval())
		}
	case *pg.Node_ColumnRef:
		if v := set[j.plain(n, b)]; v != nil {
			return j.after(v, b, nil)
		}
	case *pg.Node_NullTest:
		column := j.plain(x.NullTest.GetArg(), b)
		is := j.isNull(column, set[column])
		if x.NullTest.GetNulltesttype() == pg.NullTestType_IS_NOT_NULL {
			is = is.not()
		}
		return is
	case *pg.Node_BooleanTest:
		return j.afterBoolean(x.BooleanTest, b, set)
	case *pg.Node_AExpr:
		return j.afterComparison(x.AExpr, b, set)
	}
	return unknown
}

func (j *judge) afterBoolean(t *pg.BooleanTest, b *reading.Block, set map[string]*pg.Node) truth {
	is := j.after(t.GetArg(), b, set)
	switch t.GetBooltesttype() {
	case pg.BoolTestType_IS_TRUE, pg.BoolTestType_IS_NOT_FALSE:
		return is
	case pg.BoolTestType_IS_FALSE, pg.BoolTestType_IS_NOT_TRUE:
		return is.not()
	}
	return unknown
}

func (j *judge) afterAll(e *pg.BoolExpr, b *reading.Block, set map[string]*pg.Node) truth {
	if e.GetBoolop() == pg.BoolExprType_NOT_EXPR {
		return j.after(e.GetArgs()[0], b, set).not()
	}
	decides := known(e.GetBoolop() == pg.BoolExprType_OR_EXPR)
	all := decides.not()
	for _, arg := range e.GetArgs() {
		switch j.after(arg, b, set) {
		case decides:
			return decides
		case unknown:
			all = unknown
		}
	}
	return all
}

// isNull evaluates whether a column is null after it was set to value.
func (j *judge) isNull(column string, value *pg.Node) truth {
	if c := j.table.Column(column); c != nil && c.NotNull {
		return no
	}
	if value == nil {
		return unknown
	}
	constant := syntax.Bare(value).GetAConst()
	if constant != nil {
		return known(constant.GetIsnull())
	}
	if isClock(value) {
		return no
	}
	return unknown
}

func (j *judge) afterComparison(e *pg.A_Expr, b *reading.Block, set map[string]*pg.Node) truth {
	operator := syntax.Last(e.GetName())
	if v := set[j.plain(e.GetLexpr(), b)]; v != nil {
		return compared(v, operator, e)
	}
	v, mirrored := set[j.plain(e.GetRexpr(), b)], mirror[operator]
	if v == nil || mirrored == "" || e.GetKind() != pg.A_Expr_Kind_AEXPR_OP {
		return unknown
	}
	return compared(v, mirrored, &pg.A_Expr{Kind: e.GetKind(), Rexpr: e.GetLexpr()})
}

var mirror = map[string]string{"=": "=", "<>": "<>", "<": ">", ">": "<", "<=": ">=", ">=": "<="}

// timeGoesOn maps a comparison of a moment with the current time to its eventual result.
var timeGoesOn = map[string]truth{"<": yes, "<=": yes, ">": no, ">=": no}

// compared evaluates a comparison of the value with e's right side.
func compared(value *pg.Node, operator string, e *pg.A_Expr) truth {
	switch e.GetKind() {
	case pg.A_Expr_Kind_AEXPR_OP, pg.A_Expr_Kind_AEXPR_DISTINCT, pg.A_Expr_Kind_AEXPR_NOT_DISTINCT:
		if isClock(value) && isClock(e.GetRexpr()) {
			return timeGoesOn[operator]
		}
		return equals(value, operator, e)
	case pg.A_Expr_Kind_AEXPR_IN:
		return among(value, e.GetRexpr().GetList().GetItems(), operator == "=")
	case pg.A_Expr_Kind_AEXPR_OP_ANY, pg.A_Expr_Kind_AEXPR_OP_ALL:
		array := syntax.Bare(e.GetRexpr()).GetAArrayExpr()
		if array != nil && (operator == "=") == (e.GetKind() == pg.A_Expr_Kind_AEXPR_OP_ANY) {
			return among(value, array.GetElements(), operator == "=")
		}
	}
	return unknown
}

// equals compares two constants.
func equals(value *pg.Node, operator string, e *pg.A_Expr) truth {
	same := sameConstant(value, e.GetRexpr())
	switch {
	case e.GetKind() == pg.A_Expr_Kind_AEXPR_NOT_DISTINCT, e.GetKind() == pg.A_Expr_Kind_AEXPR_OP && operator == "=":
		return same
	case e.GetKind() == pg.A_Expr_Kind_AEXPR_DISTINCT, operator == "<>":
		return same.not()
	}
	return unknown
}

func among(value *pg.Node, list []*pg.Node, in bool) truth {
	found := no
	for _, item := range list {
		switch sameConstant(value, item) {
		case yes:
			return known(in)
		case unknown:
			found = unknown
		}
	}
	if in {
		return found
	}
	return found.not()
}

// sameConstant reports whether two constants are equal; unknown for anything else.
func sameConstant(a, b *pg.Node) truth {
	x, y := syntax.Bare(a).GetAConst(), syntax.Bare(b).GetAConst()
	if x == nil || y == nil || x.GetIsnull() || y.GetIsnull() {
		return unknown
	}
	return known(syntax.Key(a) == syntax.Key(b))
}

// isClock reports whether n is only the current time.
func isClock(n *pg.Node) bool {
	n = syntax.Bare(n)
	return reading.Clock(n)
}

// implied reports whether c IS NOT NULL is already implied by an equation of c.
func (j *judge) implied(c reading.Condition) bool {
	t := syntax.Bare(c.Node).GetNullTest()
	if t.GetNulltesttype() != pg.NullTestType_IS_NOT_NULL {
		return false
	}
	column := j.plain(t.GetArg(), c.Block)
	return column != "" && slices.ContainsFunc(j.write.Conditions, func(other reading.Condition) bool {
		e := other.Node.GetAExpr()
		return equality(other.Node) && e.GetKind() != pg.A_Expr_Kind_AEXPR_NOT_DISTINCT && e != nil && !other.Outer &&
			(j.plain(e.GetLexpr(), other.Block) == column || j.plain(e.GetRexpr(), other.Block) == column)
	})
}
