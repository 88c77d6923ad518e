package catalog

import (
	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/syntax"
)

func (c *Catalog) createView(s *pg.ViewStmt) {
	t := c.create(s.GetView())
	t.View = s.GetQuery().GetSelectStmt()
	t.Aliases = syntax.Names(s.GetAliases())
	c.viewColumns(t)
}

// createAs adds a materialized view, or a table created from a query. Their rows are copies, so only
// the name is known.
func (c *Catalog) createAs(s *pg.CreateTableAsStmt) {
	if s.GetInto() == nil {
		return
	}
	t := c.create(s.GetInto().GetRel())
	for _, column := range outputNames(s.GetQuery().GetSelectStmt()) {
		t.Columns = append(t.Columns, &Column{Name: column})
	}
}

// viewColumns sets the columns of a view; a view of one table takes them from the table.
func (c *Catalog) viewColumns(t *Table) {
	names := t.Aliases
	if len(names) == 0 {
		names = outputNames(t.View)
	}
	base := c.Updates(t)
	for _, column := range names {
		switch {
		case column == "*" && base != nil && base != t:
			t.Columns = append(t.Columns, base.Columns...)
		case column == "*":
			t.unknown = true
		default:
			t.Columns = append(t.Columns, &Column{Name: column})
		}
	}
}

func outputNames(s *pg.SelectStmt) []string {
	for s.GetLarg() != nil {
		s = s.GetLarg()
	}
	var names []string
	for _, n := range s.GetTargetList() {
		r := n.GetResTarget()
		ref := syntax.Bare(r.GetVal()).GetColumnRef()
		switch {
		case r.GetName() != "":
			names = append(names, r.GetName())
		case ref != nil && syntax.Last(ref.GetFields()) != "" && !Star(ref):
			names = append(names, syntax.Last(ref.GetFields()))
		default:
			names = append(names, "*")
		}
	}
	return names
}

// Star reports whether a reference is t.* or *.
func Star(ref *pg.ColumnRef) bool {
	fields := ref.GetFields()
	return len(fields) > 0 && fields[len(fields)-1].GetAStar() != nil
}

// Updates returns the table that a write to t changes: t itself, or the base table of an updatable
// view; nil where PostgreSQL would refuse the write.
func (c *Catalog) Updates(t *Table) *Table {
	for range 16 { // views of views
		if t.View == nil {
			return t
		}
		from := t.View.GetFromClause()
		if len(from) != 1 || from[0].GetRangeVar() == nil || len(t.View.GetGroupClause()) > 0 {
			return nil
		}
		t = c.relation(from[0].GetRangeVar())
	}
	return nil
}
