package rules

import (
	"slices"

	"waybill/cmd/sqlguard/verdict"
)

var livenessOverwrite = &Rule{
	ID: "liveness-overwrite", Severity: Warning,
	Summary: "An overwrite guarded by a test that two concurrent callers both pass.",
	Moot:    changedRow,
	check:   checkLivenessOverwrite,
}

// overwritesBehind reports whether all guards of an overwrite are true again after the write.
func overwritesBehind(w *verdict.Write) bool {
	return w.Verdict.Guarded() && len(overwritten(w)) > 0 && !onlyStamps(w) &&
		len(unguarded(w, w.Of(verdict.Stale))) == 0 &&
		!slices.ContainsFunc(w.Guards(), func(t verdict.Test) bool { return t.Kind != verdict.Liveness && !t.Repeats })
}

func checkLivenessOverwrite(c *check) {
	for _, w := range c.query.Writes {
		if !overwritesBehind(w) {
			continue
		}
		set, which := overwritten(w), "which the write does not change"
		if slices.ContainsFunc(w.Guards(), func(t verdict.Test) bool { return t.Repeats }) {
			which = "which is true again after the write"
		}
		f := c.on(w, columns(w.Table(), set)+" "+areOverwritten(set)+
			" behind a test of "+list(names(w.Guards()))+" alone, "+which+".",
			"Two concurrent callers both pass it, and one of the two writes is lost.")
		f.Advice = suggestion(w)
		c.hint(f, w)
	}
}
