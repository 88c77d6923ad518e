package rules

import (
	"regexp"

	"waybill/cmd/sqlguard/verdict"
)

var unboundedWrite = &Rule{
	ID: "unbounded-write", Severity: Error,
	Summary: "An UPDATE or DELETE of every row of a table.",
	check:   checkUnboundedWrite,
}

func checkUnboundedWrite(c *check) {
	for _, w := range c.query.Writes {
		switch w.Verdict {
		case verdict.Unbounded:
			c.on(w, "No condition is on "+w.Table()+": every row is updated.")
		case verdict.DeleteUnbounded:
			f := c.on(w, "No condition is on "+w.Table()+": every row is deleted.")
			f.Severity = Warning
			if meantAll.MatchString(c.query.Name) {
				f.Severity = Note
			}
		}
	}
}

// meantAll matches names of queries that announce that every row is meant.
var meantAll = regexp.MustCompile(`All|^(Truncate|Clear|Reset|Wipe|Purge|Empty)`)
