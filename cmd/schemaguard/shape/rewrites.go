package shape

import (
	"fmt"
	"slices"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/schemaguard/finding"
)

// Rewrites is the rule that no statement writes a table anew, or empties it.
var Rewrites = finding.Rule{
	Name: "rewrites-table",
	Load: "nobody reads or writes the table until it is written anew, and its rows are there twice",
	Safe: "leave it to autovacuum, REINDEX CONCURRENTLY, REFRESH … CONCURRENTLY, or deletes in batches",
}

func rewrites(f *file) (all []finding.Finding) {
	for _, s := range f.steps {
		if !s.used() || s.lock < Exclusive {
			continue
		}
		n := s.node
		switch {
		case n.GetTruncateStmt() != nil:
			all = append(all, f.at(Rewrites, s, s.table, fmt.Sprintf("TRUNCATE deletes all rows of %s", s.table)))
		case n.GetVacuumStmt() != nil, n.GetClusterStmt() != nil, n.GetReindexStmt() != nil,
			n.GetRefreshMatViewStmt() != nil:
			all = append(all, f.at(Rewrites, s, s.table, fmt.Sprintf("%s is written anew under %s", s.table, s.lock)))
		case n.GetAlterTableStmt() != nil && s.long && rewriting(n):
			all = append(all, f.at(Rewrites, s, s.table, fmt.Sprintf("%s is written anew under %s", s.table, s.lock)))
		}
	}
	return all
}

// rewriting reports whether an ALTER TABLE moves the table: to another place, or into or out of the WAL.
func rewriting(n *pg.Node) bool {
	return slices.ContainsFunc(n.GetAlterTableStmt().GetCmds(), func(n *pg.Node) bool {
		switch n.GetAlterTableCmd().GetSubtype() {
		case pg.AlterTableType_AT_SetLogged, pg.AlterTableType_AT_SetUnLogged, pg.AlterTableType_AT_SetTableSpace,
			pg.AlterTableType_AT_SetAccessMethod:
			return true
		}
		return false
	})
}
