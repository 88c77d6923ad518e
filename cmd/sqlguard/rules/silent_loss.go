package rules

import (
	"regexp"
	"slices"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/syntax"
	"waybill/cmd/sqlguard/verdict"
)

var silentLoss = &Rule{
	ID: "silent-loss", Severity: Warning,
	Summary: "A guarded write whose caller cannot know that it lost.",
	check:   checkSilentLoss,
}

func checkSilentLoss(c *check) {
	advice := &Advice{Kind: TellLoss, Text: "-- name: " + c.query.Name + " :execrows   (or :one with RETURNING)"}
	switch c.query.Command {
	case ":exec":
	case ":batchexec": // sqlc has no :batchexecrows
		advice.Text = "-- name: " + c.query.Name + " :batchone, with RETURNING"
	default:
		return
	}
	for _, w := range c.query.Writes {
		if !w.Verdict.Guarded() || w.Function != "" || cleansUp(w) || alreadySo(w) || overwritesBehind(w) {
			continue
		}
		f := c.on(w, "The write does nothing where its guard fails, and "+c.query.Command+" does not tell.",
			"The caller takes a lost write for one that was made.")
		f.Advice = advice
		if w.Verdict != verdict.Conditional || w.Kind == verdict.Liveness {
			f.Severity = Note
		}
	}
}

// cleansUp: a DELETE of whatever is in a state, not of a row that the caller named.
func cleansUp(w *verdict.Write) bool { return w.Op == reading.Delete && len(w.Keys) == 0 }

// claims are columns that say who was first: there the second has lost something.
var claims = regexp.MustCompile(`(?i)redeem|use[ds]?(_|$)|claim|consum|accept|taken?(_|$)|spent|paid|charg|reserv|book|grant|won(_|$)|assign|leas|lock|pick|start|beg[au]n`)

// alreadySo: a write of fixed values behind tests whether it has been made yet, like
// SET deleted_at = now() WHERE deleted_at IS NULL. Where it does nothing, all is as wanted.
func alreadySo(w *verdict.Write) bool {
	if w.Op != reading.Update || len(w.Set(verdict.RelativeSet, verdict.PatchSet, verdict.AbsoluteSet)) > 0 {
		return false
	}
	found := false
	for _, t := range w.Guards() {
		switch {
		case t.Kind == verdict.Liveness:
		case notYet(t.Source.Node) && len(t.Columns) == 1 && !claims.MatchString(t.Columns[0]):
			found = true
		default:
			return false
		}
	}
	return found
}

// notYet: c IS NULL, NOT c, c = false, c IS NOT TRUE.
func notYet(n *pg.Node) bool {
	n = syntax.Bare(n)
	switch {
	case n.GetNullTest() != nil:
		return n.GetNullTest().GetNulltesttype() == pg.NullTestType_IS_NULL
	case n.GetBooleanTest() != nil:
		return slices.Contains([]pg.BoolTestType{pg.BoolTestType_IS_FALSE, pg.BoolTestType_IS_NOT_TRUE}, n.GetBooleanTest().GetBooltesttype())
	case n.GetBoolExpr().GetBoolop() == pg.BoolExprType_NOT_EXPR:
		return syntax.Bare(n.GetBoolExpr().GetArgs()[0]).GetColumnRef() != nil
	}
	constant := syntax.Bare(n.GetAExpr().GetRexpr()).GetAConst().GetBoolval()
	return constant != nil && !constant.GetBoolval() && syntax.Operator(n) == "="
}
