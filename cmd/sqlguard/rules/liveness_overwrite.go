package rules

import "waybill/cmd/sqlguard/verdict"

var livenessOverwrite = &Rule{
	ID: "liveness-overwrite", Severity: Warning,
	Summary: "An overwrite behind a test that both of two callers pass.",
	Moot:    changedRow,
	check:   checkLivenessOverwrite,
}

func checkLivenessOverwrite(c *check) {
	for _, w := range c.query.Writes {
		set := overwritten(w)
		if !w.Verdict.Guarded() || w.Kind != verdict.Liveness || len(set) == 0 || len(unguarded(w, w.Of(verdict.Stale))) > 0 {
			continue
		}
		f := c.on(w, columns(w.Table(), set)+" "+areOverwritten(set)+" behind a test of "+list(names(w.Guards()))+" alone, which the write leaves as it is.",
			"Two callers at once both pass it, and one of the two is lost.")
		f.Try = suggestion(w)
	}
}
