package rules

import (
	"slices"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/syntax"
	"waybill/cmd/sqlguard/verdict"
)

var staleTest = &Rule{
	ID: "stale-test", Severity: Error,
	Summary: "A test of the written table in a subselect, CTE or EXISTS that does not lock.",
	Moot:    changedSet,
	check:   checkStaleTest,
}

func checkStaleTest(c *check) {
	for _, w := range c.query.Writes {
		stale := unguarded(w, w.Snapshots)
		if len(stale) == 0 {
			continue
		}
		f := c.on(w, columns(w.Table(),
			names(stale))+isOrAre(names(stale))+" tested on the statement's snapshot, not on the locked row.",
			"A caller that waited for another write of the row proceeds on the old state: both succeed.")
		if text := lockThatMisses(w); text != "" {
			f.Lines = slices.Insert(f.Lines, 1, text)
		}
		if w.Op == reading.Delete {
			f.Severity = Warning
		}
		f.Advice = staleAdvice(w, stale)
	}
}

// lockThatMisses explains why a lock in the statement does not help.
func lockThatMisses(w *verdict.Write) string {
	locks, reached := false, false
	syntax.Walk(w.Statement.Root.Node, func(n *pg.Node) bool {
		for _, l := range n.GetSelectStmt().GetLockingClause() {
			locks = locks || l.GetLockingClause().GetStrength() >= pg.LockClauseStrength_LCS_FORSHARE
		}
		return true
	})
	for _, b := range w.Statement.Blocks {
		reached = reached || slices.ContainsFunc(b.Relations,
			func(r *reading.Relation) bool { return r.Locked && r.Table == w.Target.Table })
	}
	switch {
	case reached:
		return "The lock in the statement comes too late: the rows were tested before they were locked."
	case locks:
		return "The lock in the statement is on other tables than " + w.Table() + "."
	}
	return ""
}

// unguarded removes the tests whose columns a guard, or another condition on the locked row,
// tests too.
func unguarded(w *verdict.Write, stale []verdict.Test) []verdict.Test {
	if w.Verdict.Guarded() && (w.Kind == verdict.CAS || w.Kind == verdict.Fence) {
		return nil
	}
	guarded := map[string]bool{}
	for _, name := range slices.Concat(names(w.Guards()), w.Retested) {
		guarded[name] = true
	}
	var left []verdict.Test
	for _, t := range stale {
		for _, name := range t.Columns {
			if !guarded[name] {
				left = append(left, t)
				break
			}
		}
	}
	return left
}
