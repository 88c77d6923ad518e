package rules

import (
	"slices"
	"strings"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/syntax"
	"waybill/cmd/sqlguard/verdict"
)

var optionalGuard = &Rule{
	ID: "optional-guard", Severity: Error,
	Summary: "A guard that the caller can switch off by omitting a parameter.",
	check:   checkOptionalGuard,
}

func checkOptionalGuard(c *check) {
	for _, w := range c.query.Writes {
		tests := lostGuards(w)
		if len(tests) == 0 || w.Verdict.Guarded() || w.Op == reading.Delete && !oneByKey(w) ||
			chosenBy(w, names(tests)) {
			continue
		}
		f := c.on(w, "The guard on "+columns(w.Table(), names(tests))+
			" only applies to callers who pass its parameter.",
			"A caller who omits it overwrites the changes of all others.")
		f.Advice = requireGuard(w, tests[0])
		if !w.Verdict.Overwrites() {
			f.Severity = Warning
		}
	}
}

// chosenBy reports whether every SET value is a CASE on the given columns, so that the row's state
// decides even if the caller omits the parameter.
func chosenBy(w *verdict.Write, columns []string) bool {
	for _, c := range w.Columns {
		asked := false
		for _, when := range syntax.Bare(c.Value).GetCaseExpr().GetArgs() {
			for _, from := range w.Statement.Direct(when.GetCaseWhen().GetExpr(), w.Block) {
				asked = asked || from.Relation == w.Target && slices.Contains(columns, from.Column)
			}
		}
		if !asked && c.Class >= verdict.PatchSet {
			return false
		}
	}
	return len(w.Columns) > 0 && len(w.Set(verdict.RelativeSet)) > 0 && hasCase(w)
}

func hasCase(w *verdict.Write) bool {
	return slices.ContainsFunc(w.Columns,
		func(c verdict.Column) bool { return syntax.Bare(c.Value).GetCaseExpr() != nil })
}

// requireGuard suggests the guard of an optional test without the alternative, if it can be separated.
func requireGuard(w *verdict.Write, t verdict.Test) *Advice {
	n := guardIn(w, t)
	if n == nil || closedWhere(w) {
		return nil
	}
	condition := text(w.Query, n)
	if condition == "" {
		return nil
	}
	a := guarded(w, RequireGuard, condition)
	a.Text = "two queries: one with " + strings.TrimSuffix(strings.TrimPrefix(a.Text, "… AND "), lost) +
		" alone, and one whose name says that it forces the write"
	return a
}

// guardIn returns the part of an optional test that reads its columns: the second alternative of "@v IS
// NULL OR version = @v", or "version = @v" for "version = COALESCE(@v, version)".
func guardIn(w *verdict.Write, t verdict.Test) *pg.Node {
	n := syntax.Bare(t.Source.Node)
	if n.GetBoolExpr().GetBoolop() == pg.BoolExprType_OR_EXPR {
		var guard *pg.Node
		for _, arg := range n.GetBoolExpr().GetArgs() {
			if readsTarget(w, arg, t) {
				if guard != nil {
					return nil
				}
				guard = arg
			}
		}
		return guard
	}
	e := n.GetAExpr()
	fallback := syntax.Bare(e.GetRexpr()).GetCoalesceExpr().GetArgs()
	if syntax.Operator(n) == "=" && len(fallback) == 2 && syntax.Key(fallback[1]) == syntax.Key(e.GetLexpr()) {
		return syntax.Equal(e.GetLexpr(), fallback[0], 0)
	}
	return nil
}

func readsTarget(w *verdict.Write, n *pg.Node, t verdict.Test) bool {
	for _, from := range w.Statement.Direct(n, t.Source.Block) {
		if from.Relation == w.Target {
			return true
		}
	}
	return false
}
