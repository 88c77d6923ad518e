package reading

import (
	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/syntax"
)

// merges reads a MERGE: each clause that updates or deletes is a write under the join condition, its
// own condition, and the negated conditions of the clauses before it.
func (r *reader) merges(b *Block, s *pg.MergeStmt) {
	r.with(b, s.GetWithClause())
	target := r.target(b, s.GetRelation())
	r.from(b, s.GetSourceRelation(), false)
	r.where(b, s.GetJoinCondition(), false)
	passed := map[pg.MergeMatchKind][]Condition{}
	for i, n := range s.GetMergeWhenClauses() {
		clause := n.GetMergeWhenClause()
		r.expressions(b, clause.GetCondition())
		kind := clause.GetMatchKind()
		r.clause(b, target, clause, i+1, passed[kind])
		if clause.GetCondition() != nil {
			passed[kind] = append(passed[kind], Condition{syntax.Not(clause.GetCondition()), false, b})
		}
	}
	r.outputs(b, s.GetReturningClause().GetExprs())
}

func (r *reader) clause(b *Block, target *Relation, clause *pg.MergeWhenClause, i int, passed []Condition) {
	w := &Write{Op: Update, Block: b, Target: target, Clause: i}
	switch clause.GetCommandType() {
	case pg.CmdType_CMD_UPDATE:
		w.Assigned = r.assignments(b, clause.GetTargetList())
	case pg.CmdType_CMD_DELETE:
		w.Op = Delete
	default:
		r.expressions(b, clause.GetValues()...)
		return
	}
	if clause.GetMatchKind() == pg.MergeMatchKind_MERGE_WHEN_MATCHED {
		w.Conditions = append(w.Conditions, b.Conditions...)
	}
	for _, c := range syntax.Conjuncts(clause.GetCondition()) {
		w.Conditions = append(w.Conditions, Condition{c, false, b})
	}
	w.Conditions = append(w.Conditions, passed...)
	r.write(w)
}
