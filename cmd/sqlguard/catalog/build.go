package catalog

import (
	"errors"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/project"
	"waybill/cmd/sqlguard/sqltext"
	"waybill/cmd/sqlguard/syntax"
)

// Build applies the statements of a schema in order. Statements that do not parse are returned as
// errors and skipped.
func Build(statements []*project.Statement) (*Catalog, []error) {
	c := New()
	var errs []error
	for _, s := range statements {
		nodes, err := syntax.Parse(s.Text)
		if err != nil {
			errs = append(errs, located(s, err))
		}
		for _, n := range nodes {
			c.apply(n)
		}
	}
	return c, errs
}

// Of builds a catalog from the text of one schema.
func Of(text string) (*Catalog, []error) {
	f := project.NewFile("schema.sql", text)
	var all []*project.Statement
	for _, s := range sqltext.Statements(text) {
		all = append(all, &project.Statement{File: f, Offset: s.Start, Text: text[s.Start:s.End]})
	}
	return Build(all)
}

func located(s *project.Statement, err error) error {
	var parse *syntax.Error
	offset := s.Offset
	message := err.Error()
	if errors.As(err, &parse) {
		offset, message = offset+parse.Offset, parse.Message
	}
	line, column := s.File.Lines().Position(offset)
	return &project.Error{Path: s.File.Path, Line: line, Column: column, Message: message}
}

// apply applies one statement of a schema to the catalog.
func (c *Catalog) apply(n *pg.Node) {
	switch x := n.GetNode().(type) {
	case *pg.Node_CreateStmt:
		c.createTable(x.CreateStmt)
	case *pg.Node_CreateForeignTableStmt:
		c.createTable(x.CreateForeignTableStmt.GetBaseStmt())
	case *pg.Node_CreateTableAsStmt:
		c.createAs(x.CreateTableAsStmt)
	case *pg.Node_ViewStmt:
		c.createView(x.ViewStmt)
	case *pg.Node_AlterTableStmt:
		c.alterTable(x.AlterTableStmt)
	case *pg.Node_IndexStmt:
		c.createIndex(x.IndexStmt)
	case *pg.Node_RenameStmt:
		c.rename(x.RenameStmt)
	case *pg.Node_AlterObjectSchemaStmt:
		c.moveTable(x.AlterObjectSchemaStmt)
	case *pg.Node_DropStmt:
		c.drop(x.DropStmt)
	case *pg.Node_CreateFunctionStmt:
		c.createFunction(x.CreateFunctionStmt)
	case *pg.Node_CreateTrigStmt:
		c.createTrigger(x.CreateTrigStmt)
	case *pg.Node_VariableSetStmt:
		c.set(x.VariableSetStmt)
	case *pg.Node_CreateSchemaStmt:
		for _, element := range x.CreateSchemaStmt.GetSchemaElts() {
			c.apply(element)
		}
	}
}

// set applies a change of the search path.
func (c *Catalog) set(s *pg.VariableSetStmt) {
	if s.GetName() != "search_path" {
		return
	}
	var path []string
	for _, arg := range s.GetArgs() {
		if schema := arg.GetAConst().GetSval().GetSval(); schema != "" && schema != "pg_catalog" {
			path = append(path, schema)
		}
	}
	if len(path) > 0 {
		c.path = path
	}
}

// relation is the relation that a RangeVar names.
func (c *Catalog) relation(r *pg.RangeVar) *Table {
	return c.Table(r.GetSchemaname(), r.GetRelname())
}

// create adds a new relation under the name, replacing an unknown one.
func (c *Catalog) create(r *pg.RangeVar) *Table {
	schema := r.GetSchemaname()
	if schema == "" {
		schema = c.path[0]
	}
	t := &Table{Schema: schema, Name: r.GetRelname()}
	c.relations[name{schema, t.Name}] = t
	return t
}
