package syntax

import (
	"strings"

	pg "github.com/sqlc-dev/oliphant"
)

const before = "SELECT "

// Text returns an expression as SQL, "" if it cannot be deparsed.
func Text(n *pg.Node) string {
	target := &pg.Node{Node: &pg.Node_ResTarget{ResTarget: &pg.ResTarget{Val: n}}}
	text, err := pg.Deparse(
		&pg.ParseResult{Stmts: []*pg.RawStmt{{Stmt: &pg.Node{Node: &pg.Node_SelectStmt{SelectStmt: &pg.SelectStmt{
			TargetList: []*pg.Node{target}, LimitOption: pg.LimitOption_LIMIT_OPTION_DEFAULT,
			Op: pg.SetOperation_SETOP_NONE,
		}}}}}})
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(text, before)
}

// Quote returns a name for SQL, quoted where necessary.
func Quote(name string) string { return Text(Column(name)) }

// Copy returns a copy of an expression with its column references replaced; nil if it cannot be copied.
func Copy(n *pg.Node, column func(*pg.ColumnRef) *pg.ColumnRef) *pg.Node {
	statements, err := Parse(before + Text(n))
	if err != nil || len(statements) != 1 {
		return nil
	}
	copied := statements[0].GetSelectStmt().GetTargetList()[0].GetResTarget().GetVal()
	Walk(copied, func(n *pg.Node) bool {
		if Param(n) { // the argument of sqlc.arg(name) looks like a column
			return false
		}
		if ref := n.GetColumnRef(); ref != nil {
			ref.Fields = column(ref).Fields
		}
		return true
	})
	return copied
}
