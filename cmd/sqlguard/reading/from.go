package reading

import (
	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/syntax"
)

func (r *reader) selects(b *Block, s *pg.SelectStmt) {
	r.with(b, s.GetWithClause())
	if s.GetOp() > pg.SetOperation_SETOP_NONE {
		r.union(b, s)
	}
	for _, n := range s.GetFromClause() {
		r.from(b, n, false)
	}
	r.where(b, s.GetWhereClause(), false)
	r.where(b, s.GetHavingClause(), false)
	r.values(b, s.GetValuesLists())
	r.outputs(b, s.GetTargetList())
	for _, list := range [][]*pg.Node{s.GetSortClause(), s.GetGroupClause(),
		s.GetWindowClause(), s.GetDistinctClause()} {
		r.expressions(b, list...)
	}
	r.expressions(b, s.GetLimitCount(), s.GetLimitOffset())
	b.Ordered = len(s.GetSortClause()) > 0
	b.Limited = s.GetLimitCount() != nil
	for _, n := range s.GetLockingClause() {
		r.lock(b, n.GetLockingClause())
	}
}

// union reads both sides of a set operation; each output column has the sources of both.
func (r *reader) union(b *Block, s *pg.SelectStmt) {
	left := r.statement(&pg.Node{Node: &pg.Node_SelectStmt{SelectStmt: s.GetLarg()}}, b.scope)
	right := r.statement(&pg.Node{Node: &pg.Node_SelectStmt{SelectStmt: s.GetRarg()}}, b.scope)
	b.Inputs = append(b.Inputs, left, right)
	for i, o := range left.Outputs {
		from := append([]Source{}, o.From...)
		if i < len(right.Outputs) {
			from = append(from, right.Outputs[i].From...)
		}
		b.Outputs = append(b.Outputs, Output{o.Name, distinct(from)})
	}
}

// values reads VALUES lists as columns column1, column2, …
func (r *reader) values(b *Block, lists []*pg.Node) {
	for row, list := range lists {
		items := list.GetList().GetItems()
		r.expressions(b, items...)
		for i, item := range items {
			if row == 0 {
				b.Outputs = append(b.Outputs, Output{Name: "column" + number(i+1)})
			}
			if i < len(b.Outputs) {
				b.Outputs[i].From = distinct(append(b.Outputs[i].From, r.sources(item, b.scope)...))
			}
		}
	}
}

// from adds an item of a FROM clause; outer is set inside an outer join.
func (r *reader) from(b *Block, n *pg.Node, outer bool) {
	switch x := n.GetNode().(type) {
	case *pg.Node_RangeVar:
		r.table(b, x.RangeVar)
	case *pg.Node_RangeSubselect:
		sub := r.statement(x.RangeSubselect.GetSubquery(), b.scope)
		r.add(b, &Relation{Block: sub}, "", x.RangeSubselect.GetAlias())
	case *pg.Node_RangeFunction:
		r.function(b, x.RangeFunction)
	case *pg.Node_RangeTableSample:
		r.from(b, x.RangeTableSample.GetRelation(), outer)
	case *pg.Node_RangeTableFunc:
		r.expressions(b, x.RangeTableFunc.GetDocexpr())
		r.add(b, &Relation{function: true, feeds: r.sources(x.RangeTableFunc.GetDocexpr(), b.scope)},
			"", x.RangeTableFunc.GetAlias())
	case *pg.Node_JsonTable:
		r.expressions(b, n)
		r.add(b, &Relation{function: true, feeds: []Source{{Origin: FromParam}}}, "", x.JsonTable.GetAlias())
	case *pg.Node_JoinExpr:
		r.join(b, x.JoinExpr, outer)
	}
}

// add adds a relation to b under its alias, or else under name.
func (r *reader) add(b *Block, rel *Relation, name string, alias *pg.Alias) {
	rel.Name = name
	if alias != nil {
		rel.Name = alias.GetAliasname()
		rel.columns = append(rel.columns, syntax.Names(alias.GetColnames())...)
	}
	if rel.Block != nil {
		b.Inputs = append(b.Inputs, rel.Block)
	}
	b.Relations = append(b.Relations, rel)
}

