// Package reading follows where the rows and values of a statement come from:
// through aliases, subselects, CTEs, views and RETURNING, back to the tables, with
// the locks that were taken on the way.
package reading

import (
	"slices"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/catalog"
)

// Statement is one statement, read.
type Statement struct {
	Root   *Block
	Blocks []*Block // every SELECT, INSERT, UPDATE, DELETE and MERGE in it, inner ones first
	Writes []*Write
	Calls  []*pg.FuncCall // of functions that the schema defines

	reader *reader
}

// Block is one SELECT, INSERT, UPDATE, DELETE or MERGE.
type Block struct {
	Node       *pg.Node
	Relations  []*Relation // of its FROM clause; the target of a write is the first
	Conditions []Condition // what AND holds together in WHERE, ON, USING and HAVING
	Inputs     []*Block    // what it reads: CTEs, subselects, views
	Outputs    []Output
	Ordered    bool
	Limited    bool
	SkipLocked bool
	InCTE      bool
	View       bool // the query of a view, or in one
	Upsert     bool // the DO UPDATE of an INSERT

	scope   *scope
	reading bool // not all of it is known yet: a recursive CTE reads itself
}

// Output is a column of a block's result.
type Output struct {
	Name string
	From []Source
}

// Condition is a part of what a block asks of its rows.
type Condition struct {
	Node  *pg.Node
	Outer bool // ON of an outer join: it takes no row away
	Block *Block
}

// Relation is one item of a FROM clause, or the target of a write.
type Relation struct {
	Name     string
	Table    *catalog.Table // a table, or the one that a written view shows
	Block    *Block         // else a subselect, a CTE or a view
	CTE      bool
	Locked   bool // FOR UPDATE, FOR NO KEY UPDATE or FOR SHARE holds its rows
	Written  bool // the target of a write, whose lock holds its rows
	Location int

	shows    *Block              // of a written view: its query, read as of the table's own rows
	stands   *Relation           // in such a query: the written relation that it stands for
	columns  []string            // an alias's own names for the columns
	feeds    []Source            // of a function: what its arguments come from
	inserted map[string][]Source // of EXCLUDED
	function bool
}

// Origin is the kind of place that a value comes from.
type Origin uint8

const (
	FromColumn Origin = iota
	FromParam
	FromClock
	FromElsewhere // a random value, the session, a name that nobody knows
)

// Source is one place that a value comes from.
type Source struct {
	Origin   Origin
	Relation *Relation // of a column: the table it was read from
	Column   string    // "" for the whole row
}

// Write is one write to one table. What it does is in Node; of a MERGE, in Clause.
type Write struct {
	Op         Op
	Node       *pg.Node
	Block      *Block
	Target     *Relation
	Location   int
	Assigned   []Assignment
	Conflict   []string          // of an upsert: the columns whose conflict leads to the UPDATE
	Conditions []Condition       // on the row that is written
	Inserted   map[string]string // of an upsert: the key of the expression inserted in each column

	InsertedNode map[string]*pg.Node // of an upsert: the expression itself, where it is one
	Insert       *Block              // of an upsert: the INSERT around it
	Clause       int                 // of a MERGE, from 1
	Rows         *Block              // of an upsert: the SELECT that it inserts
	Again        *Block              // of an upsert: the SELECT that read the very rows of the conflict, if one did
}

// Op is what a write does to the rows it finds.
type Op uint8

const (
	Update Op = iota
	Upsert
	Delete
)

// Assignment is one SET c = e.
type Assignment struct {
	Column   string
	Value    *pg.Node // nil where a subselect gives several columns
	From     []Source
	Part     bool   // SET c[i] = e or c.f = e
	Field    string // the f of c.f
	Location int
}

// Read reads one parsed statement.
func Read(c *catalog.Catalog, n *pg.Node) *Statement {
	r := newReader(c)
	r.out.Root = r.statement(n, nil)
	return r.out
}

// Sources are the places that the value of n comes from.
func (s *Statement) Sources(n *pg.Node, b *Block) []Source { return s.reader.sources(n, b.scope) }

// Direct are the sources of n outside the subselects in it.
func (s *Statement) Direct(n *pg.Node, b *Block) []Source { return s.reader.direct(n, b.scope) }

// Sub is the block of a subselect that an expression of b holds.
func (s *Statement) Sub(n *pg.SubLink, b *Block) *Block { return s.reader.sub(n, b.scope) }

// Feeds are the blocks that a write's rows come from.
func (w *Write) Feeds() []*Block {
	if w.Insert != nil {
		return w.Insert.Inputs
	}
	return w.Block.Inputs
}

// Column is where a relation's column comes from.
func (r *Relation) Column(column string) []Source { return r.column(column) }

// Upstream are the blocks that feed the given ones, and these themselves.
func Upstream(blocks ...*Block) []*Block {
	seen := map[*Block]bool{}
	blocks = slices.Clone(blocks) // it may be a block's own list
	var all []*Block
	for len(blocks) > 0 {
		b := blocks[len(blocks)-1]
		blocks = blocks[:len(blocks)-1]
		if b == nil || seen[b] {
			continue
		}
		seen[b] = true
		all = append(all, b)
		blocks = append(blocks, b.Inputs...)
	}
	return all
}
