package rules

import (
	"slices"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/syntax"
	"waybill/cmd/sqlguard/verdict"
)

var unorderedLocks = &Rule{
	ID: "unordered-locks", Severity: Note,
	Summary: "Several rows are locked in plan order, so that two such writes can deadlock.",
	check:   checkUnorderedLocks,
}

func checkUnorderedLocks(c *check) {
	for _, w := range c.query.Writes {
		if w.Op == reading.Update && w.Function == "" && several(w) && !lockedInOrder(w) {
			c.on(w, "Several rows of "+w.Table()+" are locked in plan order.",
				"Two such statements with common rows can deadlock: one of them fails with 40P01.",
			).
				Advice = &Advice{Kind: LockInOrder, Text: "WITH locked AS (SELECT … ORDER BY " +
				order(w) + " FOR NO KEY UPDATE) UPDATE … FROM locked …"}
		}
	}
}

func order(w *verdict.Write) string {
	if len(w.Keys) > 0 {
		return quotedList(w.Keys[0].Columns)
	}
	return "its key"
}

// several reports whether a write takes a list of keys: from an array, an IN list, or rows built from
// parameters.
func several(w *verdict.Write) bool {
	for _, t := range w.Of(verdict.Identity) {
		if lists(t.Source.Node) {
			return true
		}
	}
	return slices.ContainsFunc(w.Block.Relations, func(r *reading.Relation) bool {
		return r != w.Target && made(r)
	})
}

// lists matches c = ANY (array) and c IN (a, b …).
func lists(n *pg.Node) bool {
	e := n.GetAExpr()
	if e.GetKind() == pg.A_Expr_Kind_AEXPR_OP_ANY {
		return !holdsSubselect(e.GetRexpr())
	}
	if e.GetKind() != pg.A_Expr_Kind_AEXPR_IN {
		return false
	}
	items := e.GetRexpr().GetList().GetItems()
	macro := ""
	if len(items) == 1 {
		macro, _ = syntax.Macro(items[0])
	}
	return len(items) > 1 || macro == "slice"
}

func holdsSubselect(n *pg.Node) bool {
	found := false
	syntax.Walk(n, func(n *pg.Node) bool {
		found = found || n.GetSubLink() != nil
		return !found
	})
	return found
}

// made reports whether a relation's rows are built from parameters rather than read.
func made(r *reading.Relation) bool {
	if r.Block == nil {
		return r.Table == nil
	}
	found := false
	for _, b := range reading.Upstream(r.Block) {
		found = found || len(b.Node.GetSelectStmt().GetValuesLists()) > 1 || makesRows(b.Node.GetSelectStmt())
		for _, inner := range b.Relations {
			if inner.Table != nil {
				return false
			}
			found = found || inner.Block == nil
		}
	}
	return found
}

// rowMakers are set-returning functions that expand an array or a document.
var rowMakers = []string{"unnest", "generate_series", "json_array_elements", "jsonb_array_elements",
	"jsonb_array_elements_text", "json_array_elements_text",
	"jsonb_to_recordset", "json_to_recordset", "jsonb_populate_recordset", "json_populate_recordset",
	"string_to_table", "regexp_split_to_table"}

// makesRows reports whether a SELECT's target list multiplies rows.
func makesRows(s *pg.SelectStmt) bool {
	found := false
	syntax.WalkAll(s.GetTargetList(), func(n *pg.Node) bool {
		_, name := syntax.Function(n.GetFuncCall())
		found = found || slices.Contains(rowMakers, name)
		return !found
	})
	return found
}

// lockedInOrder reports whether a SELECT that feeds the write locks the table's rows in order, or skips
// locked rows.
func lockedInOrder(w *verdict.Write) bool {
	for _, b := range reading.Upstream(w.Block.Inputs...) {
		for _, r := range b.Relations {
			if r.Table == w.Target.Table && r.Locked && (b.Ordered || b.SkipLocked) {
				return true
			}
		}
	}
	return false
}
