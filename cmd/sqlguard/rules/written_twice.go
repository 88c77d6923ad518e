package rules

import (
	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/verdict"
)

var writtenTwice = &Rule{
	ID: "written-twice", Severity: Error,
	Summary: "Two parts of a statement write the same table: of two writes to one row, one is dropped.",
	check:   checkWrittenTwice,
}

func checkWrittenTwice(c *check) {
	for i, w := range c.query.Writes {
		for _, other := range c.query.Writes[:i] {
			if w.Statement != other.Statement || w.Target.Table != other.Target.Table || w.Node == other.Node ||
				w.Function != "" || apart(w, other) {
				continue
			}
			f := c.on(w, w.Table()+" is written by two parts of the statement.",
				"Both see the same snapshot: of two writes to one row, one is dropped without an error.")
			f.Advice = &Advice{Kind: WriteOnce, Text: "one UPDATE of the table that combines both"}
			if byKey(w) && byKey(other) { // most likely two different rows
				f.Severity = Warning
			}
			break
		}
	}
}

func byKey(w *verdict.Write) bool {
	return len(w.Keys) > 0 && !several(w) && w.Op != reading.Upsert
}
