package rules

import (
	"slices"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/sqltext"
	"waybill/cmd/sqlguard/syntax"
)

var missingScope = &Rule{
	ID: "missing-scope", Severity: Error,
	Summary: "A table with a tenant column is read or written without it (off until the columns are named).",
	check:   checkMissingScope,
}

func checkMissingScope(c *check) {
	viewer := c.namesViewer()
	for _, s := range c.query.Statements {
		for _, b := range s.Blocks {
			if b.View || b.Upsert {
				continue
			}
			c.tenants(s, b)
			for _, r := range b.Relations {
				if !viewer && r.Table != nil && !r.Written && slices.Contains(c.options.Viewed, r.Table.String()) {
					c.at(r.Location, r.Table.String(),
						r.Table.String()+" is read without a viewer parameter ("+list(c.options.Viewer)+").")
				}
			}
		}
	}
}

// tenants reports each relation of a block whose tenant column is not determined.
func (c *check) tenants(s *reading.Statement, b *reading.Block) {
	for _, column := range c.options.Tenant {
		known := determined(s, b, column)
		for _, r := range b.Relations {
			if r.CTE || r.Table == nil || known.column(r, column) || sameRow(s, b, r, column) {
				continue
			}
			if r.Written && c.inserts(b, r, column) {
				continue
			}
			c.at(r.Location, r.Table.String(),
				r.Table.String()+"."+column+" has no condition: rows of every tenant are affected.",
				"The query can read or change the rows of another tenant.",
			).Advice = c.askForTenant(b, r, column)
		}
	}
}

// askForTenant suggests adding the tenant condition to the WHERE of the block that reads or writes r.
func (c *check) askForTenant(b *reading.Block, r *reading.Relation, column string) *Advice {
	if b.Node.GetInsertStmt() != nil && r.Written || b.Node.GetMergeStmt() != nil || b.Node.GetTruncateStmt() != nil ||
		r.Block != nil || byCursor(b.Conditions) {
		return nil
	}
	condition := syntax.Quote(r.Name) + "." + syntax.Quote(column) + " = " + param(c.query, column, 0)
	return &Advice{Kind: AskForTenant, Text: "… AND " + condition,
		Edits: sqltext.ClausesOf(c.query.Text, r.Location, false).And(condition)}
}

// inserts reports whether b is an INSERT that sets the tenant column.
func (c *check) inserts(b *reading.Block, r *reading.Relation, column string) bool {
	insert := b.Node.GetInsertStmt()
	if insert == nil || len(insert.GetCols()) == 0 {
		return insert != nil
	}
	return slices.ContainsFunc(insert.GetCols(), func(n *pg.Node) bool { return n.GetResTarget().GetName() == column })
}

// place is a column of a relation.
type place struct {
	relation *reading.Relation
	column   string
}

// values are the columns whose value is determined by a block's conditions.
type values map[place]bool

// column reports whether a relation's column is determined, or does not exist.
func (v values) column(r *reading.Relation, column string) bool {
	from := r.Column(column)
	if r.Block == nil && r.Table.Column(column) == nil {
		return true
	}
	return !slices.ContainsFunc(from,
		func(f reading.Source) bool { return f.Relation != nil && !v[place{f.Relation, f.Column}] })
}

// tables returns the relations, with the base tables of views among them.
func tables(relations []*reading.Relation) []*reading.Relation {
	var all []*reading.Relation
	for _, r := range relations {
		all = append(all, r)
		if r.Block != nil && r.Table != nil {
			all = append(all, tables(r.Block.Relations)...)
		}
	}
	return all
}

// determined propagates equalities from parameters and from the results of other blocks to a fixed
// point.
func determined(s *reading.Statement, b *reading.Block, tenant string) values {
	v := values{}
	inside := tables(b.Relations)
	pairs := equalities(b)
	for again := true; again; {
		again = false
		for _, p := range pairs {
			again = v.learn(s, b, inside, p[0], p[1]) || v.learn(s, b, inside, p[1], p[0]) || again
		}
		for _, r := range b.Relations {
			again = v.found(r, tenant) || again
		}
	}
	return v
}

// learn marks a column as determined if it equals something determined.
func (v values) learn(s *reading.Statement, b *reading.Block, inside []*reading.Relation, column, value *pg.Node) bool {
	ref := syntax.Bare(column).GetColumnRef()
	if ref == nil {
		return false
	}
	from := s.Direct(column, b)
	if len(from) != 1 || from[0].Relation == nil || v[place{from[0].Relation, from[0].Column}] {
		return false
	}
	for _, f := range s.Direct(value, b) {
		if f.Relation != nil && slices.Contains(inside, f.Relation) && !v[place{f.Relation, f.Column}] {
			return false
		}
	}
	v[place{from[0].Relation, from[0].Column}] = true
	return true
}

// found marks all columns of a row as determined once a whole key is. A row with a tenant column must
// still name the tenant.
func (v values) found(r *reading.Relation, tenant string) bool {
	if r.Block != nil || r.Table == nil || r.Table.Column(tenant) != nil {
		return false
	}
	again := false
	for _, k := range r.Table.Keys {
		if !k.Covered(func(c string) bool { return v[place{r, c}] }) {
			continue
		}
		for _, c := range r.Table.Columns {
			again = again || !v[place{r, c.Name}]
			v[place{r, c.Name}] = true
		}
	}
	return again
}

// equalities returns the pairs of expressions that a block's conditions equate, including row
// comparisons.
func equalities(b *reading.Block) [][2]*pg.Node {
	var pairs [][2]*pg.Node
	for _, c := range b.Conditions {
		if link := c.Node.GetSubLink(); link != nil && link.GetSubLinkType() == pg.SubLinkType_ANY_SUBLINK {
			for _, left := range items(link.GetTestexpr()) {
				pairs = append(pairs, [2]*pg.Node{left, nil})
			}
		}
		e := c.Node.GetAExpr()
		if syntax.Operator(c.Node) != "=" || e.GetLexpr() == nil {
			continue
		}
		left, right := items(e.GetLexpr()), items(e.GetRexpr())
		for i := range left {
			value := e.GetRexpr()
			if len(left) == len(right) {
				value = right[i]
			}
			pairs = append(pairs, [2]*pg.Node{left[i], value})
		}
	}
	return pairs
}

func items(n *pg.Node) []*pg.Node {
	if row := syntax.Bare(n).GetRowExpr(); row != nil {
		return row.GetArgs()
	}
	return []*pg.Node{n}
}

// namesViewer reports whether a query has one of the viewer parameters.
func (c *check) namesViewer() bool {
	_, params := sqltext.Number(c.query.Text)
	for _, name := range params {
		if slices.Contains(c.options.Viewer, name) {
			return true
		}
	}
	found := false
	for _, s := range c.query.Statements {
		syntax.Walk(s.Root.Node, func(n *pg.Node) bool {
			_, name := syntax.Macro(n)
			found = found || slices.Contains(c.options.Viewer, name)
			return !found
		})
	}
	return found
}
