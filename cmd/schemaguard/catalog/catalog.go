// Package catalog has the rules about the schema that the migrations make, as PostgreSQL's own catalog
// describes it.
package catalog

import (
	"context"
	"embed"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"waybill/cmd/schemaguard/change"
	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/schemaguard/settings"
)

//go:embed sql/*.sql
var files embed.FS

func sql(name string) string {
	text, err := files.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic(err) // it is embedded
	}
	return string(text)
}

// row is what a rule's statement finds.
type row struct{ Table, Object, Message string }

// Check runs the rules on a database of the change's head, as the superuser.
func Check(ctx context.Context, c *change.Change, conn *pgx.Conn) (all []finding.Finding, err error) {
	if err := prepare(ctx, conn, c.Settings); err != nil {
		return nil, err
	}
	for _, rule := range rules {
		rows, err := conn.Query(ctx, sql(rule.Name))
		if err != nil {
			return nil, err
		}
		found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", rule.Name, err)
		}
		for _, r := range found {
			if rule.Name == Unmapped.Name {
				if ok, err := mapped(ctx, c, conn, r); err != nil {
					return nil, err
				} else if ok {
					continue
				}
			}
			file, line := Place(c, r.Object, r.Table)
			all = append(all, rule.At(file, line, r.Object, r.Message+tail[rule.Name]))
		}
	}
	return all, nil
}

// prepare makes the tables that the rules read. The role is PUBLIC's least privileged where the settings name none.
func prepare(ctx context.Context, conn *pgx.Conn, s *settings.Settings) error {
	role := s.Role
	if role == "" {
		role = conn.Config().User
	}
	_, err := conn.Exec(ctx, sql("setup"), pgx.QueryExecModeSimpleProtocol, role, orEmpty(s.TenantColumns),
		orEmpty(s.Private), orEmpty(s.Libraries))
	if err == nil {
		_, err = conn.Exec(ctx, sql("tables"))
	}
	return err
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// mapped reports whether the project's file of constraints has a name, or the name says its meaning, or there is no
// such file.
func mapped(ctx context.Context, c *change.Change, conn *pgx.Conn, r row) (bool, error) {
	if s := c.Settings; s.Constraints == "" || strings.Contains(c.Head[s.Constraints], `"`+r.Object+`"`) {
		return true, nil
	}
	rows, err := conn.Query(ctx, `SELECT a.attname::text FROM gate_tables AS t
		JOIN pg_attribute AS a ON a.attrelid = t.oid
		WHERE t.name = $1 AND a.attnum > 0 AND NOT a.attisdropped`, r.Table)
	if err != nil {
		return false, err
	}
	columns, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return saysItsMeaning(c.Settings.ConstraintNames, r.Table, columns, r.Object), err
}

// saysItsMeaning reports whether the name of a table's constraint is one of the patterns.
func saysItsMeaning(patterns []string, table string, columns []string, name string) bool {
	for _, pattern := range patterns {
		pattern = strings.ReplaceAll(pattern, "{table}", table)
		if pattern == name {
			return true
		}
		for _, column := range columns {
			if strings.ReplaceAll(pattern, "{column}", column) == name {
				return true
			}
		}
	}
	return false
}
