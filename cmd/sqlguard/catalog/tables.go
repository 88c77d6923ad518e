package catalog

import (
	"slices"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/syntax"
)

func (c *Catalog) createTable(s *pg.CreateStmt) {
	if known := c.lookup(s.GetRelation().GetSchemaname(),
		s.GetRelation().GetRelname()); s.GetIfNotExists() && known != nil && known.Known() {
		return
	}
	t := c.create(s.GetRelation())
	for _, parent := range s.GetInhRelations() {
		t.inherit(c.relation(parent.GetRangeVar()))
	}
	for _, e := range s.GetTableElts() {
		c.element(t, e)
	}
	for _, e := range s.GetConstraints() {
		t.constrain(e.GetConstraint(), "")
	}
}

func (c *Catalog) element(t *Table, n *pg.Node) {
	switch x := n.GetNode().(type) {
	case *pg.Node_ColumnDef:
		t.addColumn(x.ColumnDef)
	case *pg.Node_Constraint:
		t.constrain(x.Constraint, "")
	case *pg.Node_TableLikeClause:
		t.inherit(c.relation(x.TableLikeClause.GetRelation()))
	}
}

// inherit copies the columns and keys of a parent, a partitioned table or a LIKE source.
func (t *Table) inherit(parent *Table) {
	for _, c := range parent.Columns {
		column := *c
		t.Columns = append(t.Columns, &column)
	}
	for _, k := range parent.Keys {
		key := *k
		key.Columns, key.Predicate = slices.Clone(k.Columns), slices.Clone(k.Predicate)
		t.Keys = append(t.Keys, &key)
	}
	t.Triggers = append(t.Triggers, parent.Triggers...)
}

func (t *Table) addColumn(d *pg.ColumnDef) {
	column := &Column{Name: d.GetColname(), Type: syntax.Last(d.GetTypeName().GetNames()),
		NotNull: d.GetIsNotNull(), Default: d.GetRawDefault()}
	if old := t.Column(column.Name); old != nil {
		*old = *column
		column = old
	} else {
		t.Columns = append(t.Columns, column)
	}
	for _, n := range d.GetConstraints() {
		t.constrain(n.GetConstraint(), column.Name)
	}
}

// constrain adds a table constraint, or a constraint of one column.
func (t *Table) constrain(c *pg.Constraint, column string) {
	columns := syntax.Names(c.GetKeys())
	if column != "" {
		columns = []string{column}
	}
	switch c.GetContype() {
	case pg.ConstrType_CONSTR_PRIMARY, pg.ConstrType_CONSTR_UNIQUE:
		t.addKey(c, columns)
	case pg.ConstrType_CONSTR_FOREIGN:
		if column == "" {
			columns = syntax.Names(c.GetFkAttrs())
		}
		t.Foreign = append(t.Foreign, &ForeignKey{columns, c.GetPktable().GetRelname()})
	case pg.ConstrType_CONSTR_EXCLUSION:
		t.Exclude = true
	default:
		for _, name := range columns {
			t.describe(t.Column(name), c)
		}
	}
}

func (t *Table) addKey(c *pg.Constraint, columns []string) {
	if index := t.Constraint(c.GetIndexname()); index != nil { // ADD … USING INDEX
		columns = index.Columns
	}
	primary := c.GetContype() == pg.ConstrType_CONSTR_PRIMARY
	name := c.GetConname()
	if name == "" {
		name = defaultName(t.Name, columns, primary)
	}
	t.Keys = append(t.Keys, &Key{Name: name, Primary: primary, Columns: columns})
	for _, column := range columns {
		if known := t.Column(column); known != nil && primary {
			known.NotNull = true
		}
	}
}

// defaultName returns the name that PostgreSQL gives to an unnamed key.
func defaultName(table string, columns []string, primary bool) string {
	if primary {
		return table + "_pkey"
	}
	for _, column := range columns {
		table += "_" + column
	}
	return table + "_key"
}

// describe applies a column constraint to the column.
func (t *Table) describe(column *Column, c *pg.Constraint) {
	if column == nil {
		return
	}
	switch c.GetContype() {
	case pg.ConstrType_CONSTR_NOTNULL, pg.ConstrType_CONSTR_IDENTITY:
		column.NotNull = true
		column.Identity = column.Identity || c.GetContype() == pg.ConstrType_CONSTR_IDENTITY
	case pg.ConstrType_CONSTR_DEFAULT:
		column.Default = c.GetRawExpr()
	case pg.ConstrType_CONSTR_GENERATED:
		column.Generated = columnsOf(c.GetRawExpr())
	}
}

// columnsOf returns the names of the columns that an expression reads.
func columnsOf(n *pg.Node) []string {
	var columns []string
	syntax.Walk(n, func(n *pg.Node) bool {
		if ref := n.GetColumnRef(); ref != nil {
			if name := syntax.Last(ref.GetFields()); name != "" && !slices.Contains(columns, name) {
				columns = append(columns, name)
			}
		}
		return true
	})
	return columns
}
