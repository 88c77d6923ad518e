package queries

import (
	"context"
	_ "embed"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	pg "github.com/sqlc-dev/oliphant"

	"waybill/cmd/schemaguard/change"
	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/schemaguard/query"
	"waybill/cmd/schemaguard/server"
	"waybill/cmd/sqlguard/syntax"
)

// Unrecorded is the rule that who reads protected data is recorded.
var Unrecorded = finding.Rule{
	Name: "unrecorded-read",
	Load: "data of a person is shown, and the record of who has seen it, which the law asks for, does not have it",
	Safe: "the statement that reads inserts into the record, in a CTE, what it shows",
}

//go:embed private.sql
var private string

type column struct {
	table  uint32
	number uint16
}

// CheckRecords finds the statements of the head whose results have a column of a protected person's table, and
// that do not write the record of reads. d is a database of the head.
func CheckRecords(ctx context.Context, c *change.Change, d *server.Database) (all []finding.Finding, err error) {
	if c.Settings.Record == "" || len(c.Settings.Private) == 0 {
		return nil, nil
	}
	conn, err := d.Application(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	protected, err := protectedColumns(ctx, conn, c.Settings.Private)
	if err != nil {
		return nil, err
	}
	for _, q := range query.Read(c.Head, c.Settings.Queries) {
		if records(q, c.Settings.Record) {
			continue
		}
		prepared, err := conn.Prepare(ctx, "", q.SQL)
		if err != nil {
			continue // another rule says so
		}
		name := shown(prepared.Fields, protected)
		if name == "" {
			name = computed(q, c.Settings.Private, protected)
		}
		if name != "" {
			all = append(all, Unrecorded.At(q.Path, q.Line, q.Name, fmt.Sprintf(
				"%s shows %s, and does not insert into %s", q.Name, name, c.Settings.Record)))
		}
	}
	return all, nil
}

func protectedColumns(ctx context.Context, conn *pgx.Conn, tables []string) (map[column]string, error) {
	rows, err := conn.Query(ctx, private, tables)
	if err != nil {
		return nil, err
	}
	all := map[column]string{}
	var table uint32
	var number int16
	var name string
	_, err = pgx.ForEachRow(rows, []any{&table, &number, &name}, func() error {
		all[column{table, uint16(number)}] = name
		return nil
	})
	return all, err
}

// shown returns the name of a column of the result that is protected, or "".
func shown(fields []pgconn.FieldDescription, protected map[column]string) string {
	for _, f := range fields {
		if name := protected[column{f.TableOID, f.TableAttributeNumber}]; name != "" {
			return name
		}
	}
	return ""
}

// computed returns the name of a protected column from which a value of the result is computed, or "": one with
// such a name, in a statement that reads such a table.
func computed(q query.Query, tables []string, protected map[column]string) (name string) {
	nodes, err := query.Nodes(q.SQL)
	if err != nil || !reads(nodes, tables) {
		return ""
	}
	names := slices.Collect(maps.Values(protected))
	for _, target := range nodes[0].GetSelectStmt().GetTargetList() {
		syntax.Walk(target, func(n *pg.Node) bool {
			if last := syntax.Last(n.GetColumnRef().GetFields()); slices.Contains(names, last) {
				name = last
			}
			return n.GetSubLink() == nil
		})
	}
	return name
}

// reads reports whether a statement names one of the tables.
func reads(nodes []*pg.Node, tables []string) (yes bool) {
	syntax.WalkAll(nodes, func(n *pg.Node) bool {
		yes = yes || n.GetRangeVar() != nil && slices.Contains(tables, n.GetRangeVar().GetRelname())
		return true
	})
	return yes
}

// records reports whether a statement inserts into a table.
func records(q query.Query, table string) (yes bool) {
	nodes, err := query.Nodes(q.SQL)
	if err != nil {
		return false
	}
	syntax.WalkAll(nodes, func(n *pg.Node) bool {
		yes = yes || n.GetInsertStmt().GetRelation().GetRelname() == table
		return true
	})
	return yes
}
