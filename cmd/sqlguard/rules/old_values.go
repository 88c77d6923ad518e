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

// mostOldValues is how many columns a caller may be asked to compare; a version is
// better for more.
const mostOldValues = 3

// noEquality are the types whose values cannot be compared.
var noEquality = []string{"json", "xml", "point", "line", "lseg", "box", "path", "polygon", "circle"}

// checkOldValues compares all columns that are overwritten with what the caller saw.
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

// glue joins a condition to what is there: an upsert has seldom a WHERE of its own.
func glue(w *verdict.Write) string {
	if w.Op == reading.Upsert && len(w.Conditions) == 0 {
		return "WHERE "
	}
	return "AND "
}

// qualified is a column of the written row, with its table's name where others could have
// it too.
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

// clauses are where the parts of a write stand in its query.
func clauses(w *verdict.Write) sqltext.Clauses {
	return sqltext.ClausesOf(w.Query.Text, w.Location, w.Op == reading.Upsert)
}
