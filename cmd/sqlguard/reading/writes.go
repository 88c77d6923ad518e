package reading

import (
	"strconv"

	pg "github.com/sqlc-dev/oliphant"
)

func number(i int) string { return strconv.Itoa(i) }

// target adds the written table as b's first relation. An updatable view is replaced by its table.
func (r *reader) target(b *Block, v *pg.RangeVar) *Relation {
	t := r.catalog.Table(v.GetSchemaname(), v.GetRelname())
	shown := v.GetRelname()
	if base := r.catalog.Updates(t); base != nil {
		t = base
	}
	rel := &Relation{Table: t, Written: true, Location: int(v.GetLocation())}
	r.add(b, rel, shown, v.GetAlias())
	r.through(b, v, rel)
	return rel
}

func (r *reader) updates(b *Block, s *pg.UpdateStmt) {
	r.with(b, s.GetWithClause())
	target := r.target(b, s.GetRelation())
	for _, n := range s.GetFromClause() {
		r.from(b, n, false)
	}
	r.where(b, s.GetWhereClause(), false)
	r.outputs(b, s.GetReturningClause().GetExprs())
	r.write(&Write{Op: Update, Block: b, Target: target, Assigned: r.assignments(b, s.GetTargetList()),
		Conditions: b.Conditions})
}

func (r *reader) deletes(b *Block, s *pg.DeleteStmt) {
	r.with(b, s.GetWithClause())
	target := r.target(b, s.GetRelation())
	for _, n := range s.GetUsingClause() {
		r.from(b, n, false)
	}
	r.where(b, s.GetWhereClause(), false)
	r.outputs(b, s.GetReturningClause().GetExprs())
	r.write(&Write{Op: Delete, Block: b, Target: target, Conditions: b.Conditions})
}

// truncates reads TRUNCATE as a DELETE of every row of each table.
func (r *reader) truncates(b *Block, s *pg.TruncateStmt) {
	for _, n := range s.GetRelations() {
		r.write(&Write{Op: Delete, Block: b, Target: r.target(b, n.GetRangeVar())})
	}
}

func (r *reader) write(w *Write) {
	w.Node = w.Block.Node
	w.Location = w.Target.Location
	r.out.Writes = append(r.out.Writes, w)
}

// assignments reads the assignments of a SET.
func (r *reader) assignments(b *Block, list []*pg.Node) []Assignment {
	var all []Assignment
	for _, n := range list {
		t := n.GetResTarget()
		a := Assignment{Column: b.Relations[0].shown(t.GetName()), Value: t.GetVal(),
			Part: len(t.GetIndirection()) > 0, Location: int(t.GetLocation())}
		if a.Part {
			a.Field = t.GetIndirection()[0].GetString_().GetSval()
		}
		if multi := t.GetVal().GetMultiAssignRef(); multi != nil {
			r.oneOfSeveral(b, &a, multi)
		} else {
			r.expressions(b, a.Value)
			a.From = r.sources(a.Value, b.scope)
		}
		all = append(all, a)
	}
	return all
}

// oneOfSeveral reads one column of SET (a, b) = (…).
func (r *reader) oneOfSeveral(b *Block, a *Assignment, m *pg.MultiAssignRef) {
	column := int(m.GetColno()) - 1
	a.Value = nil
	if row := m.GetSource().GetRowExpr().GetArgs(); column >= 0 && column < len(row) {
		a.Value = row[column]
		r.expressions(b, a.Value)
		a.From = r.sources(a.Value, b.scope)
		return
	}
	if column == 0 {
		r.expressions(b, m.GetSource())
	}
	a.From = []Source{{Origin: FromElsewhere}}
	if link := m.GetSource().GetSubLink(); link != nil {
		if sub := r.sub(link, b.scope); column >= 0 && column < len(sub.Outputs) {
			a.From = sub.Outputs[column].From
		}
	}
}
