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

// start is where a query's first statement begins.
func start(q *verdict.Query) int {
	if spans := sqltext.Statements(q.Text); len(spans) > 0 {
		return spans[0].Start
	}
	return 0
}

// columns names columns of a table: "kennels.reserved_by, reserved_until".
func columns(table string, names []string) string {
	if len(names) == 0 {
		return table
	}
	return table + "." + strings.Join(names, ", ")
}

func areOverwritten(names []string) string {
	if len(names) == 1 {
		return "is overwritten"
	}
	return "are overwritten"
}

// found says how a write finds its rows: "the row is found by unique key (label) alone".
func found(w *verdict.Write) string {
	if w.Op == reading.Upsert {
		return "the row is found by the conflict on (" + strings.Join(w.Conflict, ", ") + ") alone"
	}
	if len(w.Keys) > 0 {
		return "the row is found by " + key(w.Keys[0]) + " alone"
	}
	var names []string
	for _, t := range append(w.Of(verdict.Scope), w.Of(verdict.Identity)...) {
		for _, c := range t.Columns {
			if !slices.Contains(names, c) {
				names = append(names, c)
			}
		}
	}
	if len(names) == 0 {
		return "no condition tests what is overwritten"
	}
	return "the rows are found by (" + strings.Join(names, ", ") + ") alone"
}

func key(k *catalog.Key) string {
	kind := "unique key"
	if k.Primary {
		kind = "primary key"
	}
	return fmt.Sprintf("%s (%s)", kind, strings.Join(k.Columns, ", "))
}

// suggestion is a guard that would do for a write, as far as the table shows one.
func suggestion(w *verdict.Write) string {
	const lost = "   -- :execrows, 0 rows = lost"
	glue := "AND "
	if w.Op == reading.Upsert {
		glue = "WHERE "
	}
	t := w.Target.Table
	for _, version := range []string{"version", "revision", "lock_version", "row_version"} {
		if t.Column(version) != nil {
			return fmt.Sprintf("%s = %s + 1 … %s%s = @%s%s", version, version, glue, qualified(w, version), version, lost)
		}
	}
	holder, until := lease(w)
	switch {
	case holder != "" && until != "":
		return fmt.Sprintf("… %s(%s IS NULL OR %s < now() OR %s = @%s)%s", glue, qualified(w, holder), qualified(w, until), qualified(w, holder), holder, lost)
	case holder != "":
		return fmt.Sprintf("… %s(%s IS NULL OR %s = @%s)%s", glue, qualified(w, holder), qualified(w, holder), holder, lost)
	}
	set := w.Set(verdict.AbsoluteSet, verdict.PatchSet)
	if len(set) == 0 {
		return ""
	}
	return fmt.Sprintf("… %s%s = @old_%s%s", glue, qualified(w, set[0]), set[0], lost)
}

func qualified(w *verdict.Write, column string) string {
	if w.Op == reading.Upsert {
		return w.Target.Name + "." + column
	}
	return column
}

// lease is the column that says who holds the row, and the one that says how long.
func lease(w *verdict.Write) (holder, until string) {
	for _, name := range w.Set(verdict.AbsoluteSet, verdict.Clock) {
		c := w.Target.Table.Column(name)
		switch {
		case c == nil || c.NotNull:
		case strings.HasPrefix(c.Type, "timestamp"):
			until = name
		case holder == "" && (strings.HasSuffix(name, "_by") || strings.HasSuffix(name, "_id") || strings.Contains(name, "holder") || strings.Contains(name, "owner")):
			holder = name
		}
	}
	return holder, until
}
