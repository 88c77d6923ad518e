package rules

import (
	"slices"
	"strings"

	"waybill/cmd/sqlguard/catalog"
	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/sqltext"
	"waybill/cmd/sqlguard/syntax"
	"waybill/cmd/sqlguard/verdict"
)

// mostOldValues limits the columns that a caller is asked to compare; beyond that a version is better.
const mostOldValues = 3

// noEquality are the types without an equality operator.
var noEquality = []string{"json", "xml", "point", "line", "lseg", "box", "path", "polygon", "circle"}

// checkOldValues suggests comparing all overwritten columns with the values the caller read.
func checkOldValues(w *verdict.Write) *Advice {
	var parts []string
	seen := &Advice{}
	for _, c := range w.Columns {
		if c.Class != verdict.AbsoluteSet && c.Class != verdict.PatchSet {
			continue
		}
		column := w.Target.Table.Column(c.Column)
		if column == nil || slices.Contains(noEquality, column.Type) || w.Target.Table.KeyColumn(c.Column) {
			return nil
		}
		left, name := qualified(w, c.Column), c.Column
		if c.Field != "" {
			left, name = "("+left+")."+syntax.Quote(c.Field), c.Field
		}
		operator := " IS NOT DISTINCT FROM "
		if column.NotNull && c.Field == "" {
			operator = " = "
		}
		old := param(w.Query, "old_"+name, len(parts))
		expression := syntax.Quote(c.Column)
		if c.Field != "" {
			expression = "(" + expression + ")." + syntax.Quote(c.Field)
		}
		seen.sees(old, expression)
		parts = append(parts, left+operator+old)
	}
	if len(parts) == 0 || len(parts) > mostOldValues {
		return nil
	}
	a := guarded(w, CheckOldValues, strings.Join(parts, " AND "))
	a.Seen = seen.Seen
	return a
}

// glue returns the word that joins a new condition: AND, or WHERE if an upsert has none.
func glue(w *verdict.Write) string {
	if w.Op == reading.Upsert && len(w.Conditions) == 0 {
		return "WHERE "
	}
	return "AND "
}

// qualified returns a column of the written row, qualified by its table where it would be ambiguous.
func qualified(w *verdict.Write, column string) string {
	if w.Op == reading.Upsert || len(w.Block.Relations) > 1 {
		return syntax.Quote(w.Target.Name) + "." + syntax.Quote(column)
	}
	return syntax.Quote(column)
}

func quotedTable(t *catalog.Table) string {
	if t.Schema == "public" || t.Schema == "" {
		return syntax.Quote(t.Name)
	}
	return syntax.Quote(t.Schema) + "." + syntax.Quote(t.Name)
}

// clauses returns the positions of a write's clauses in its query.
func clauses(w *verdict.Write) sqltext.Clauses {
	return sqltext.ClausesOf(w.Query.Text, w.Location, w.Op == reading.Upsert)
}
