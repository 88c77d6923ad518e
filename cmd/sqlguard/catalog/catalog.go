// Package catalog is what a schema's statements say: tables with their columns and
// keys, views, triggers and functions.
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

	mu sync.Mutex // over relations: an unknown one is added when it is asked for
}

// name is a relation's or function's; without a schema it is searched for.
type name struct{ schema, name string }

// Table is a table or view.
type Table struct {
	Schema  string
	Name    string
	Columns []*Column
	Keys    []*Key
	Foreign []*ForeignKey
	Indexed []string       // columns that any index begins with
	Exclude bool           // it has an exclusion constraint
	View    *pg.SelectStmt // of a view
	Aliases []string       // a view's own names for its columns

	Triggers []*Trigger
	unknown  bool
}

// Column is a column of a table.
type Column struct {
	Name      string
	Type      string
	NotNull   bool
	Identity  bool // PostgreSQL numbers it
	Default   *pg.Node
	Generated []string // the columns that a generated one is computed from
}

// Key is what makes a row unique.
type Key struct {
	Name      string
	Primary   bool
	Columns   []string // those of its expressions too
	Exprs     bool     // it has expressions
	Partial   bool
	Predicate []string // the columns that a partial key's predicate reads
}

// ForeignKey refers to another table.
type ForeignKey struct {
	Columns []string
	Table   string
}

// Trigger runs a function for a table's rows.
type Trigger struct {
	Name     string
	Before   bool
	OnUpdate bool
	Function string
	Args     []string
}

// New is an empty catalog whose search path is public.
func New() *Catalog {
	return &Catalog{relations: map[name]*Table{}, functions: map[name][]*Function{}, path: []string{"public"}}
}

// Table is the relation of that name; where the schema has none, a table of which
// nothing is known.
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

// Tables are all relations, in no order.
func (c *Catalog) Tables() []*Table {
	var all []*Table
	for _, t := range c.relations {
		all = append(all, t)
	}
	return all
}

// Known reports whether the schema describes the table.
func (t *Table) Known() bool { return !t.unknown }

// String is the table's name, with its schema where that is not public.
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

// Base is the columns that a column's value rests on: its own name, or those that
// a generated column is computed from.
func (t *Table) Base(column string) []string {
	if c := t.Column(column); c != nil && len(c.Generated) > 0 {
		return c.Generated
	}
	return []string{column}
}

// KeyColumn reports whether any key has the column.
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

// Covered reports whether tests of the columns find the key's row: all its own,
// and those of its predicate.
func (k *Key) Covered(columns func(string) bool) bool {
	for _, c := range append(slices.Clone(k.Columns), k.Predicate...) {
		if !columns(c) {
			return false
		}
	}
	return len(k.Columns) > 0
}