// table adds what a name in a FROM clause refers to: a CTE, a view or a table.
func (r *reader) table(b *Block, v *pg.RangeVar) {
	rel := &Relation{Location: int(v.GetLocation())}
	if cte := b.scope.cte(v.GetRelname()); cte != nil && v.GetSchemaname() == "" {
		rel.Block, rel.CTE = cte, true
		r.add(b, rel, v.GetRelname(), v.GetAlias())
		return
	}
	t := r.catalog.Table(v.GetSchemaname(), v.GetRelname())
	rel.Table = t
	if t.View != nil && !r.views[t] && r.left > 0 {
		r.views[t] = true
		rel.Block = r.statement(&pg.Node{Node: &pg.Node_SelectStmt{SelectStmt: t.View}}, nil)
		rel.columns = append(rel.columns, t.Aliases...)
		delete(r.views, t)
	}
	r.add(b, rel, v.GetRelname(), v.GetAlias())
}

// function adds a function in a FROM clause. Its columns have its arguments as sources.
func (r *reader) function(b *Block, f *pg.RangeFunction) {
	rel := &Relation{function: true}
	name := ""
	for _, n := range f.GetFunctions() {
		for _, item := range n.GetList().GetItems() {
			r.expressions(b, item)
			rel.feeds = append(rel.feeds, r.sources(item, b.scope)...)
			if call := item.GetFuncCall(); call != nil && name == "" {
				name = syntax.Last(call.GetFuncname())
			}
		}
	}
	for _, n := range f.GetColdeflist() {
		rel.columns = append(rel.columns, n.GetColumnDef().GetColname())
	}
	r.add(b, rel, name, f.GetAlias())
}

func (r *reader) join(b *Block, j *pg.JoinExpr, outer bool) {
	outer = outer || j.GetJointype() != pg.JoinType_JOIN_INNER
	first := len(b.Relations)
	r.from(b, j.GetLarg(), outer)
	middle := len(b.Relations)
	r.from(b, j.GetRarg(), outer)
	for _, column := range syntax.Names(j.GetUsingClause()) {
		if on := using(b.Relations[first:middle], b.Relations[middle:], column); on != nil {
			b.Conditions = append(b.Conditions, Condition{on, outer, b})
		}
	}
	r.where(b, j.GetQuals(), outer)
}

// using returns the condition of USING (column).
func using(left, right []*Relation, column string) *pg.Node {
	a, b := holder(left, column), holder(right, column)
	if a == nil || b == nil {
		return nil
	}
	return syntax.Equal(syntax.Column(a.Name, column), syntax.Column(b.Name, column), 0)
}

func holder(relations []*Relation, column string) *Relation {
	for _, r := range relations {
		if r.has(column) != no {
			return r
		}
	}
	return nil
}

// lock applies FOR UPDATE and the like. FOR KEY SHARE does not block an UPDATE and is ignored.
func (r *reader) lock(b *Block, l *pg.LockingClause) {
	if l.GetStrength() < pg.LockClauseStrength_LCS_FORSHARE {
		return
	}
	b.SkipLocked = b.SkipLocked || l.GetWaitPolicy() == pg.LockWaitPolicy_LockWaitSkip
	named := map[string]bool{}
	for _, n := range l.GetLockedRels() {
		named[n.GetRangeVar().GetRelname()] = true
	}
	for _, rel := range b.Relations {
		if len(named) == 0 || named[rel.Name] {
			rel.lock()
		}
	}
}

// lock marks the rows of a table, or of the tables in a subselect or view, as locked. A locking clause
// does not reach into a CTE.
func (r *Relation) lock() {
	switch {
	case r.CTE:
	case r.Block != nil:
		for _, inner := range r.Block.Relations {
			inner.lock()
		}
	default:
		r.Locked = true
	}
}
