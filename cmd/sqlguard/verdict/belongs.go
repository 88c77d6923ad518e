package verdict

import (
	"regexp"
	"slices"
	"strings"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/syntax"
)

var (
	// holders are columns, by a word of their name, that say who works on a row now, or
	// which try it is: losing it is what a fence tells.
	holders = regexp.MustCompile(`(^|_)(worker|lease|leased|lock|locked|claim|claimed|holder|held|reserved|leader|token|attempt|epoch|version|revision|generation|nonce|etag|fence|run_by|taken_by|picked_by)(_|$)`)
	// owners are columns that say whose row it is, or what it is a part of.
	owners = regexp.MustCompile(`(^|_)(owner|tenant|account|user|customer|author|creator|created_by|org|organi[sz]ation|team|group|project|workspace|company|parent)$|_id$`)
	// camel finds the words of a name like ownerId.
	camel = regexp.MustCompile(`([a-z0-9])([A-Z])`)
)

// belongs reports whether a condition asks by the column whose row it is, or to which
// other table's row it belongs: that is scope, also where a query can change it. A row
// that has moved to another owner is not one that somebody else has worked on.
func (j *judge) belongs(n *pg.Node, column string, direct []reading.Source) bool {
	name := strings.ToLower(camel.ReplaceAllString(column, "${1}_$2"))
	if !equality(n) || holders.MatchString(name) {
		return false
	}
	return owners.MatchString(name) || j.refers(column) || slices.ContainsFunc(direct, j.keyOfAnother)
}

// refers reports whether the column is a reference to another table.
func (j *judge) refers(column string) bool {
	for _, f := range j.table.Foreign {
		if slices.Contains(f.Columns, column) {
			return true
		}
	}
	return false
}

// keyOfAnother: a column of a key of another table, to which the condition joins.
func (j *judge) keyOfAnother(s reading.Source) bool {
	return s.Origin == reading.FromColumn && s.Relation.Table != nil && s.Relation.Table != j.table &&
		s.Relation.Table.KeyColumn(s.Column)
}

// equality: a = b, also of rows, arrays and lists.
func equality(n *pg.Node) bool {
	e := n.GetAExpr()
	if link := n.GetSubLink(); link.GetSubLinkType() == pg.SubLinkType_ANY_SUBLINK {
		return len(link.GetOperName()) == 0 // IN
	}
	return e != nil && (syntax.Operator(n) == "=" && e.GetKind() != pg.A_Expr_Kind_AEXPR_DISTINCT ||
		e.GetKind() == pg.A_Expr_Kind_AEXPR_NOT_DISTINCT)
}

// differs reports whether a condition only says what a column is not: it names no row.
func differs(n *pg.Node, not bool) bool {
	n = syntax.Bare(n)
	if b := n.GetBoolExpr(); b.GetBoolop() == pg.BoolExprType_NOT_EXPR && len(b.GetArgs()) == 1 {
		return differs(b.GetArgs()[0], !not)
	}
	if link := n.GetSubLink(); link.GetTestexpr() != nil {
		return (syntax.Last(link.GetOperName()) == "<>") != not
	}
	e := n.GetAExpr()
	switch {
	case e == nil:
		return false
	case e.GetKind() == pg.A_Expr_Kind_AEXPR_DISTINCT:
		return !not
	case syntax.Operator(n) == "<>":
		return !not
	}
	return not && equality(n)
}
