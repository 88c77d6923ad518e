package shape

import (
	"fmt"
	"slices"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/sqlguard/syntax"
)

// IndexBlocks is the rule that an index is built beside the writers.
var IndexBlocks = finding.Rule{
	Name: "index-blocks-writes",
	Load: "each INSERT, UPDATE and DELETE of the table waits until the index is built (SHARE lock)",
	Safe: "-- +goose NO TRANSACTION; DROP INDEX CONCURRENTLY IF EXISTS x; CREATE INDEX CONCURRENTLY x …",
}

func indexBlocks(f *file) (all []finding.Finding) {
	for _, s := range f.steps {
		if x := s.node.GetIndexStmt(); x != nil && !x.GetConcurrent() && s.grown() {
			all = append(all, f.at(IndexBlocks, s, x.GetIdxname(),
				fmt.Sprintf("CREATE INDEX %s on %s without CONCURRENTLY", x.GetIdxname(), s.table)))
		}
	}
	return all
}

// InTransaction is the rule that CONCURRENTLY stands alone.
var InTransaction = finding.Rule{
	Name: "concurrently-in-transaction",
	Load: "PostgreSQL refuses it (SQLSTATE 25001), and the deployment stops",
	Safe: "-- +goose NO TRANSACTION above -- +goose Up",
}

func indexInTransaction(f *file) (all []finding.Finding) {
	if f.NoTransaction {
		return nil
	}
	for _, s := range f.steps {
		if s.node.GetIndexStmt().GetConcurrent() || s.node.GetDropStmt().GetConcurrent() ||
			concurrent(s.node.GetReindexStmt().GetParams()) {
			all = append(all, f.at(InTransaction, s, s.table, "CONCURRENTLY in a migration that is a transaction"))
		}
	}
	return all
}

// LeftInvalid is the rule that an interrupted build is not taken for an index.
var LeftInvalid = finding.Rule{
	Name: "interrupted-index-stays",
	Load: "a build that is killed leaves an INVALID index; the next run passes over it, the migration counts as " +
		"applied, writers pay for the index and no reader uses it",
	Safe: "DROP INDEX CONCURRENTLY IF EXISTS x; before CREATE INDEX CONCURRENTLY x …, without IF NOT EXISTS",
}

func indexLeftInvalid(f *file) (all []finding.Finding) {
	for i, s := range f.steps {
		x := s.node.GetIndexStmt()
		if x.GetConcurrent() && x.GetIfNotExists() && !dropped(f.steps[:i], x.GetIdxname()) {
			all = append(all, f.at(LeftInvalid, s, x.GetIdxname(), fmt.Sprintf(
				"CREATE INDEX CONCURRENTLY IF NOT EXISTS %s takes what an interrupted build left", x.GetIdxname())))
		}
	}
	return all
}

// dropped reports whether one of the steps drops an index, if it is there.
func dropped(steps []step, index string) bool {
	return slices.ContainsFunc(steps, func(s step) bool {
		d := s.node.GetDropStmt()
		return d.GetRemoveType() == pg.ObjectType_OBJECT_INDEX && d.GetMissingOk() &&
			slices.ContainsFunc(d.GetObjects(), func(o *pg.Node) bool {
				return syntax.Last(o.GetList().GetItems()) == index
			})
	})
}

// DropBlocks is the rule that an index is dropped beside the callers.
var DropBlocks = finding.Rule{
	Name: "drop-index-blocks",
	Load: "DROP INDEX waits for every transaction that uses the table, and everybody behind it (ACCESS EXCLUSIVE)",
	Safe: "-- +goose NO TRANSACTION; DROP INDEX CONCURRENTLY IF EXISTS x",
}

func dropIndexBlocks(f *file) (all []finding.Finding) {
	for i, s := range f.steps {
		d := s.node.GetDropStmt()
		if d.GetRemoveType() != pg.ObjectType_OBJECT_INDEX || d.GetConcurrent() || f.builds(f.steps[:i], s.table) {
			continue
		}
		all = append(all, f.at(DropBlocks, s, s.table, fmt.Sprintf("DROP INDEX %s without CONCURRENTLY", s.table)))
	}
	return all
}

// builds reports whether one of the steps creates an index on a table of the change.
func (f *file) builds(steps []step, index string) bool {
	return slices.ContainsFunc(steps, func(s step) bool {
		return s.node.GetIndexStmt().GetIdxname() == index && s.fresh
	})
}
