package reading

import (
	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/catalog"
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

// upserts reads DO UPDATE in a block of its own: EXCLUDED is known only there.
func (r *reader) upserts(b *Block, s *pg.InsertStmt, target *Relation, rows *Block) {
	clause := s.GetOnConflictClause()
	w := &Write{Op: Upsert, Block: b, Target: target, Conflict: conflictColumns(target.Table, clause.GetInfer())}
	do := r.open(b.Node, b.scope)
	do.reading, do.Upsert = false, true
	inserted := r.inserted(target, s, rows, w)
	do.Relations = []*Relation{target, {Name: "excluded", Table: target.Table, inserted: inserted}}
	w.Assigned = r.assignments(do, clause.GetTargetList())
	r.where(do, clause.GetWhereClause(), false)
	w.Conditions = do.Conditions
	b.Inputs = append(b.Inputs, do.Inputs...)
	r.write(w)
	w.Block = do
	r.out.Blocks = append(r.out.Blocks, do)
}

func conflictColumns(t *catalog.Table, infer *pg.InferClause) []string {
	var columns []string
	if key := t.Constraint(infer.GetConname()); key != nil {
		return key.Columns
	}
	for _, n := range infer.GetIndexElems() {
		e := n.GetIndexElem()
		if e.GetName() != "" {
			columns = append(columns, e.GetName())
			continue
		}
		syntax.Walk(e.GetExpr(), func(n *pg.Node) bool {
			if ref := n.GetColumnRef(); ref != nil {
				columns = append(columns, syntax.Last(ref.GetFields()))
			}
			return true
		})
	}
	return columns
}

// inserted is where each column of EXCLUDED comes from. Those of the conflict have
// the value that the row has already.
func (r *reader) inserted(target *Relation, s *pg.InsertStmt, rows *Block, w *Write) map[string][]Source {
	from := map[string][]Source{}
	w.Inserted = map[string]string{}
	for _, c := range target.Table.Columns {
		from[c.Name] = r.sources(c.Default, nil)
	}
	for i, column := range insertColumns(target.Table, s) {
		from[column] = []Source{{Origin: FromElsewhere}}
		if rows != nil && i < len(rows.Outputs) {
			from[column] = rows.Outputs[i].From
		}
		if value := single(s, i); value != nil {
			w.Inserted[column] = syntax.Key(value)
		}
	}
	for _, column := range w.Conflict {
		from[column] = []Source{{Relation: target, Column: column}}
	}
	return from
}

func insertColumns(t *catalog.Table, s *pg.InsertStmt) []string {
	var columns []string
	for _, n := range s.GetCols() {
		columns = append(columns, n.GetResTarget().GetName())
	}
	if len(columns) > 0 {
		return columns
	}
	for _, c := range t.Columns {
		columns = append(columns, c.Name)
	}
	return columns
}

// single is the i-th value of an INSERT of one row.
func single(s *pg.InsertStmt, i int) *pg.Node {
	lists := s.GetSelectStmt().GetSelectStmt().GetValuesLists()
	if len(lists) != 1 || i >= len(lists[0].GetList().GetItems()) {
		return nil
	}
	return lists[0].GetList().GetItems()[i]
}
