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
					t.String()+" is read here as it was before the statement began, not as the write found it.",
					"After a lost race the answer shows a row that should have been written.").
					Advice = &Advice{Kind: ReadAfresh, Text: "a fresh read on zero rows, in a statement of its own"}
				return
			}
		}
	}
}
