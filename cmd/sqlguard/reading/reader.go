package reading

import (
	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/catalog"
	"waybill/cmd/sqlguard/syntax"
)

// budget limits the number of blocks per statement: nested views can expand exponentially.
const budget = 2000

type reader struct {
	catalog *catalog.Catalog
	out     *Statement
	subs    map[subKey]*Block
	views   map[*catalog.Table]bool // views being read, to stop recursion
	left    int
}

type subKey struct {
	link  *pg.SubLink
	scope *scope
}

func newReader(c *catalog.Catalog) *reader {
	r := &reader{catalog: c, subs: map[subKey]*Block{}, views: map[*catalog.Table]bool{}, left: budget}
	r.out = &Statement{reader: r}
	return r
}

// open starts a new block.
func (r *reader) open(n *pg.Node, outer *scope) *Block {
	b := &Block{Node: n, reading: true, View: len(r.views) > 0}
	b.scope = &scope{outer: outer, block: b}
	r.left--
	return b
}

// statement reads any statement. Of utility statements only function calls are recorded.
func (r *reader) statement(n *pg.Node, outer *scope) *Block {
	b := r.open(n, outer)
	r.read(b, n)
	return b
}

func (r *reader) read(b *Block, n *pg.Node) {
	if r.left > 0 {
		r.dispatch(b, n)
	}
	b.reading = false
	r.out.Blocks = append(r.out.Blocks, b)
}

func (r *reader) dispatch(b *Block, n *pg.Node) {
	b.Node = n
	switch x := n.GetNode().(type) {
	case *pg.Node_SelectStmt:
		r.selects(b, x.SelectStmt)
	case *pg.Node_InsertStmt:
		r.inserts(b, x.InsertStmt)
	case *pg.Node_UpdateStmt:
		r.updates(b, x.UpdateStmt)
	case *pg.Node_DeleteStmt:
		r.deletes(b, x.DeleteStmt)
	case *pg.Node_MergeStmt:
		r.merges(b, x.MergeStmt)
	case *pg.Node_TruncateStmt:
		r.truncates(b, x.TruncateStmt)
	case *pg.Node_ExplainStmt:
		r.dispatch(b, x.ExplainStmt.GetQuery())
	case *pg.Node_PrepareStmt:
		r.dispatch(b, x.PrepareStmt.GetQuery())
	case *pg.Node_CreateTableAsStmt:
		r.dispatch(b, x.CreateTableAsStmt.GetQuery())
	case *pg.Node_DeclareCursorStmt:
		r.dispatch(b, x.DeclareCursorStmt.GetQuery())
	case *pg.Node_CopyStmt:
		r.dispatch(b, x.CopyStmt.GetQuery())
	case *pg.Node_ReturnStmt:
		r.expressions(b, x.ReturnStmt.GetReturnval())
	case *pg.Node_CallStmt:
		r.expressions(b, &pg.Node{Node: &pg.Node_FuncCall{FuncCall: x.CallStmt.GetFunccall()}})
	}
}

// with makes the CTEs of a WITH clause visible in b.
func (r *reader) with(b *Block, w *pg.WithClause) {
	b.scope.ctes = map[string]*Block{}
	for _, n := range w.GetCtes() {
		cte := n.GetCommonTableExpr()
		self := r.open(cte.GetCtequery(), b.scope)
		self.InCTE = true
		if w.GetRecursive() {
			b.scope.ctes[cte.GetCtename()] = self
		}
		r.read(self, cte.GetCtequery())
		for i, name := range syntax.Names(cte.GetAliascolnames()) {
			if i < len(self.Outputs) {
				self.Outputs[i].Name = name
			}
		}
		b.scope.ctes[cte.GetCtename()] = self
	}
}

// expressions reads the subselects in expressions of b, and records function calls.
func (r *reader) expressions(b *Block, nodes ...*pg.Node) {
	syntax.WalkAll(nodes, func(n *pg.Node) bool {
		switch x := n.GetNode().(type) {
		case *pg.Node_SubLink:
			r.expressions(b, x.SubLink.GetTestexpr())
			b.Inputs = append(b.Inputs, r.sub(x.SubLink, b.scope))
			return false
		case *pg.Node_FuncCall:
			if len(r.catalog.Functions(syntax.Function(x.FuncCall))) > 0 {
				r.out.Calls = append(r.out.Calls, x.FuncCall)
			}
		}
		return true
	})
}

func (r *reader) sub(link *pg.SubLink, s *scope) *Block {
	key := subKey{link, s}
	if b := r.subs[key]; b != nil {
		return b
	}
	b := r.statement(link.GetSubselect(), s)
	r.subs[key] = b
	return b
}

// where adds a condition to b.
func (r *reader) where(b *Block, n *pg.Node, outer bool) {
	for _, c := range syntax.Conjuncts(n) {
		b.Conditions = append(b.Conditions, Condition{c, outer, b})
	}
	r.expressions(b, n)
}

// widest limits the columns of a result; PostgreSQL allows fewer.
const widest = 2000

// outputs returns the result columns of a target list.
func (r *reader) outputs(b *Block, list []*pg.Node) {
	for _, n := range list {
		if len(b.Outputs) > widest {
			return
		}
		t := n.GetResTarget()
		value := syntax.Bare(t.GetVal())
		if ref := value.GetColumnRef(); ref != nil && catalog.Star(ref) {
			b.Outputs = append(b.Outputs, b.scope.star(ref)...)
			continue
		}
		if macro, of := syntax.Macro(value); macro == "embed" {
			b.Outputs = append(b.Outputs, Output{Name: "*", From: b.scope.named(of).row()})
			continue
		}
		b.Outputs = append(b.Outputs, Output{outputName(t, value), r.sources(value, b.scope)})
		r.expressions(b, value)
	}
}

func outputName(t *pg.ResTarget, value *pg.Node) string {
	if t.GetName() != "" {
		return t.GetName()
	}
	if f := value.GetFuncCall(); f != nil {
		return syntax.Last(f.GetFuncname())
	}
	return syntax.Last(value.GetColumnRef().GetFields())
}

// star returns the columns of * or t.*.
func (s *scope) star(ref *pg.ColumnRef) []Output {
	relations := s.block.Relations
	if names := syntax.Names(ref.GetFields()); len(names) > 0 {
		relations = []*Relation{s.named(names[len(names)-1])}
	}
	var all []Output
	for _, r := range relations {
		all = append(all, r.outputs()...)
	}
	return all
}

// outputs returns the columns of a relation.
func (r *Relation) outputs() []Output {
	var names []string
	switch {
	case r == nil || r.inserted != nil:
		return []Output{{Name: "*", From: r.row()}}
	case r.Block != nil:
		for _, o := range r.Block.Outputs {
			names = append(names, o.Name)
		}
	case r.shows != nil:
		for _, o := range r.shows.Outputs {
			names = append(names, o.Name)
		}
	case r.function:
		names = r.columns
	case r.Table.Known():
		for _, c := range r.Table.Columns {
			names = append(names, c.Name)
		}
	}
	copy(names, r.columns)
	if len(names) == 0 {
		return []Output{{Name: "*", From: r.row()}}
	}
	var all []Output
	for _, name := range names {
		all = append(all, Output{name, r.column(name)})
	}
	return all
}
