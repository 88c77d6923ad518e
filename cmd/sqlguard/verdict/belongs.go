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
	// holders matches columns that record who works on a row now, or the number of an attempt: testing
	// them is a fence.
	holders = regexp.MustCompile(`(^|_)(worker|lease|leased|lock|locked|claim|claimed|holder|held|reserved|leader|` +
		`token|attempt|epoch|version|revision|generation|nonce|etag|fence|run_by|taken_by|picked_by)(_|$)`)
	// owners matches columns that record the owner of a row, or its parent.
	owners = regexp.MustCompile(`(^|_)(owner|tenant|account|user|customer|author|creator|created_by|org|` +
		`organi[sz]ation|team|group|project|workspace|company|parent)$|_id$`)
	// camel finds the words of a name like ownerId.
	camel = regexp.MustCompile(`([a-z0-9])([A-Z])`)
)

// belongs reports whether a condition on the column restricts by owner or by a reference to another
// table's row. Such a condition is scope, even if a query can change the column: a row that moved to
// another owner was not edited by a competitor.
func (j *judge) belongs(n *pg.Node, column string, direct []reading.Source) bool {
	name := strings.ToLower(camel.ReplaceAllString(column, "${1}_$2"))
	if !equality(n) || holders.MatchString(name) {
		return false
	}
	return owners.MatchString(name) || j.refers(column) || slices.ContainsFunc(direct, j.keyOfAnother)
}

// refers reports whether the column references another table.
func (j *judge) refers(column string) bool {
	for _, f := range j.table.Foreign {
		if slices.Contains(f.Columns, column) {
			return true
		}
	}
	return false
}

// keyOfAnother reports whether the source is a key column of another table that the condition joins.
func (j *judge) keyOfAnother(s reading.Source) bool {
	return s.Origin == reading.FromColumn && s.Relation.Table != nil && s.Relation.Table != j.table &&
		s.Relation.Table.KeyColumn(s.Column)
}

// equality matches a = b, also of rows, arrays and lists.
func equality(n *pg.Node) bool {
	e := n.GetAExpr()
	if link := n.GetSubLink(); link.GetSubLinkType() == pg.SubLinkType_ANY_SUBLINK {
		return len(link.GetOperName()) == 0 // IN
	}
	return e != nil && (syntax.Operator(n) == "=" && e.GetKind() != pg.A_Expr_Kind_AEXPR_DISTINCT ||
		e.GetKind() == pg.A_Expr_Kind_AEXPR_NOT_DISTINCT)
}

// differs reports whether a condition only excludes values of a column: it identifies no row.
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
