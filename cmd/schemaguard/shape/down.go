package shape

import (
	"fmt"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/schemaguard/finding"
)

// DownMissing is the rule that a migration can be reverted.
var DownMissing = finding.Rule{
	Name: "down-missing",
	Load: "a rollback says that it is done and leaves the new schema; the next deployment fails at what is there " +
		"already",
	Safe: "a Down that takes back what Up did; where nothing can, one that raises an exception and says why",
}

func downMissing(f *file) (all []finding.Finding) {
	if len(f.Up) > 0 && len(f.Down) == 0 {
		all = append(all, DownMissing.At(f.Path, max(1, f.DownLine), "",
			"the migration has no statement to go down by"))
	}
	for _, s := range f.Down {
		if pastNothing(s.Node) && len(f.Down) == 1 {
			all = append(all, DownMissing.At(f.Path, s.Line, "", "Down does nothing"))
		}
	}
	return all
}

// pastNothing reports whether a statement is SELECT 1 or its like.
func pastNothing(n *pg.Node) bool {
	q := n.GetSelectStmt()
	return q != nil && len(q.GetFromClause()) == 0 && len(q.GetTargetList()) == 1 &&
		q.GetTargetList()[0].GetResTarget().GetVal().GetFuncCall() == nil
}

// DownDeletes is the rule that Down leaves rows of before.
var DownDeletes = finding.Rule{
	Name: "down-deletes-rows",
	Load: "a rollback of the schema deletes rows that callers wrote, and nobody has a copy",
	Safe: "a Down that leaves them: it drops what Up added, and no rows of tables that were there before",
}

func downDeletes(f *file) (all []finding.Finding) {
	for _, s := range f.Down {
		for _, n := range append([]*pg.Node{s.Node}, s.Inside...) {
			table, _, _ := lockOf(n)
			if (n.GetDeleteStmt() != nil || n.GetTruncateStmt() != nil) && !f.fresh[table] && !f.facts.static[table] {
				all = append(all, DownDeletes.At(f.Path, s.Line, table, fmt.Sprintf("Down deletes rows of %s", table)))
			}
		}
	}
	return all
}
