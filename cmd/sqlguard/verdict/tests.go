package verdict

import (
	"maps"
	"slices"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/sqlguard/reading"
	"waybill/cmd/sqlguard/syntax"
)

// tests classifies the write's own conditions in order, and then those of the blocks that feed it.
func (j *judge) tests() []Test {
	var all []Test
	for _, c := range j.write.Conditions {
		all = append(all, j.condition(c))
	}
	var feeds []*reading.Block
	for _, r := range j.write.Block.Relations {
		if r != j.target && r.Block != nil {
			feeds = append(feeds, r.Block)
		}
	}
	all = append(all, j.upstream(append(feeds, j.write.Again))...)
	all = append(all, j.chosenBySnapshot()...)
	j.ask(ownRows, j.write.Conditions)
	return all
}

// ask sets the subject and the columns that its conditions read.
func (j *judge) ask(whose subject, conditions []reading.Condition) {
	j.whose, j.tested = whose, map[string]bool{}
	if len(conditions) == 0 {
		return
	}
	q := question{whose, conditions[0].Node}
	if known := j.asked[q]; known != nil {
		j.tested = known
		return
	}
	for _, c := range conditions {
		if c.Outer || differs(c.Node, false) {
			continue
		}
		for _, from := range j.statement.Direct(c.Node, c.Block) {
			if j.subject(from) {
				j.tested[from.Column] = true
			}
		}
	}
	j.asked[q] = j.tested
}

