// Package catalog models a schema from its DDL statements: tables with their columns and keys, views,
// triggers and functions.
package catalog

import (
	"slices"
	"sync"

	pg "github.com/sqlc-dev/oliphant"
)

// Catalog is a database's schema.
type Catalog struct {
	relations map[name]*Table
	functions map[name][]*Function
	path      []string // the search path

	mu sync.Mutex // guards relations: an unknown relation is added when it is first looked up
}

// name is the name of a relation or function. Without a schema it is resolved through the search path.
type name struct{ schema, name string }

// Table is a table or view.
type Table struct {
	Schema  string
	Name    string
	Columns []*Column
	Keys    []*Key
	Foreign []*ForeignKey
	Indexed []string       // the first column of each index
	Exclude bool           // it has an exclusion constraint
	View    *pg.SelectStmt // the query of a view
	Aliases []string       // column aliases of a view

	Triggers []*Trigger
	unknown  bool
}

// Column is a column of a table.
type Column struct {
	Name      string
	Type      string
	NotNull   bool
	Identity  bool // an identity column
	Default   *pg.Node
	Generated []string // the columns that a generated one is computed from
}

// Key is a primary key, unique constraint or unique index.
type Key struct {
	Name      string
	Primary   bool
	Columns   []string // including those inside its expressions
	Exprs     bool     // it contains expressions
	Partial   bool
	Predicate []string // the columns read by the predicate of a partial key
}

// ForeignKey is a reference to another table.
type ForeignKey struct {
	Columns []string
	Table   string
}

// Trigger is a trigger of a table.
type Trigger struct {
	Name     string
	Before   bool
	OnUpdate bool
	Function string
	Args     []string
}

// New returns an empty catalog whose search path is public.
func New() *Catalog {
	return &Catalog{relations: map[name]*Table{}, functions: map[name][]*Function{}, path: []string{"public"}}
}

// Table returns the relation of that name. A relation that the schema does not contain is returned as
// an unknown table.
func (c *Catalog) Table(schema, relation string) *Table {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.lookup(schema, relation); t != nil {
		return t
	}
	if schema == "" {
		schema = c.path[0]
	}
	t := &Table{Schema: schema, Name: relation, unknown: true}
	c.relations[name{schema, relation}] = t
	return t
}

func (c *Catalog) lookup(schema, relation string) *Table {
	schemas := c.path
	if schema != "" {
		schemas = []string{schema}
	}
	for _, s := range schemas {
		if t := c.relations[name{s, relation}]; t != nil {
			return t
		}
	}
	return nil
}

// Tables returns all relations, in no particular order.
func (c *Catalog) Tables() []*Table {
	var all []*Table
	for _, t := range c.relations {
		all = append(all, t)
	}
	return all
}

// Known reports whether the schema describes the table.
func (t *Table) Known() bool { return !t.unknown }

// String returns the table's name, schema-qualified unless the schema is public.
func (t *Table) String() string {
	if t.Schema == "public" || t.Schema == "" {
		return t.Name
	}
	return t.Schema + "." + t.Name
}

// Column is the column of that name, or nil.
func (t *Table) Column(column string) *Column {
	for _, c := range t.Columns {
		if c.Name == column {
			return c
		}
	}
	return nil
}

// Base returns the columns that a column's value is computed from: those of the expression of a
// generated column, otherwise the column itself.
func (t *Table) Base(column string) []string {
	if c := t.Column(column); c != nil && len(c.Generated) > 0 {
		return c.Generated
	}
	return []string{column}
}

// KeyColumn reports whether the column belongs to any key.
func (t *Table) KeyColumn(column string) bool {
	return slices.ContainsFunc(t.Keys, func(k *Key) bool { return slices.Contains(k.Columns, column) })
}

// Constraint is the key of that name, or nil.
func (t *Table) Constraint(key string) *Key {
	for _, k := range t.Keys {
		if key != "" && k.Name == key {
			return k
		}
	}
	return nil
}

// Covered reports whether conditions on the given columns identify the key's row: they must include all
// columns of the key and of its predicate.
func (k *Key) Covered(columns func(string) bool) bool {
	for _, c := range append(slices.Clone(k.Columns), k.Predicate...) {
		if !columns(c) {
			return false
		}
	}
	return len(k.Columns) > 0
}
