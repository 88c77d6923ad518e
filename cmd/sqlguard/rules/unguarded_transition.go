package rules

import (
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
		if w.Op != reading.Update || w.Verdict != verdict.Constant && w.Verdict != verdict.Relative || len(w.Of(verdict.Stale)) > 0 {
			continue
		}
		for _, column := range w.Columns {
			if column.Class == verdict.ConstantSet && column.Value != nil {
				c.transition(w, column)
			}
		}
	}
}

// transition reports a state that other queries set to something else.
func (c *check) transition(w *verdict.Write, column verdict.Column) {
	value := syntax.Key(column.Value)
	for _, s := range c.db.Facts.Settings(w.Target.Table, column.Column) {
		if s.Value == value || s.Query == nil || s.Query == c.query {
			continue
		}
		f := c.on(w, columns(w.Table(), []string{column.Column})+" is set whatever it was; "+s.Query.Name+" sets it to something else.",
			"Of two that come at once the later one wins, also where its step was not allowed any more.")
		f.Offset = max(column.Location, f.Offset)
		f.Try = "… AND " + column.Column + " = ANY (@before)   -- the states from which this step is allowed"
		if !isState(column.Value) {
			f.Severity = Note
		}
		return
	}
}

// isState tells a name or number from a switch (true, false) and from NULL.
func isState(n *pg.Node) bool {
	constant := syntax.Bare(n).GetAConst()
	return constant.GetSval() != nil || constant.GetIval() != nil
}
