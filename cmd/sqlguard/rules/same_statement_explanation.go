package rules

import (
	"slices"

	"waybill/cmd/sqlguard/reading"
)

var sameStatementExplanation = &Rule{
	ID: "same-statement-explanation", Severity: Warning,
	Summary: "The SELECT around a write reads the written table to say why it lost.",
	Moot:    changedRow,
	check:   checkSameStatementExplanation,
}

func checkSameStatementExplanation(c *check) {
	for _, s := range c.query.Statements {
		for _, w := range c.query.Writes {
			if w.Statement == s && w.Verdict.Guarded() {
				c.explained(s, w.Write)
			}
		}
	}
}

// explained reports a read of the written table outside of the blocks that feed the write: it sees the
// row as it was before the statement, not as the write found it.
func (c *check) explained(s *reading.Statement, w *reading.Write) {
	before, t := reading.Upstream(w.Block, w.Rows), w.Target.Table
	for _, b := range reading.Upstream(s.Root) {
		if slices.Contains(before, b) {
			continue
		}
		for _, r := range b.Relations {
			if r.Table == t && r.Block == nil && !r.Locked && !r.Written {
				c.at(max(r.Location, 0), t.String(),
					t.String()+" is read from the statement's snapshot, not as the write found it.",
					"After a lost race the result shows a state in which the write would have succeeded.").
					Advice = &Advice{Kind: ReadAfresh, Text: "on zero rows, read the row again in a separate statement"}
				return
			}
		}
	}
}