// retested returns the columns that a condition names on the row that is written, or on the row
// as a SELECT of the statement locked it: whatever a snapshot said of them is asked again.
func (j *judge) retested() []string {
	whose, tested := j.whose, j.tested
	defer func() { j.whose, j.tested = whose, tested }()
	j.ask(ownRows, j.write.Conditions)
	all := slices.Collect(maps.Keys(j.tested))
	for _, b := range j.statement.Blocks {
		if b != j.write.Block {
			j.ask(lockedRows, b.Conditions)
			all = slices.AppendSeq(all, maps.Keys(j.tested))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// condition classifies a condition of the write: on the target, or on rows of the table read by a
// SELECT, locking or not.
func (j *judge) condition(c reading.Condition) Test {
	if c.Outer {
		return Test{Source: c, Offset: -1}
	}
	j.ask(ownRows, j.write.Conditions)
	if j.implied(c) {
		return Test{Source: c, Offset: -1}
	}
	t := j.renewed(c, j.node(c.Node, c.Block, false))
	if t.Class != Guard && t.Class != Stale && t.Class != Noop {
		if seen := j.seen(c, j.write.Conditions); seen.Class > Irrelevant {
			t = seen
		}
	}
	t.Source = c
	t.Offset = offset(c)
	return t
}

// offset returns a condition's offset in the query, or -1 for a condition of a view, which is in the
// schema.
func offset(c reading.Condition) int {
	if c.Block.View {
		return -1
	}
	return syntax.Start(c.Node)
}

// seen classifies a condition on rows of the table as a SELECT read them: a guard if it locked them,
// otherwise stale.
func (j *judge) seen(c reading.Condition, among []reading.Condition) Test {
	if c.Outer {
		return Test{}
	}
	j.ask(lockedRows, among)
	if t := j.node(c.Node, c.Block, false); t.Class == Guard {
		t.Kind = Lock
		return t
	}
	j.ask(staleRows, among)
	if t := j.node(c.Node, c.Block, false); t.Class == Guard {
		t.Class, t.Kind = Stale, ""
		return t
	}
	return Test{}
}

// upstream classifies the conditions of the blocks and of all that feed them.
func (j *judge) upstream(blocks []*reading.Block) []Test {
	whose, tested := j.whose, j.tested
	defer func() { j.whose, j.tested = whose, tested }()
	var all []Test
	for _, b := range reading.Upstream(blocks...) {
		for _, c := range b.Conditions {
			if t := j.seen(c, b.Conditions); t.Class > Irrelevant {
				t.Source = c
				t.Offset = offset(c)
				all = append(all, t)
			}
		}
	}
	return all
}

// node classifies a condition, or its negation.
func (j *judge) node(n *pg.Node, b *reading.Block, not bool) Test {
	n = syntax.Bare(n)
	switch x := n.GetNode().(type) {
	case *pg.Node_BoolExpr:
		return j.boolean(x.BoolExpr, b, not)
	case *pg.Node_CaseExpr:
		return j.caseTest(x.CaseExpr, b, not)
	case *pg.Node_CurrentOfExpr:
		return Test{Class: Identity}
	}
	return j.leaf(n, b, not)
}

func (j *judge) boolean(e *pg.BoolExpr, b *reading.Block, not bool) Test {
	if e.GetBoolop() == pg.BoolExprType_NOT_EXPR {
		if len(e.GetArgs()) == 0 {
			return Test{}
		}
		return j.node(e.GetArgs()[0], b, !not)
	}
	var parts []Test
	for _, arg := range e.GetArgs() {
		if !isConstant(arg, not) { // OR false, AND true
			parts = append(parts, j.node(arg, b, not))
		}
	}
	if (e.GetBoolop() == pg.BoolExprType_AND_EXPR) != not {
		return both(parts)
	}
	return either(parts)
}

// both returns the class of a conjunction: the best of its parts.
func both(parts []Test) Test {
	best := Test{}
	for _, t := range parts {
		if t.Class > best.Class || t.Class == Guard && strongest([]Test{t, best}) == t.Kind {
			best = t
		}
	}
	return best
}

// either returns the class of a disjunction: the worst of its parts. An alternative that does not
// depend on the target makes the others optional.
func either(parts []Test) Test {
	if len(parts) == 0 {
		return Test{}
	}
	least, most := parts[0], parts[0]
	var columns []string
	for _, t := range parts {
		columns = append(columns, t.Columns...)
		if t.Class < least.Class {
			least = t
		}
		if t.Class > most.Class {
			most = t
		}
	}
	t := Test{Class: least.Class, Columns: columns, Lost: least.Lost}
	switch {
	case least.Class == Scope && most.Class == Guard && guardedUnlessFixed(parts):
		t.Class, t.Kind = Guard, strongest(parts)
	case least.Class == Guard:
		t.Kind = strongest(parts)
	case least.Class <= Tautology && most.Class > Tautology:
		t.Class, t.Lost = Optional, most.Class == Guard || most.Lost
	}
	return t
}

// guardedUnlessFixed reports whether each alternative is a guard, or an immutable property of the row
// that the caller does not control, like "no cap".
func guardedUnlessFixed(parts []Test) bool {
	return !slices.ContainsFunc(parts, func(t Test) bool { return t.Class != Guard && !t.Fixed })
}

// caseTest classifies CASE … END as a condition: by the row's own state, or else by its branches.
func (j *judge) caseTest(c *pg.CaseExpr, b *reading.Block, not bool) Test {
	asked := []*pg.Node{c.GetArg()}
	branches := []*pg.Node{c.GetDefresult()}
	for _, n := range c.GetArgs() {
		asked = append(asked, n.GetCaseWhen().GetExpr())
		branches = append(branches, n.GetCaseWhen().GetResult())
	}
	for _, n := range asked {
		if t := j.leaf(n, b, false); t.Class == Guard {
			return t
		}
	}
	var parts []Test
	for _, n := range branches {
		if n != nil && !isConstant(n, not) {
			parts = append(parts, j.node(n, b, not))
		}
	}
	return either(parts)
}

// isConstant reports whether n is the constant true, or false.
func isConstant(n *pg.Node, value bool) bool {
	c := syntax.Bare(n).GetAConst()
	return c.GetBoolval() != nil && c.GetBoolval().GetBoolval() == value
}
