package rules

import (
	"strings"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/syntax"
	"waybill/cmd/sqlguard/verdict"
)

var unguardedTransition = &Rule{
	ID: "unguarded-transition", Severity: Warning,
	Summary: "A state is set to a fixed value from whatever state the row is in.",
	Moot:    changedRow,
	check:   checkUnguardedTransition,
}

func checkUnguardedTransition(c *check) {
	for _, w := range c.query.Writes {
		if w.Op != reading.Update || !transits(w) || len(w.Of(verdict.Stale)) > 0 {
			continue
		}
		for _, column := range w.Columns {
			if column.Class == verdict.ConstantSet && column.Value != nil {
				c.transition(w, column)
			}
		}
	}
}

// transits reports whether a write overwrites only fixed values, and perhaps a time.
func transits(w *verdict.Write) bool {
	return w.Verdict == verdict.Constant || w.Verdict == verdict.Relative || w.Verdict == verdict.Blind && onlyStamps(w)
}

// transition reports a state that other queries set to a different value.
func (c *check) transition(w *verdict.Write, column verdict.Column) {
	value := syntax.Key(column.Value)
	for _, s := range c.db.Facts.Settings(w.Target.Table, column.Column) {
		if s.Value == value || s.Query == nil || s.Query == c.query || !s.Fixed && !isState(column.Value) {
			continue // the value is the caller's choice, and here it is only a switch
		}
		if c.db.Facts.Counts(w.Target.Table, column.Column) {
			continue // a reset counter
		}
		f := c.on(w, columns(w.Table(), []string{column.Column})+
			" is set whatever its current value; "+s.Query.Name+" sets it to something else.",
			"Of two concurrent transitions the later one wins, even if it is no longer allowed.")
		f.place(column.Location)
		f.Against = s.Query
		c.hint(f, w)
		if !isState(column.Value) {
			f.Severity = Note
		} else if !closedWhere(w) {
			before := param(w.Query, "before", 0)
			f.Advice = guarded(w, CheckBefore, qualified(w, column.Column)+" = ANY ("+before+")").
				sees(before, "ARRAY["+syntax.Quote(column.Column)+"]")
			f.Advice.Text = strings.Replace(f.Advice.Text, "lost", "not allowed in the current state", 1)
		}
		return
	}
}

// isState distinguishes a name or number from a switch (true, false) and from NULL.
func isState(n *pg.Node) bool {
	constant := syntax.Bare(n).GetAConst()
	return constant.GetSval() != nil || constant.GetIval() != nil
}
