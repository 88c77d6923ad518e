package shape

import (
	"fmt"

	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/sqlguard/syntax"
)

// EnumUsed is the rule that a new value of an enum is committed before it is used.
var EnumUsed = finding.Rule{
	Name: "enum-value-used",
	Load: "PostgreSQL refuses the value in the transaction that adds it (SQLSTATE 55P04), and the deployment stops",
	Safe: "-- +goose NO TRANSACTION, ADD VALUE IF NOT EXISTS, and statements that can run again; or a migration of " +
		"its own",
}

func enumUsed(f *file) (all []finding.Finding) {
	if f.NoTransaction {
		return nil
	}
	added := map[string]bool{}
	for _, s := range f.steps {
		if e := s.node.GetAlterEnumStmt(); e != nil {
			added[e.GetNewVal()] = true
			continue
		}
		if value := usesOne(s.node, added); value != "" {
			all = append(all, f.at(EnumUsed, s, value, fmt.Sprintf(
				"the value %s is used in the transaction that adds it", value)))
		}
	}
	return all
}

func usesOne(n *pg.Node, values map[string]bool) (value string) {
	syntax.Walk(n, func(n *pg.Node) bool {
		if text := n.GetAConst().GetSval().GetSval(); values[text] {
			value = text
		}
		return true
	})
	return value
}
