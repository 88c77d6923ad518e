package rules

import (
	"slices"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/syntax"
	"waybill/cmd/sqlguard/verdict"
)

// apart reports whether two writes of a statement cannot mean the same row: their
// conditions exclude each other on the snapshot that both see, one of them is of what
// the other did not find, or it inserts what the other returned under another key.
func apart(a, b *verdict.Write) bool {
	return contradict(claimsOf(a), claimsOf(b)) || without(a, b) || without(b, a) || insertsFrom(a, b) ||
		insertsFrom(b, a) || joinsElsewhere(a, b) || joinsElsewhere(b, a)
}

// without reports whether one write is only of what another did not find: NOT EXISTS
// (the other), NOT IN (the other), or where the number of its rows is 0. It is also
// where the other takes its rows from a CTE, and this one those that are not in it.
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

// inputConditions are the conditions of what feeds a write, or an upsert.
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

// saysNone: NOT (…), c NOT IN (…), c <> ALL (…), (SELECT count(*) …) = 0.
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

// insertsFrom reports whether w is an upsert of what the other returned, under a key
// that is not read from it.
func insertsFrom(w, other *verdict.Write) bool {
	return w.Op == reading.Upsert && w.Again == nil && slices.ContainsFunc(reading.Upstream(w.Feeds()...),
		func(b *reading.Block) bool { return b.Node == other.Node })
}

// joinsElsewhere reports whether w finds its rows by what the other returned, but not by
// the same column: the children of the rows that the other wrote.
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
