package rules

import (
	"slices"

	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/syntax"
)

// sameRow reports whether a key finds r's row by values that another part of the statement read from
// the same table, with its tenant: a claimed job, or rows locked in order first.
func sameRow(s *reading.Statement, b *reading.Block, r *reading.Relation, tenant string) bool {
	equal := map[*reading.Relation]map[string]bool{}
	for _, c := range b.Conditions {
		for _, p := range paired(s, c) {
			if p[0].Relation != r || p[1].Relation == r || p[1].Relation.Table != r.Table ||
				p[0].Column != p[1].Column {
				continue
			}
			if equal[p[1].Relation] == nil {
				equal[p[1].Relation] = map[string]bool{}
			}
			equal[p[1].Relation][p[0].Column] = true
		}
	}
	for other, columns := range equal {
		for _, k := range r.Table.Keys {
			if !k.Partial && !k.Exprs && k.Covered(func(c string) bool { return columns[c] }) &&
				scopedThere(s, other, tenant) {
				return true
			}
		}
	}
	return false
}

// paired returns the columns that a condition equates, a = b, a = (SELECT b …) or a IN (SELECT b …), in
// both directions.
func paired(s *reading.Statement, c reading.Condition) [][2]reading.Source {
	var pairs [][2]reading.Source
	add := func(left, right []reading.Source) {
		if len(left) == 1 && len(right) == 1 && left[0].Relation != nil && right[0].Relation != nil {
			pairs = append(pairs, [2]reading.Source{left[0], right[0]}, [2]reading.Source{right[0], left[0]})
		}
	}
	for _, p := range equalities(&reading.Block{Conditions: []reading.Condition{c}}) {
		plain := func(i int) bool { n := syntax.Bare(p[i]); return n.GetColumnRef() != nil || n.GetSubLink() != nil }
		if plain(0) && plain(1) {
			add(s.Sources(p[0], c.Block), s.Sources(p[1], c.Block))
		}
	}
	if link := c.Node.GetSubLink(); link.GetTestexpr() != nil {
		outputs := s.Sub(link, c.Block).Outputs
		for i, left := range items(link.GetTestexpr()) {
			if i < len(outputs) && syntax.Bare(left).GetColumnRef() != nil {
				add(s.Direct(left, c.Block), outputs[i].From)
			}
		}
	}
	return pairs
}

// scopedThere reports whether the block that reads a relation determines its tenant.
func scopedThere(s *reading.Statement, r *reading.Relation, tenant string) bool {
	return slices.ContainsFunc(s.Blocks, func(b *reading.Block) bool {
		return slices.Contains(b.Relations, r) && determined(s, b, tenant).column(r, tenant)
	})
}
