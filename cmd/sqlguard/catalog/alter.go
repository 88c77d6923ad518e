package catalog

import (
	"slices"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/syntax"
)

func (c *Catalog) alterTable(s *pg.AlterTableStmt) {
	switch s.GetObjtype() {
	case pg.ObjectType_OBJECT_TABLE, pg.ObjectType_OBJECT_FOREIGN_TABLE:
	default:
		return
	}
	t := c.relation(s.GetRelation())
	for _, n := range s.GetCmds() {
		c.alter(t, n.GetAlterTableCmd())
	}
}

func (c *Catalog) alter(t *Table, cmd *pg.AlterTableCmd) {
	switch cmd.GetSubtype() {
	case pg.AlterTableType_AT_AddColumn:
		if t.Column(cmd.GetDef().GetColumnDef().GetColname()) == nil {
			t.addColumn(cmd.GetDef().GetColumnDef())
		}
	case pg.AlterTableType_AT_DropColumn:
		t.dropColumn(cmd.GetName())
	case pg.AlterTableType_AT_AddConstraint:
		t.constrain(cmd.GetDef().GetConstraint(), "")
	case pg.AlterTableType_AT_DropConstraint:
		t.dropKey(cmd.GetName())
	case pg.AlterTableType_AT_SetNotNull:
		t.change(cmd.GetName(), func(col *Column) { col.NotNull = true })
	case pg.AlterTableType_AT_DropNotNull:
		t.change(cmd.GetName(), func(col *Column) { col.NotNull = false })
	case pg.AlterTableType_AT_DropExpression:
		t.change(cmd.GetName(), func(col *Column) { col.Generated = nil })
	case pg.AlterTableType_AT_ColumnDefault:
		t.change(cmd.GetName(), func(col *Column) { col.Default = cmd.GetDef() })
	case pg.AlterTableType_AT_AlterColumnType:
		kind := syntax.Last(cmd.GetDef().GetColumnDef().GetTypeName().GetNames())
		t.change(cmd.GetName(), func(col *Column) { col.Type = kind })
	}
}

func (t *Table) change(column string, change func(*Column)) {
	if c := t.Column(column); c != nil {
		change(c)
	}
}

func (t *Table) dropColumn(column string) {
	t.Columns = slices.DeleteFunc(t.Columns, func(c *Column) bool { return c.Name == column })
	t.Keys = slices.DeleteFunc(t.Keys, func(k *Key) bool { return slices.Contains(k.Columns, column) })
}

func (t *Table) dropKey(key string) {
	t.Keys = slices.DeleteFunc(t.Keys, func(k *Key) bool { return k.Name == key })
}

func (c *Catalog) createIndex(s *pg.IndexStmt) {
	t := c.relation(s.GetRelation())
	k := &Key{Name: s.GetIdxname(), Partial: s.GetWhereClause() != nil, Predicate: columnsOf(s.GetWhereClause())}
	for _, n := range s.GetIndexParams() {
		e := n.GetIndexElem()
		if e.GetExpr() != nil {
			k.Exprs = true
			k.Columns = append(k.Columns, columnsOf(e.GetExpr())...)
			continue
		}
		k.Columns = append(k.Columns, e.GetName())
	}
	t.Indexed = append(t.Indexed, k.Columns...)
	if s.GetUnique() {
		t.Keys = append(t.Keys, k)
	}
}

func (c *Catalog) rename(s *pg.RenameStmt) {
	t := c.lookup(s.GetRelation().GetSchemaname(), s.GetRelation().GetRelname())
	if t == nil {
		return
	}
	switch s.GetRenameType() {
	case pg.ObjectType_OBJECT_COLUMN:
		t.renameColumn(s.GetSubname(), s.GetNewname())
	case pg.ObjectType_OBJECT_TABLE, pg.ObjectType_OBJECT_VIEW, pg.ObjectType_OBJECT_MATVIEW:
		c.move(t, t.Schema, s.GetNewname())
	case pg.ObjectType_OBJECT_TABCONSTRAINT:
		if k := t.Constraint(s.GetSubname()); k != nil {
			k.Name = s.GetNewname()
		}
	}
}

func (t *Table) renameColumn(from, to string) {
	t.change(from, func(c *Column) { c.Name = to })
	lists := [][]string{t.Indexed}
	for _, c := range t.Columns {
		lists = append(lists, c.Generated)
	}
	for _, k := range t.Keys {
		lists = append(lists, k.Columns, k.Predicate)
	}
	for _, f := range t.Foreign {
		lists = append(lists, f.Columns)
	}
	for _, names := range lists {
		if i := slices.Index(names, from); i >= 0 {
			names[i] = to
		}
	}
}

func (c *Catalog) moveTable(s *pg.AlterObjectSchemaStmt) {
	if t := c.lookup(s.GetRelation().GetSchemaname(), s.GetRelation().GetRelname()); t != nil {
		c.move(t, s.GetNewschema(), t.Name)
	}
}

func (c *Catalog) move(t *Table, schema, table string) {
	delete(c.relations, name{t.Schema, t.Name})
	t.Schema, t.Name = schema, table
	c.relations[name{schema, table}] = t
}

func (c *Catalog) drop(s *pg.DropStmt) {
	for _, object := range s.GetObjects() {
		switch s.GetRemoveType() {
		case pg.ObjectType_OBJECT_TABLE, pg.ObjectType_OBJECT_VIEW, pg.ObjectType_OBJECT_MATVIEW,
			pg.ObjectType_OBJECT_FOREIGN_TABLE:
			c.dropRelation(syntax.Names(object.GetList().GetItems()))
		case pg.ObjectType_OBJECT_INDEX:
			for _, t := range c.relations {
				t.dropKey(syntax.Last(object.GetList().GetItems()))
			}
		case pg.ObjectType_OBJECT_TRIGGER:
			c.dropTrigger(syntax.Names(object.GetList().GetItems()))
		case pg.ObjectType_OBJECT_FUNCTION, pg.ObjectType_OBJECT_PROCEDURE, pg.ObjectType_OBJECT_ROUTINE:
			c.dropFunction(syntax.Names(object.GetObjectWithArgs().GetObjname()))
		}
	}
}

// dropRelation removes a relation by its name, with or without a schema.
func (c *Catalog) dropRelation(names []string) {
	schema, table := qualified(names)
	if t := c.lookup(schema, table); t != nil {
		delete(c.relations, name{t.Schema, t.Name})
	}
}

func qualified(names []string) (schema, object string) {
	switch len(names) {
	case 0:
		return "", ""
	case 1:
		return "", names[0]
	}
	return names[len(names)-2], names[len(names)-1]
}
