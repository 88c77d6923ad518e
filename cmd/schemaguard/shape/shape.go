// Package shape has the rules about how new migrations are written: what PostgreSQL locks, reads and writes
// for each statement, from its own grammar.
package shape

import (
	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/schemaguard/change"
	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/schemaguard/migration"
)

// step is a statement of a migration's Up, or of a DO block in it.
type step struct {
	*migration.Statement
	node  *pg.Node
	table string // that it locks most
	lock  Lock
	long  bool // it reads or writes all of the table
	fresh bool // the table is made by the change itself: it has no rows, and nobody else uses it
	fixed bool // the table has only the rows that migrations gave it
}

// file is a new migration, as the rules see it.
type file struct {
	*migration.Migration
	facts  *Facts
	steps  []step
	change *change.Change
	fresh  map[string]bool // the tables that the change has made up to its end
}

// rule finds what is wrong with a file.
type rule func(*file) []finding.Finding

// rules are all of them, a file each.
var rules = []rule{
	unreadable, columnRewrites, columnNotNull, setNotNull, alterType, rewrites, indexBlocks, indexInTransaction,
	indexLeftInvalid, dropIndexBlocks, foreignKeyScans, checkScans, uniqueBuilds, unnamed, backfill, enumUsed,
	severalLocks, longUnderLock, lockTimeout, notRerunnable, downMissing, downDeletes, wideGrant, searchPath,
	protectionRemoved, lockTable, dropsData,
}

// Check runs the rules on each new migration.
func Check(c *change.Change, facts *Facts) (all []finding.Finding) {
	fresh := map[string]bool{}
	facts = facts.writtenByMigrations(c)
	for _, m := range c.New {
		f := read(m, facts, fresh)
		f.change = c
		for _, r := range rules {
			all = append(all, r(f)...)
		}
	}
	return all
}

func read(m *migration.Migration, facts *Facts, fresh map[string]bool) *file {
	f := &file{Migration: m, facts: facts, fresh: fresh}
	for _, s := range m.Up {
		for _, n := range append([]*pg.Node{s.Node}, s.Inside...) {
			if n == nil {
				continue
			}
			if created := made(n); created != "" {
				fresh[created] = true
			}
			t := step{Statement: s, node: n}
			t.table, t.lock, t.long = lockOf(n)
			t.fresh, t.fixed = fresh[t.table], facts.static[t.table]
			f.steps = append(f.steps, t)
		}
	}
	return f
}

// made returns the table or index that a statement creates, or that is on such a table.
func made(n *pg.Node) string {
	if c := n.GetCreateStmt(); c != nil {
		return c.GetRelation().GetRelname()
	}
	if c := n.GetCreateTableAsStmt(); c != nil {
		return c.GetInto().GetRel().GetRelname()
	}
	if v := n.GetViewStmt(); v != nil && !v.GetReplace() {
		return v.GetView().GetRelname()
	}
	return ""
}

// at returns a finding of a rule at a step.
func (f *file) at(r finding.Rule, s step, object, message string) finding.Finding {
	return r.At(f.Path, s.Line, object, message)
}

// grown reports whether the step's table has rows and callers of its own.
func (s step) grown() bool { return s.table != "" && !s.fresh && !s.fixed }

// used reports whether anybody but the change uses the step's table.
func (s step) used() bool { return s.table != "" && !s.fresh }

// eachCommand calls visit for the parts of the ALTER TABLE statements of tables that are in use.
func (f *file) eachCommand(visit func(step, *pg.AlterTableCmd)) {
	for _, s := range f.steps {
		if !s.used() {
			continue
		}
		for _, n := range s.node.GetAlterTableStmt().GetCmds() {
			visit(s, n.GetAlterTableCmd())
		}
	}
}

// eachConstraint calls visit for each constraint that is added to a table in use, by itself or with a column.
func (f *file) eachConstraint(visit func(s step, k *pg.Constraint, column *pg.ColumnDef)) {
	f.eachCommand(func(s step, c *pg.AlterTableCmd) {
		if k := c.GetDef().GetConstraint(); k != nil && c.GetSubtype() == pg.AlterTableType_AT_AddConstraint {
			visit(s, k, nil)
		}
		if c.GetSubtype() == pg.AlterTableType_AT_AddColumn {
			for _, n := range c.GetDef().GetColumnDef().GetConstraints() {
				visit(s, n.GetConstraint(), c.GetDef().GetColumnDef())
			}
		}
	})
}
