package rules

import (
	"slices"
	"strings"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/catalog"
	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/sqltext"
	"waybill/cmd/sqlguard/syntax"
)

var unboundedRead = &Rule{
	ID: "unbounded-read", Severity: Warning,
	Summary: "A :many query without LIMIT, or a key that bounds it, loads a table however large it is.",
	check:   checkUnboundedRead,
}

func checkUnboundedRead(c *check) {
	if c.query.Command != ":many" {
		return
	}
	for _, s := range c.query.Statements {
		b := s.Root
		sel := b.Node.GetSelectStmt()
		if sel == nil || b.Limited || len(b.Relations) == 0 || oneRow(sel) || len(sel.GetGroupClause()) > 0 ||
			c.bounded(s, b) {
			continue
		}
		t := b.Relations[0].Table
		if t.Schema == "information_schema" || t.Schema == "pg_catalog" ||
			!t.Known() && strings.HasPrefix(t.Name, "pg_") {
			continue // limited by the size of the schema
		}
		f := c.at(max(b.Relations[0].Location, 0), t.String(),
			"All rows of "+t.String()+" that match are loaded, without an upper bound.",
			"The result grows with the table, and is held in memory.")
		f.Advice = c.limitRows(sel, b)
		if filtered(s, b) {
			f.Severity = Note
		}
	}
}

// limitRows suggests a LIMIT, and for rows of a table without an order also an order for paging.
func (c *check) limitRows(sel *pg.SelectStmt, b *reading.Block) *Advice {
	clauses := sqltext.ClausesOf(c.query.Text, max(b.Relations[0].Location, 0), false)
	limit := "LIMIT " + param(c.query, "max_rows", 0)
	plain := len(sel.GetDistinctClause()) == 0 && len(sel.GetGroupClause()) == 0 &&
		sel.GetOp() <= pg.SetOperation_SETOP_NONE
	if t := b.Relations[0].Table; plain && !b.Ordered && t.View == nil {
		if i := slices.IndexFunc(t.Keys, func(k *catalog.Key) bool { return k.Primary }); i >= 0 {
			var order []string
			for _, column := range t.Keys[i].Columns {
				order = append(order, syntax.Quote(b.Relations[0].Name)+"."+syntax.Quote(column))
			}
			limit = "ORDER BY " + list(order) + " " + limit
		}
	}
	return &Advice{Kind: LimitRows, Text: "… " + limit + ", with keyset pagination",
		Edits: []sqltext.Edit{{Start: clauses.End, End: clauses.End, Text: " " + limit}}}
}

// oneRow reports whether a SELECT only aggregates, over all rows or by group.
func oneRow(s *pg.SelectStmt) bool {
	for _, n := range s.GetTargetList() {
		f := syntax.Bare(n.GetResTarget().GetVal()).GetFuncCall()
		if _, name := syntax.Function(f); f.GetOver() == nil &&
			slices.Contains([]string{"count", "sum", "min", "max", "avg", "array_agg", "json_agg",
				"jsonb_agg", "string_agg", "bool_or", "bool_and"}, name) {
			return true
		}
	}
	return false
}

// bounded reports whether a relation limits the result: it is built from parameters, it is a CTE or
// subselect (which is checked itself), or it is read by a key.
func (c *check) bounded(s *reading.Statement, b *reading.Block) bool {
	for _, r := range b.Relations {
		if r.Table == nil || r.CTE {
			return true
		}
		for _, cond := range b.Conditions {
			if !cond.Outer && c.asksForKey(s, b, r, cond.Node) {
				return true
			}
		}
	}
	return false
}

// asksForKey reports whether a condition compares the leading column of a key, foreign key or index
// with a value. Tenant columns do not count.
func (c *check) asksForKey(s *reading.Statement, b *reading.Block, r *reading.Relation, n *pg.Node) bool {
	e := n.GetAExpr()
	if syntax.Operator(n) != "=" || e == nil && n.GetSubLink() == nil {
		return false
	}
	own, given := false, n.GetSubLink() != nil
	for _, from := range s.Direct(n, b) {
		switch {
		case from.Origin == reading.FromParam:
			given = true
		case from.Relation == r && c.findsRows(r.Table, from.Column):
			own = true
		case from.Relation != nil && !slices.Contains(b.Relations, from.Relation):
			given = true
		}
	}
	return own && given
}

func (c *check) findsRows(t *catalog.Table, column string) bool {
	if slices.Contains(c.options.Tenant, column) {
		return false
	}
	foreign := slices.ContainsFunc(t.Foreign,
		func(f *catalog.ForeignKey) bool { return slices.Contains(f.Columns, column) })
	return foreign || t.KeyColumn(column) || slices.Contains(t.Indexed, column) || !t.Known()
}

// filtered reports whether a parameter filters the rows.
func filtered(s *reading.Statement, b *reading.Block) bool {
	return slices.ContainsFunc(b.Conditions, func(cond reading.Condition) bool {
		return slices.ContainsFunc(s.Direct(cond.Node, b),
			func(from reading.Source) bool { return from.Origin == reading.FromParam })
	})
}
