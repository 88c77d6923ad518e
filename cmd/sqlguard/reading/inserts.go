package reading

import (
	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/syntax"
)

func (r *reader) inserts(b *Block, s *pg.InsertStmt) {
	r.with(b, s.GetWithClause())
	var rows *Block
	if s.GetSelectStmt() != nil {
		rows = r.statement(s.GetSelectStmt(), b.scope)
		b.Inputs = append(b.Inputs, rows)
	}
	target := r.target(b, s.GetRelation())
	r.outputs(b, s.GetReturningClause().GetExprs())
	if s.GetOnConflictClause().GetAction() == pg.OnConflictAction_ONCONFLICT_UPDATE {
		r.upserts(b, s, target, rows)
	}
}

// upserts reads DO UPDATE as a block of its own: only there EXCLUDED is visible.
func (r *reader) upserts(b *Block, s *pg.InsertStmt, target *Relation, rows *Block) {
	clause := s.GetOnConflictClause()
	w := &Write{Op: Upsert, Block: b, Target: target, Conflict: conflictColumns(target, clause.GetInfer()), Rows: rows}
	do := r.open(b.Node, b.scope)
	do.reading, do.Upsert = false, true
	inserted := r.inserted(target, s, rows, w)
	do.Relations = []*Relation{target, {Name: "excluded", Table: target.Table, shows: target.shows, inserted: inserted}}
	w.Assigned = r.assignments(do, clause.GetTargetList())
	r.where(do, clause.GetWhereClause(), false)
	w.Conditions = do.Conditions
	b.Inputs = append(b.Inputs, do.Inputs...)
	r.write(w)
	w.Insert, w.Block = b, do
	r.out.Blocks = append(r.out.Blocks, do)
}

func conflictColumns(target *Relation, infer *pg.InferClause) []string {
	var columns []string
	if key := target.Table.Constraint(infer.GetConname()); key != nil {
		return key.Columns
	}
	for _, n := range infer.GetIndexElems() {
		e := n.GetIndexElem()
		if e.GetName() != "" {
			columns = append(columns, target.shown(e.GetName()))
			continue
		}
		syntax.Walk(e.GetExpr(), func(n *pg.Node) bool {
			if ref := n.GetColumnRef(); ref != nil {
				columns = append(columns, target.shown(syntax.Last(ref.GetFields())))
			}
			return true
		})
	}
	return columns
}

// inserted returns the sources of each column of EXCLUDED. The conflict's columns equal those of the
// existing row.
func (r *reader) inserted(target *Relation, s *pg.InsertStmt, rows *Block, w *Write) map[string][]Source {
	from := map[string][]Source{}
	w.Inserted, w.InsertedNode = map[string]string{}, map[string]*pg.Node{}
	for _, c := range target.Table.Columns {
		from[c.Name] = r.sources(c.Default, nil)
	}
	for i, column := range insertColumns(target, s) {
		name := column // the name in the statement
		column = target.shown(name)
		from[column] = []Source{{Origin: FromElsewhere}}
		if rows != nil && i < len(rows.Outputs) {
			from[column] = rows.Outputs[i].From
		}
		if value := single(s, i); value != nil {
			w.Inserted[name], w.InsertedNode[column] = syntax.Key(value), value
		}
	}
	if readAgain(target, w, from) {
		w.Again = rows
	}
	for _, column := range w.Conflict {
		from[column] = []Source{{Relation: target, Column: column}}
	}
	return from
}

// readAgain reports whether the conflicting rows are rows that the statement read before: each column
// of the conflict target is inserted unchanged as it was read.
func readAgain(target *Relation, w *Write, from map[string][]Source) bool {
	for _, column := range w.Conflict {
		f := from[column]
		if n := w.InsertedNode[column]; n != nil && syntax.Bare(n).GetColumnRef() == nil {
			return false // computed, not inserted unchanged
		}
		if len(f) != 1 || f[0].Relation == nil || f[0].Relation.Table != target.Table || f[0].Column != column {
			return false
		}
	}
	return len(w.Conflict) > 0
}

func insertColumns(target *Relation, s *pg.InsertStmt) []string {
	var columns []string
	for _, n := range s.GetCols() {
		columns = append(columns, n.GetResTarget().GetName())
	}
	if len(columns) > 0 {
		return columns
	}
	for _, o := range target.outputs() {
		columns = append(columns, o.Name)
	}
	return columns
}

// single returns the i-th value of a one-row INSERT, or of its SELECT.
func single(s *pg.InsertStmt, i int) *pg.Node {
	lists := s.GetSelectStmt().GetSelectStmt().GetValuesLists()
	if targets := s.GetSelectStmt().GetSelectStmt().
		GetTargetList(); len(lists) == 0 && i < len(targets) && len(targets) == max(len(s.GetCols()), 1) {
		return targets[i].GetResTarget().GetVal()
	}
	if len(lists) != 1 || i >= len(lists[0].GetList().GetItems()) {
		return nil
	}
	return lists[0].GetList().GetItems()[i]
}
