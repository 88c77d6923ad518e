package rules

import (
	"slices"
	"strings"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/catalog"
	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/sqltext"
	"waybill/cmd/sqlguard/syntax"
	"waybill/cmd/sqlguard/verdict"
)

// staleAdvice suggests repeating the test on the locked row, or locking the tested row. It returns nil
// if other rows than the written one are tested: neither would help.
func staleAdvice(w *verdict.Write, stale []verdict.Test) *Advice {
	r := snapshot(w, stale)
	if r == nil || closedWhere(w) || w.Function != "" || !sameRowAs(w, r) {
		return nil
	}
	b := blockOf(w, r)
	lock := lockable(b, r)
	if lock && b.Limited {
		return lockTested(w, b, r, TakeUnlocked, " FOR UPDATE SKIP LOCKED",
			"FOR UPDATE SKIP LOCKED in the SELECT that tests")
	}
	if a := repeatTest(w, r, stale); a != nil {
		return a
	}
	if lock {
		return lockTested(w, b, r, LockTested, " FOR UPDATE", "FOR UPDATE in the SELECT that tests")
	}
	return nil
}

// snapshot returns the single relation that all of the tests read without a lock, or nil.
func snapshot(w *verdict.Write, stale []verdict.Test) *reading.Relation {
	var found *reading.Relation
	for _, t := range stale {
		for _, from := range w.Statement.Sources(t.Source.Node, t.Source.Block) {
			r := from.Relation
			if r == nil || r.Table != w.Target.Table || r == w.Target || r.Locked || r.Written || r == found {
				continue
			}
			if found != nil {
				return nil
			}
			found = r
		}
	}
	return found
}

func blockOf(w *verdict.Write, r *reading.Relation) *reading.Block {
	for _, b := range w.Statement.Blocks {
		if slices.Contains(b.Relations, r) {
			return b
		}
	}
	return nil
}

// sameRowAs reports whether equalities on a whole key lead from the written row to the row of r,
// possibly through others of the same table.
func sameRowAs(w *verdict.Write, r *reading.Relation) bool {
	equal := map[*reading.Relation]map[*reading.Relation]map[string]bool{}
	for _, b := range append(slices.Clone(w.Statement.Blocks), w.Block) {
		for _, c := range b.Conditions {
			for _, p := range paired(w.Statement, c) {
				if p[0].Column == p[1].Column && p[0].Relation.Table == w.Target.Table &&
					p[1].Relation.Table == w.Target.Table {
					note(equal, p[0].Relation, p[1].Relation, p[0].Column)
				}
			}
		}
	}
	seen := map[*reading.Relation]bool{}
	next := []*reading.Relation{w.Target}
	for len(next) > 0 {
		at := next[0]
		next = next[1:]
		if at == r {
			return true
		}
		for other, columns := range equal[at] {
			if !seen[other] && slices.ContainsFunc(w.Target.Table.Keys, func(k *catalog.Key) bool {
				return !k.Partial && !k.Exprs && k.Covered(func(c string) bool { return columns[c] })
			}) {
				seen[other] = true
				next = append(next, other)
			}
		}
	}
	return false
}

func note(equal map[*reading.Relation]map[*reading.Relation]map[string]bool, a, b *reading.Relation, column string) {
	if equal[a] == nil {
		equal[a] = map[*reading.Relation]map[string]bool{}
	}
	if equal[a][b] == nil {
		equal[a][b] = map[string]bool{}
	}
	equal[a][b][column] = true
}

// lockable reports whether FOR UPDATE is allowed in the SELECT that reads r.
func lockable(b *reading.Block, r *reading.Relation) bool {
	s := b.Node.GetSelectStmt()
	if s == nil || b.View || r.Block != nil || len(s.GetDistinctClause()) > 0 || len(s.GetGroupClause()) > 0 ||
		s.GetHavingClause() != nil ||
		s.GetOp() > pg.SetOperation_SETOP_NONE || len(s.GetLockingClause()) > 0 || oneRow(s) {
		return false
	}
	plain := true
	for _, n := range s.GetFromClause() {
		syntax.Walk(n, func(n *pg.Node) bool {
			j := n.GetJoinExpr()
			plain = plain && (j == nil || j.GetJointype() == pg.JoinType_JOIN_INNER)
			return true
		})
	}
	for _, n := range s.GetTargetList() {
		plain = plain && n.GetResTarget().GetVal().GetFuncCall().GetOver() == nil
	}
	return plain
}

func lockTested(w *verdict.Write, b *reading.Block, r *reading.Relation, kind AdviceKind, lock, said string) *Advice {
	if len(b.Relations) > 1 {
		lock = strings.Replace(lock, "UPDATE", "UPDATE OF "+syntax.Quote(r.Name), 1)
	}
	end := sqltext.ClausesOf(w.Query.Text, r.Location, false).End
	return &Advice{Kind: kind, Text: "… " + said, Edits: []sqltext.Edit{{Start: end, End: end, Text: lock}}}
}

// repeatTest suggests adding the tests, on the written table's own columns, to the WHERE of the write.
func repeatTest(w *verdict.Write, r *reading.Relation, stale []verdict.Test) *Advice {
	var conditions []string
	for _, t := range stale {
		condition := onTarget(w, r, t)
		if condition == "" {
			return nil
		}
		if !slices.Contains(conditions, condition) {
			conditions = append(conditions, condition)
		}
	}
	if w.Op == reading.Upsert {
		return nil
	}
	return guarded(w, RepeatTest, strings.Join(conditions, " AND "))
}

// onTarget rewrites a test of r as one of the written row; it returns "" if the test reads anything
// else.
func onTarget(w *verdict.Write, r *reading.Relation, t verdict.Test) string {
	if t.Source.Node == nil || holdsSubselect(t.Source.Node) {
		return ""
	}
	own := true
	again := syntax.Copy(t.Source.Node, func(ref *pg.ColumnRef) *pg.ColumnRef {
		from := w.Statement.Direct(&pg.Node{Node: &pg.Node_ColumnRef{ColumnRef: ref}}, t.Source.Block)
		if len(from) != 1 || from[0].Relation != r || from[0].Column == "" {
			own = false
			return ref
		}
		if w.Op == reading.Upsert || len(w.Block.Relations) > 1 {
			return syntax.Column(w.Target.Name, from[0].Column).GetColumnRef()
		}
		return syntax.Column(from[0].Column).GetColumnRef()
	})
	if !own || again == nil {
		return ""
	}
	condition := text(w.Query, again)
	if again.GetBoolExpr().GetBoolop() == pg.BoolExprType_OR_EXPR {
		condition = "(" + condition + ")"
	}
	return condition
}
