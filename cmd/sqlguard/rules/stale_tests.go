package rules

import (
	"waybill/cmd/sqlguard/reading"
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
		stale := unguarded(w, w.Of(verdict.Stale))
		if len(stale) == 0 || w.Op == reading.Upsert {
			continue
		}
		f := c.on(w, columns(w.Table(), names(stale))+" is tested on the statement's snapshot, not on the locked row.",
			"Who waited for another write of the row goes on as if nothing had happened: both succeed.")
		if w.Op == reading.Delete {
			f.Severity = Warning
		}
		f.Try = "… the same test in the WHERE of the write too, or FOR UPDATE in the SELECT that makes it"
	}
}

// unguarded leaves out the tests whose columns a guard tests too.
func unguarded(w *verdict.Write, stale []verdict.Test) []verdict.Test {
	if w.Verdict.Guarded() && w.Kind != verdict.Liveness {
		return nil
	}
	guarded := map[string]bool{}
	for _, name := range names(w.Guards()) {
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
