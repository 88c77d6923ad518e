package verdict

import (
	"slices"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/syntax"
)

// columns classifies the assignments of a write.
func (j *judge) columns() []Column {
	var all []Column
	for _, a := range j.write.Assigned {
		all = append(all, Column{a, j.class(a)})
	}
	return all
}

func (j *judge) class(a reading.Assignment) Class {
	if a.Part && a.Field == "" { // the rest of the array or document is kept
		return RelativeSet
	}
	if a.Value == nil {
		return j.profile(a.Column, a.From)
	}
	return j.expression(a.Column, a.Value)
}

// expression classifies SET column = n.
func (j *judge) expression(column string, n *pg.Node) Class {
	n = syntax.Bare(n)
	switch x := n.GetNode().(type) {
	case *pg.Node_ColumnRef:
		if from := j.sources(n); len(from) == 1 && j.own(from[0]) && from[0].Column == column {
			return Touch
		}
	case *pg.Node_CoalesceExpr:
		return j.coalesce(column, x.CoalesceExpr)
	case *pg.Node_CaseExpr:
		return j.cases(column, x.CaseExpr)
	case *pg.Node_AExpr:
		if x.AExpr.GetKind() == pg.A_Expr_Kind_AEXPR_OP {
			return j.computed(column, n)
		}
	case *pg.Node_FuncCall:
		return j.computed(column, n)
	}
	return j.profile(column, j.sources(n))
}

// coalesce distinguishes write-once, COALESCE(own, x), from a patch, COALESCE(x, own).
func (j *judge) coalesce(column string, c *pg.CoalesceExpr) Class {
	worst := Touch
	for i, arg := range c.GetArgs() {
		class := j.expression(column, arg)
		own := j.reads(column, arg)
		switch {
		case own && i == 0:
			return max(RelativeSet, min(class, PatchSet))
		case own:
			return PatchSet
		}
		worst = max(worst, class)
	}
	return worst
}

// cases classifies a CASE: on the row's own state it is relative; otherwise the caller chooses between
// a new value and at best the old one.
func (j *judge) cases(column string, c *pg.CaseExpr) Class {
	conditions := []*pg.Node{c.GetArg()}
	branches := []*pg.Node{c.GetDefresult()}
	for _, n := range c.GetArgs() {
		conditions = append(conditions, n.GetCaseWhen().GetExpr())
		branches = append(branches, n.GetCaseWhen().GetResult())
	}
	var asked []reading.Source
	for _, n := range conditions {
		asked = append(asked, j.sources(n)...)
	}
	if slices.ContainsFunc(asked, j.current) {
		return RelativeSet
	}
	return j.chosen(column, branches, len(asked) > 0)
}

// chosen classifies the branches of a CASE that does not read the row's own state.
func (j *judge) chosen(column string, branches []*pg.Node, byCaller bool) Class {
	worst, own := Touch, false
	for _, n := range branches {
		class := ConstantSet
		if n != nil {
			class = j.expression(column, n)
		}
		own = own || j.reads(column, n)
		worst = max(worst, class)
	}
	switch {
	case own && worst == RelativeSet, worst == Touch:
		return worst
	case own:
		return PatchSet
	case byCaller:
		return AbsoluteSet
	}
	return worst
}

// computed classifies an operator or a function: computed only from a patch of its own value it is a
// patch; a time plus a fixed interval is a time.
func (j *judge) computed(column string, n *pg.Node) Class {
	operator := syntax.Operator(n)
	from := j.sources(n)
	switch {
	case j.onlyPatched(column, n):
		return PatchSet
	case (operator == "+" || operator == "-") && movedClock(from):
		return Clock
	}
	return j.profile(column, from)
}

// onlyPatched reports whether n reads the column only inside patches.
func (j *judge) onlyPatched(column string, n *pg.Node) bool {
	patched, bare := false, false
	syntax.Walk(n, func(n *pg.Node) bool {
		switch {
		case bare:
		case n.GetCoalesceExpr() != nil || n.GetCaseExpr() != nil:
			if j.reads(column, n) {
				patch := j.expression(column, n) == PatchSet
				patched, bare = patched || patch, bare || !patch
			}
			return false
		case n.GetColumnRef() != nil || n.GetSubLink() != nil:
			bare = j.reads(column, n)
			return false
		}
		return !bare
	})
	return patched && !bare
}

// movedClock reports whether all sources are the clock. With a parameter the caller decides how far the
// time is moved.
func movedClock(from []reading.Source) bool {
	return len(from) > 0 && !slices.ContainsFunc(from,
		func(s reading.Source) bool { return s.Origin != reading.FromClock })
}

// reads reports whether n reads the column from the written row.
func (j *judge) reads(column string, n *pg.Node) bool {
	return slices.ContainsFunc(j.sources(n), func(s reading.Source) bool {
		return j.current(s) && (s.Column == column || s.Column == "")
	})
}

// profile classifies a value by its sources alone.
func (j *judge) profile(column string, from []reading.Source) Class {
	var own, other, foreign, clock bool
	for _, s := range from {
		switch {
		case j.current(s) && (s.Column == column || s.Column == ""):
			own = true
		case j.current(s):
			other = true
		case s.Origin == reading.FromClock:
			clock = true
		default:
			foreign = true
		}
	}
	switch {
	case own:
		return RelativeSet
	case foreign:
		return AbsoluteSet
	case other:
		return RelativeSet
	case clock:
		return Clock
	}
	return ConstantSet
}
