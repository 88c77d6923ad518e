// Package reading traces the rows and values of a statement to their sources: through aliases,
// subselects, CTEs, views and RETURNING to the tables, together with the row locks taken.
package reading

import (
	"slices"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/catalog"
)

// Statement is the analysis of one statement.
type Statement struct {
	Root   *Block
	Blocks []*Block // every SELECT, INSERT, UPDATE, DELETE and MERGE in it, inner ones first
	Writes []*Write
	Calls  []*pg.FuncCall // calls of functions that the schema defines

	reader *reader
}

// Block is one SELECT, INSERT, UPDATE, DELETE or MERGE.
type Block struct {
	Node       *pg.Node
	Relations  []*Relation // its FROM clause; the first is the target of a write
	Conditions []Condition // the conjuncts of WHERE, ON, USING and HAVING
	Inputs     []*Block    // the blocks it reads: CTEs, subselects, views
	Outputs    []Output
	Ordered    bool
	Limited    bool
	SkipLocked bool
	InCTE      bool
	View       bool // the query of a view, or inside one
	Upsert     bool // the DO UPDATE of an INSERT

	scope   *scope
	reading bool // incomplete: a recursive CTE that refers to itself
}

// Output is a result column of a block.
type Output struct {
	Name string
	From []Source
}

// Condition is one conjunct of a block's conditions.
type Condition struct {
	Node  *pg.Node
	Outer bool // ON of an outer join: it does not filter rows
	Block *Block
}

// Relation is one item of a FROM clause, or the target of a write.
type Relation struct {
	Name     string
	Table    *catalog.Table // a table, or the base table of a written view
	Block    *Block         // otherwise a subselect, a CTE or a view
	CTE      bool
	Locked   bool // its rows are locked by FOR UPDATE, FOR NO KEY UPDATE or FOR SHARE
	Written  bool // the target of a write, which locks its rows
	Location int

	shows    *Block              // of a written view: its query, over the table's own rows
	stands   *Relation           // inside that query: the written relation it stands for
	columns  []string            // column aliases
	feeds    []Source            // of a function: the sources of its arguments
	inserted map[string][]Source // the sources of EXCLUDED's columns
	function bool
}

// Origin classifies the source of a value.
type Origin uint8

const (
	FromColumn Origin = iota
	FromParam
	FromClock
	FromElsewhere // a random value, a session setting, an unknown name
)

// Source is one source of a value.
type Source struct {
	Origin   Origin
	Relation *Relation // the table a column was read from
	Column   string    // empty for the whole row
}

// Write is one write to one table. The statement is in Node; for a MERGE, see Clause.
type Write struct {
	Op         Op
	Node       *pg.Node
	Block      *Block
	Target     *Relation
	Location   int
	Assigned   []Assignment
	Conflict   []string          // of an upsert: the columns of the conflict target
	Conditions []Condition       // conditions on the written row
	Inserted   map[string]string // of an upsert: the key of the expression inserted into each column

	InsertedNode map[string]*pg.Node // of an upsert: the expression itself, if there is a single one
	Insert       *Block              // of an upsert: the enclosing INSERT
	Clause       int                 // of a MERGE: the clause's number, from 1
	Rows         *Block              // of an upsert: the inserted SELECT
	Again        *Block              // of an upsert: the SELECT that read the conflicting rows before, if any
}

// Op is the operation of a write.
type Op uint8

const (
	Update Op = iota
	Upsert
	Delete
)

// Assignment is one column = expression of a SET.
type Assignment struct {
	Column   string
	Value    *pg.Node // nil where a subselect sets several columns
	From     []Source
	Part     bool   // SET c[i] = e or c.f = e
	Field    string // the f of SET c.f
	Location int
}

// Read analyses one parsed statement.
func Read(c *catalog.Catalog, n *pg.Node) *Statement {
	r := newReader(c)
	r.out.Root = r.statement(n, nil)
	return r.out
}

// Sources returns the sources of the value of n.
func (s *Statement) Sources(n *pg.Node, b *Block) []Source { return s.reader.sources(n, b.scope) }

// Direct returns the sources of n, ignoring its subselects.
func (s *Statement) Direct(n *pg.Node, b *Block) []Source { return s.reader.direct(n, b.scope) }

// Sub returns the block of a subselect in an expression of b.
func (s *Statement) Sub(n *pg.SubLink, b *Block) *Block { return s.reader.sub(n, b.scope) }

// Feeds returns the blocks that supply the rows of a write.
func (w *Write) Feeds() []*Block {
	if w.Insert != nil {
		return w.Insert.Inputs
	}
	return w.Block.Inputs
}

// Column returns the sources of a relation's column.
func (r *Relation) Column(column string) []Source { return r.column(column) }

// Upstream returns the given blocks and all blocks that feed them.
func Upstream(blocks ...*Block) []*Block {
	seen := map[*Block]bool{}
	blocks = slices.Clone(blocks) // the argument may be a block's own list
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
