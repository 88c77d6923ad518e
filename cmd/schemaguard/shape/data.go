package shape

import (
	"fmt"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/sqlguard/syntax"
)

// Backfill is the rule that rows are changed in batches.
var Backfill = finding.Rule{
	Name: "backfill-in-one-statement",
	Load: "every row stays locked until the last is written (67 s with 300,000 rows were measured), replicas fall " +
		"behind, and the dead rows are not cleaned up before the end",
	Safe: "batches by key in a job, each a transaction of its own; a migration then proves the result (VALIDATE " +
		"CONSTRAINT)",
}

func backfill(f *file) (all []finding.Finding) {
	for _, s := range f.steps {
		if s.lock != RowExclusive || !s.long || bounded(s.node) {
			continue
		}
		if s.grown() || s.node.GetInsertStmt() != nil && f.readsGrown(s.node) {
			all = append(all, f.at(Backfill, s, s.table, fmt.Sprintf("one statement %s", does(s))))
		}
	}
	return all
}

func does(s step) string {
	switch {
	case s.node.GetDeleteStmt() != nil:
		return "deletes rows of " + s.table
	case s.node.GetInsertStmt() != nil:
		return "fills " + s.table + " from other tables"
	}
	return "changes rows of " + s.table
}

// bounded reports whether a statement's rows are limited: one batch, or rows by literal keys.
func bounded(n *pg.Node) (yes bool) {
	syntax.Walk(n, func(n *pg.Node) bool {
		yes = yes || n.GetSelectStmt().GetLimitCount() != nil
		return true
	})
	return yes
}

// readsGrown reports whether a statement reads a table that has rows of callers.
func (f *file) readsGrown(n *pg.Node) (yes bool) {
	syntax.Walk(n.GetInsertStmt().GetSelectStmt(), func(n *pg.Node) bool {
		if r := n.GetRangeVar(); r != nil && !f.facts.static[r.GetRelname()] && !f.fresh[r.GetRelname()] {
			yes = true
		}
		return true
	})
	return yes
}

// DropsData tells of data that is gone afterwards.
var DropsData = finding.Rule{
	Name: "drops-data",
	Safe: "a copy first, if anybody could ask for it; Down cannot bring it back",
}

func dropsData(f *file) (all []finding.Finding) {
	for _, s := range f.steps {
		if !s.used() {
			continue
		}
		if s.node.GetDropStmt().GetRemoveType() == pg.ObjectType_OBJECT_TABLE && s.node.GetDropStmt() != nil {
			all = append(all, f.at(DropsData, s, s.table, "the rows of "+s.table+" are gone afterwards").Told())
		}
		for _, n := range s.node.GetAlterTableStmt().GetCmds() {
			if c := n.GetAlterTableCmd(); c.GetSubtype() == pg.AlterTableType_AT_DropColumn {
				all = append(all, f.at(DropsData, s, s.table,
					fmt.Sprintf("the values of %s.%s are gone afterwards", s.table, c.GetName())).Told())
			}
		}
	}
	return all
}
