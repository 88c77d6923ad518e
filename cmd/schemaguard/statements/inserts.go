package statements

import (
	"context"
	_ "embed"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/schemaguard/query"
	"waybill/cmd/sqlguard/syntax"
)

//go:embed required.sql
var required string

// requiredColumns returns, by table, the columns that an INSERT must set. A table that is found without its schema
// is there by both names: another schema may have one of the same name.
func requiredColumns(ctx context.Context, conn *pgx.Conn) (map[string][]string, error) {
	rows, err := conn.Query(ctx, required)
	if err != nil {
		return nil, err
	}
	all := map[string][]string{}
	var table, qualified, column string
	_, err = pgx.ForEachRow(rows, []any{&table, &qualified, &column}, func() error {
		all[qualified] = append(all[qualified], column)
		if bare := strings.Trim(table, `"`); bare != qualified && !strings.Contains(bare, ".") {
			all[bare] = append(all[bare], column)
		}
		return nil
	})
	return all, err
}

// lacking returns the required columns that a statement's INSERTs with a list of columns leave out.
func lacking(q query.Query, required map[string][]string) (all []string) {
	nodes, err := query.Nodes(q.SQL)
	if err != nil {
		return nil
	}
	syntax.WalkAll(nodes, func(n *pg.Node) bool {
		insert := n.GetInsertStmt()
		if insert == nil || len(insert.GetCols()) == 0 {
			return true
		}
		var set []string
		for _, c := range insert.GetCols() {
			set = append(set, c.GetResTarget().GetName())
		}
		table := insert.GetRelation().GetRelname()
		if schema := insert.GetRelation().GetSchemaname(); schema != "" {
			table = schema + "." + table
		}
		for _, column := range required[table] {
			if !slices.Contains(set, column) {
				all = append(all, table+"."+column)
			}
		}
		return true
	})
	return all
}
