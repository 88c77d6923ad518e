package rules

import (
	"regexp"
	"slices"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/syntax"
	"waybill/cmd/sqlguard/verdict"
)

// newestWins reports whether a guard requires the written value to be newer than the stored one. If it
// fails, the caller's value is out of date and nothing is lost.
func newestWins(w *verdict.Write) bool {
	found := false
	for _, t := range w.Guards() {
		switch {
		case t.Kind == verdict.Liveness:
		case len(names([]verdict.Test{t})) == 1 && comparesWritten(w, t):
			found = true
		default:
			return false
		}
	}
	return found
}

// comparesWritten reports whether a test orders its column against the value written to it, or against
// the current time if a time is written.
func comparesWritten(w *verdict.Write, t verdict.Test) bool {
	var written *pg.Node
	for _, c := range w.Columns {
		if c.Column == t.Columns[0] && !c.Part {
			written = c.Value
		}
	}
	found := false
	syntax.Walk(t.Source.Node, func(n *pg.Node) bool {
		e := n.GetAExpr()
		if e != nil && slices.Contains([]string{"<", ">", "<=", ">="}, syntax.Operator(n)) {
			found = found || syntax.Key(e.GetLexpr()) == syntax.Key(written) ||
				syntax.Key(e.GetRexpr()) == syntax.Key(written) ||
				reading.Clock(syntax.Bare(written)) && onlyClock(w, t)
		}
		return !found
	})
	return found
}

// onlyClock reports whether a test compares its column only with the current time.
func onlyClock(w *verdict.Write, t verdict.Test) bool {
	return !slices.ContainsFunc(w.Statement.Direct(t.Source.Node, t.Source.Block), func(s reading.Source) bool {
		return s.Origin == reading.FromElsewhere || s.Relation != nil && s.Relation != w.Target
	})
}

// claims matches columns that record who was first: for them the second caller has lost.
var claims = regexp.MustCompile(`(?i)redeem|use[ds]?(_|$)|claim|consum|accept|taken?(_|$)|spent|paid|` +
	`charg|reserv|book|grant|won(_|$)|assign|leas|lock|pick|start|beg[au]n`)

// alreadySo reports whether a write of fixed values tests that it has not happened yet, like SET
// deleted_at = now() WHERE deleted_at IS NULL. If it affects no row, the goal is already reached.
func alreadySo(w *verdict.Write) bool {
	if w.Op != reading.Update || len(w.Set(verdict.RelativeSet, verdict.PatchSet, verdict.AbsoluteSet)) > 0 {
		return false
	}
	found := false
	for _, t := range w.Guards() {
		switch {
		case t.Kind == verdict.Liveness:
		case notYet(t.Source.Node) && len(names([]verdict.Test{t})) == 1 && !claims.MatchString(t.Columns[0]):
			found = true
		default:
			return false
		}
	}
	return found
}

// notYet matches c IS NULL, NOT c, c = false and c IS NOT TRUE.
func notYet(n *pg.Node) bool {
	n = syntax.Bare(n)
	switch {
	case n.GetNullTest() != nil:
		return n.GetNullTest().GetNulltesttype() == pg.NullTestType_IS_NULL
	case n.GetBooleanTest() != nil:
		return slices.Contains([]pg.BoolTestType{pg.BoolTestType_IS_FALSE, pg.BoolTestType_IS_NOT_TRUE},
			n.GetBooleanTest().GetBooltesttype())
	case n.GetBoolExpr().GetBoolop() == pg.BoolExprType_NOT_EXPR:
		return syntax.Bare(n.GetBoolExpr().GetArgs()[0]).GetColumnRef() != nil
	}
	constant := syntax.Bare(n.GetAExpr().GetRexpr()).GetAConst().GetBoolval()
	return constant != nil && !constant.GetBoolval() && syntax.Operator(n) == "="
}
