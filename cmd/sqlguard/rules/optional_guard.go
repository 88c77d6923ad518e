package rules

var optionalGuard = &Rule{
	ID: "optional-guard", Severity: Error,
	Summary: "A guard that the caller switches off by leaving out a parameter.",
	check:   checkOptionalGuard,
}

func checkOptionalGuard(c *check) {
	for _, w := range c.query.Writes {
		tests := lostGuards(w)
		if len(tests) == 0 || w.Verdict.Guarded() {
			continue
		}
		f := c.on(w, "The guard on "+columns(w.Table(), names(tests))+" holds only for those who give its parameter.",
			"One caller who leaves it out overwrites what all others guard.")
		f.Try = "two queries: one with the guard, and one that says by its name that it forces the write"
		if !w.Verdict.Overwrites() {
			f.Severity = Warning
		}
	}
}
