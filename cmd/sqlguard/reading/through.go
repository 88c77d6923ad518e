package reading

import (
	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/catalog"
)

// through reads a write to a view as one to its table: columns are renamed, and the view's conditions
// are added to those of an UPDATE, DELETE or MERGE (not of an INSERT). PostgreSQL tests them on the row
// itself.
func (r *reader) through(b *Block, v *pg.RangeVar, rel *Relation) {
	view := r.catalog.Table(v.GetSchemaname(), v.GetRelname())
	if view == rel.Table || view.View == nil {
		return
	}
	rel.shows = r.showing(view, rel)
	if b.Node.GetInsertStmt() == nil {
		b.Conditions = append(b.Conditions, rel.shows.Conditions...)
	}
}

// showing reads a view's query over the rows of rel, the written relation.
func (r *reader) showing(view *catalog.Table, rel *Relation) *Block {
	if !r.views[view] {
		r.views[view] = true
		defer delete(r.views, view)
	}
	b := r.open(&pg.Node{Node: &pg.Node_SelectStmt{SelectStmt: view.View}}, nil)
	b.reading = false
	from := view.View.GetFromClause()[0].GetRangeVar()
	inner := &Relation{Table: rel.Table, stands: rel, Location: -1}
	if next := r.catalog.Table(from.GetSchemaname(), from.GetRelname()); next.View != nil {
		inner.shows = r.showing(next, rel)
		b.Conditions = append(b.Conditions, inner.shows.Conditions...)
	}
	r.add(b, inner, from.GetRelname(), from.GetAlias())
	r.where(b, view.View.GetWhereClause(), false)
	r.outputs(b, view.View.GetTargetList())
	for i, name := range view.Aliases {
		if i < len(b.Outputs) {
			b.Outputs[i].Name = name
		}
	}
	return b
}

// itself returns the relation that the rows belong to.
func (r *Relation) itself() *Relation {
	if r.stands != nil {
		return r.stands
	}
	return r
}

// showing returns the sources of a column of a written view, nil where the view has no such column.
func (r *Relation) showing(column string) []Source {
	if r.shows == nil {
		return nil
	}
	for _, o := range r.shows.Outputs {
		if o.Name == column {
			return o.From
		}
	}
	return nil
}

// shown returns the table's name for a column of a written view.
func (r *Relation) shown(column string) string {
	if from := r.showing(column); len(from) == 1 && from[0].Column != "" {
		return from[0].Column
	}
	return column
}
