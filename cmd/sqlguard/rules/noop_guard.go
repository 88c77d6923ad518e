package rules

import "waybill/cmd/sqlguard/verdict"

var noopGuard = &Rule{
	ID: "noop-guard", Severity: Error,
	Summary: "IS DISTINCT FROM the value being written only skips writes that change nothing.",
	Moot:    changedRow,
	check:   checkNoopGuard,
}

func checkNoopGuard(c *check) {
	for _, w := range c.query.Writes {
		if cause(w) == c.rule.ID {
			c.overwrite(w, columns(w.Table(), names(w.Of(verdict.Noop)))+
				" is only compared with the value being written: that skips no-op writes, and guards nothing.",
				"Whatever another caller wrote in the meantime is overwritten.")
		}
	}
}
