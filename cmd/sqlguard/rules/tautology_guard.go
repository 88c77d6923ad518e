package rules

import "waybill/cmd/sqlguard/verdict"

var tautologyGuard = &Rule{
	ID: "tautology-guard", Severity: Error,
	Summary: "A condition that is always true, like version = version.",
	check:   checkTautologyGuard,
}

func checkTautologyGuard(c *check) {
	for _, w := range c.query.Writes {
		tests := columnTautologies(w)
		if len(tests) == 0 || w.Verdict == verdict.Unbounded || w.Verdict == verdict.DeleteUnbounded {
			continue
		}
		f := c.on(w, "The test of "+columns(w.Table(), names(tests))+" is true for every row.",
			"Was a parameter intended? Write @name, with a space before it.")
		f.place(tests[0].Offset)
		f.Advice = suggestion(w)
		if !w.Verdict.Overwrites() {
			f.Severity = Warning
		}
	}
}
