package syntax

import (
	"strings"

	pg "github.com/sqlc-dev/oliphant"
)

const before = "SELECT "

// Text is an expression in SQL, "" where it cannot be written.
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

// Quote is a name as SQL needs it: in quotes where it would be read as another.
func Quote(name string) string { return Text(Column(name)) }

// Copy is a copy of an expression with other references to columns; nil where it cannot
// be copied.
func Copy(n *pg.Node, column func(*pg.ColumnRef) *pg.ColumnRef) *pg.Node {
	statements, err := Parse(before + Text(n))
	if err != nil || len(statements) != 1 {
		return nil
	}
	copied := statements[0].GetSelectStmt().GetTargetList()[0].GetResTarget().GetVal()
	Walk(copied, func(n *pg.Node) bool {
		if Param(n) { // sqlc.arg(name) has its name in the form of a column
			return false
		}
		if ref := n.GetColumnRef(); ref != nil {
			ref.Fields = column(ref).Fields
		}
		return true
	})
	return copied
}
