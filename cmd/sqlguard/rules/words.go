package rules

import (
	"fmt"
	"slices"
	"strings"

	"waybill/cmd/sqlguard/catalog"
	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/sqltext"
	"waybill/cmd/sqlguard/verdict"
)

// start returns the offset of a query's first statement.
func start(q *verdict.Query) int {
	if spans := sqltext.Statements(q.Text); len(spans) > 0 {
		return spans[0].Start
	}
	return 0
}

// columns formats columns of a table: "kennels.reserved_by, reserved_until".
func columns(table string, names []string) string {
	if len(names) == 0 {
		return table
	}
	return table + "." + strings.Join(names, ", ")
}

func areOverwritten(names []string) string { return isOrAre(names)[1:] + " overwritten" }

// isOrAre returns the verb for the number of columns.
func isOrAre(names []string) string {
	if len(names) == 1 {
		return " is"
	}
	return " are"
}

// finds explains how a write finds its rows, and why its other conditions do not count: "the row is
// found by unique key (label) alone: shelter_id never changes".
func (c *check) finds(w *verdict.Write) string {
	by := ""
	switch {
	case w.Op == reading.Upsert:
		by = "the row is found by the conflict on (" + list(w.Conflict) + ") alone"
	case len(w.Keys) > 0:
		by = "the row is found by " + key(w.Keys[0]) + " alone"
	default:
		all := names(append(w.Of(verdict.Scope), w.Of(verdict.Identity)...))
		if len(all) == 0 {
			return "no condition tests what is overwritten"
		}
		by = "the rows are found by (" + list(all) + ") alone"
	}
	if reasons := c.whyNothingElse(w); len(reasons) > 0 {
		by += ": " + strings.Join(reasons, "; ")
	}
	return by
}

// whyNothingElse returns the reasons why the other conditions of a write are no guards.
func (c *check) whyNothingElse(w *verdict.Write) []string {
	var reasons []string
	add := func(reason string) {
		if !slices.Contains(reasons, reason) {
			reasons = append(reasons, reason)
		}
	}
	for _, t := range w.Tests {
		all := names([]verdict.Test{t})
		switch {
		case t.Source.Outer:
		case t.Class == verdict.Scope &&
			slices.ContainsFunc(all, func(column string) bool { return c.db.Facts.Mutable(w.Target.Table, column) }):
			add(list(all) + " identifies the owner of the row, not its state")
		case t.Class == verdict.Scope && len(w.Keys) > 0:
			add(list(all) + neverChange(all))
		case t.Class == verdict.Renewed:
			add("the test of " + list(all) + " is true again after the write")
		case t.Class == verdict.Noop:
			add(list(all) + " is only compared with the value being written")
		case t.Class == verdict.Irrelevant && readsAnother(w, t):
			add("conditions on other tables are not tested again after a lock wait")
		}
	}
	return reasons
}

func neverChange(columns []string) string {
	if len(columns) == 1 {
		return " never changes"
	}
	return " never change"
}

// readsAnother reports whether a test of a write reads another table.
func readsAnother(w *verdict.Write, t verdict.Test) bool {
	if t.Source.Node == nil {
		return false
	}
	return slices.ContainsFunc(w.Statement.Sources(t.Source.Node, t.Source.Block), func(s reading.Source) bool {
		return s.Relation != nil && s.Relation.Table != w.Target.Table
	})
}

func key(k *catalog.Key) string {
	kind := "unique key"
	if k.Primary {
		kind = "primary key"
	}
	return fmt.Sprintf("%s (%s)", kind, strings.Join(k.Columns, ", "))
}
