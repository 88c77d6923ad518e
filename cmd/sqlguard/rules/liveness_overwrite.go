package rules

import (
	"slices"

	"waybill/cmd/sqlguard/verdict"
)

var livenessOverwrite = &Rule{
	ID: "liveness-overwrite", Severity: Warning,
	Summary: "An overwrite behind a test that both of two callers pass.",
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
		set, which := overwritten(w), "which the write leaves as it is"
		if slices.ContainsFunc(w.Guards(), func(t verdict.Test) bool { return t.Repeats }) {
			which = "which is true again once the write is done"
		}
		f := c.on(w, columns(w.Table(),
			set)+" "+areOverwritten(set)+" behind a test of "+list(names(w.Guards()))+" alone, "+which+".",
			"Two callers at once both pass it, and one of the two is lost.")
		f.Advice = suggestion(w)
		c.hint(f, w)
	}
}
