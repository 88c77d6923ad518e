package verdict

import (
	"slices"

	"waybill/cmd/sqlguard/catalog"
	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/syntax"
)

// Facts summarizes what all queries of a project do to its columns.
type Facts struct {
	catalog *catalog.Catalog
	set     map[*catalog.Table]map[string][]Setting
	writes  map[*catalog.Table][]*reading.Write
	trigger map[*catalog.Table][]string
	bodies  map[*catalog.Function]body
	scopes  []string
}

// Setting is one assignment of the project to a column.
type Setting struct {
	Query *Query
	Value string // the key of the expression
	Fixed bool   // the value is always the same
}

func newFacts(c *catalog.Catalog, scopes []string) *Facts {
	f := &Facts{catalog: c, set: map[*catalog.Table]map[string][]Setting{},
		writes: map[*catalog.Table][]*reading.Write{}, trigger: map[*catalog.Table][]string{},
		bodies: map[*catalog.Function]body{}, scopes: scopes}
	for _, t := range c.Tables() {
		f.trigger[t] = c.SetByTriggers(t)
	}
	return f
}

// learn records the assignments of a write. Setting a column to its own value, or a conflict's column
// to the inserted value, changes nothing.
func (f *Facts) learn(q *Query, w *reading.Write) {
	f.writes[w.Target.Table] = append(f.writes[w.Target.Table], w)
	for _, a := range w.Assigned {
		if touches(w, a) {
			continue
		}
		columns := f.set[w.Target.Table]
		if columns == nil {
			columns = map[string][]Setting{}
			f.set[w.Target.Table] = columns
		}
		columns[a.Column] = append(columns[a.Column], Setting{q, syntax.Key(a.Value), len(a.From) == 0})
	}
}

func touches(w *reading.Write, a reading.Assignment) bool {
	ref := syntax.Bare(a.Value).GetColumnRef()
	return ref != nil && len(a.From) == 1 && a.From[0].Relation == w.Target && a.From[0].Column == a.Column
}

// Counts reports whether any query or trigger of the project derives the column's new value from its
// old one, as for a version or a counter.
func (f *Facts) Counts(t *catalog.Table, column string) bool {
	return slices.Contains(f.triggers(t), column) || slices.ContainsFunc(f.writes[t], func(w *reading.Write) bool {
		return slices.ContainsFunc(w.Assigned, func(a reading.Assignment) bool {
			return a.Column == column && syntax.Operator(syntax.Bare(a.Value)) != "" &&
				slices.ContainsFunc(a.From, func(s reading.Source) bool {
					return s.Relation == w.Target && s.Column == column
				})
		})
	})
}

// Settings returns the places where the project sets a column.
func (f *Facts) Settings(t *catalog.Table, column string) []Setting { return f.set[t][column] }

// Mutable reports whether anything in the project changes the column of an existing row, or a column
// that it is computed from.
func (f *Facts) Mutable(t *catalog.Table, column string) bool {
	if slices.Contains(f.scopes, column) {
		return false
	}
	return slices.ContainsFunc(t.Base(column), func(base string) bool {
		return len(f.set[t][base]) > 0 || slices.Contains(f.triggers(t), base)
	})
}

func (f *Facts) triggers(t *catalog.Table) []string { return f.trigger[t] }
