package rules

import (
	"slices"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/syntax"
	"waybill/cmd/sqlguard/verdict"
)

// apart reports whether two writes of a statement cannot touch the same row: their conditions exclude
// each other on the shared snapshot, one writes only what the other did not find, or one inserts what
// the other returned under a different key.
func apart(a, b *verdict.Write) bool {
	return contradict(claimsOf(a), claimsOf(b)) || without(a, b) || without(b, a) || insertsFrom(a, b) ||
		insertsFrom(b, a) || joinsElsewhere(a, b) || joinsElsewhere(b, a)
}

// without reports whether a write applies only where another found nothing: NOT EXISTS (other), NOT IN
// (other), or a row count of 0; or if the other takes its rows from a CTE, and this write takes rows
// that are not in it.
func without(w, other *verdict.Write) bool {
	for _, c := range append(slices.Clone(w.Conditions), inputConditions(w)...) {
		found := false
		syntax.Walk(c.Node, func(n *pg.Node) bool {
			link := n.GetSubLink()
			found = found || link != nil && reads(w.Statement.Sub(link, c.Block), other)
			return !found && link == nil
		})
		if found && saysNone(c.Node) {
			return true
		}
	}
	return false
}

// inputConditions returns the conditions of the blocks that feed a write or an upsert.
func inputConditions(w *verdict.Write) []reading.Condition {
	var all []reading.Condition
	for _, b := range reading.Upstream(w.Feeds()...) {
		all = append(all, b.Conditions...)
	}
	return all
}

func reads(b *reading.Block, other *verdict.Write) bool {
	taken := reading.Upstream(other.Feeds()...)
	return slices.ContainsFunc(reading.Upstream(b), func(b *reading.Block) bool {
		return b.Node == other.Node || b.InCTE && slices.Contains(taken, b)
	})
}

// saysNone matches NOT (…), c NOT IN (…), c <> ALL (…) and (SELECT count(*) …) = 0.
func saysNone(n *pg.Node) bool {
	n = syntax.Bare(n)
	if n.GetBoolExpr().GetBoolop() == pg.BoolExprType_NOT_EXPR {
		return true
	}
	if link := n.GetSubLink(); link.GetSubLinkType() == pg.SubLinkType_ALL_SUBLINK {
		return syntax.Last(link.GetOperName()) == "<>"
	}
	zero := syntax.Bare(n.GetAExpr().GetRexpr()).GetAConst()
	return syntax.Operator(n) == "=" && zero.GetIval() != nil && zero.GetIval().GetIval() == 0
}

// insertsFrom reports whether w is an upsert of rows that the other write returned, under a key that is
// not taken from them.
func insertsFrom(w, other *verdict.Write) bool {
	return w.Op == reading.Upsert && w.Again == nil && slices.ContainsFunc(reading.Upstream(w.Feeds()...),
		func(b *reading.Block) bool { return b.Node == other.Node })
}

// joinsElsewhere reports whether w joins the rows returned by the other write by a different column,
// like the children of the written rows.
func joinsElsewhere(w, other *verdict.Write) bool {
	joined := false
	for _, c := range w.Conditions {
		for _, p := range paired(w.Statement, c) {
			if p[0].Relation != w.Target || p[1].Relation.Table != w.Target.Table || p[1].Relation != other.Target {
				continue
			}
			if p[0].Column == p[1].Column {
				return false
			}
			joined = true
		}
	}
	return joined
}
