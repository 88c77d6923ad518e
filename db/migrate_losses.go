package db

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pressly/goose/v3"
)

var (
	dropsTable = regexp.MustCompile(`(?is)\b(?:DROP\s+TABLE|TRUNCATE(?:\s+TABLE)?)\s+(?:IF\s+EXISTS\s+)?` +
		`((?:"?\w+"?\s*,\s*)*"?\w+"?)\s*(?:CASCADE|RESTRICT)?\s*(?:;|$)`)
	dropsColumn = regexp.MustCompile(`(?is)\bDROP\s+COLUMN\s+(?:IF\s+EXISTS\s+)?"?(\w+)"?`)
	altersTable = regexp.MustCompile(`(?is)\bALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?"?(\w+)"?([^;]*)`)
	deletes     = regexp.MustCompile(`(?is)\b(DELETE\s+FROM|UPDATE)\s+(?:ONLY\s+)?"?(\w+)"?`)
	runsCode    = regexp.MustCompile(`(?is)\bDO\s*(\$|LANGUAGE\b)|\bEXECUTE\s+(format|')`)
)

// loss is what reverting a migration loses of a table.
type loss struct{ table, what string }

// losses reads them from what reverts the migration.
func (f *migrationFile) losses() (all []loss) {
	sql := f.down()
	for _, m := range dropsTable.FindAllStringSubmatch(sql, -1) {
		for _, name := range strings.Split(m[1], ",") {
			all = append(all, loss{strings.Trim(strings.TrimSpace(name), `"`), "the table"})
		}
	}
	for _, alter := range altersTable.FindAllStringSubmatch(sql, -1) {
		for _, column := range dropsColumn.FindAllStringSubmatch(alter[2], -1) {
			all = append(all, loss{alter[1], "the column " + column[1] + " of"})
		}
	}
	for _, m := range deletes.FindAllStringSubmatch(sql, -1) {
		what := "rows that it deletes from"
		if strings.EqualFold(m[1], "UPDATE") {
			what = "values that it overwrites in"
		}
		all = append(all, loss{m[2], what})
	}
	return all
}

// Losses returns the newest migration, and what is lost if it is reverted, each with an estimate of the
// rows of its table. It returns [goose.ErrNoNextVersion] if no migration is applied.
func (m *Migrator) Losses(ctx context.Context) (name string, lost []string, err error) {
	err = m.connected(ctx, func() error {
		f, err := m.newest(ctx)
		if err != nil {
			return err
		}
		name = f.name
		lost, err = m.losses(ctx, f)
		return err
	})
	if errors.Is(err, goose.ErrNoNextVersion) {
		return "", nil, err
	}
	return name, lost, m.explain(err)
}

func (m *Migrator) losses(ctx context.Context, f migrationFile) (lost []string, err error) {
	all := f.losses()
	tables := []string{}
	for _, l := range all {
		tables = append(tables, l.table)
	}
	rows, err := New(m.admin).EstimateRows(ctx, tables)
	if err != nil {
		return nil, err
	}
	for _, l := range all {
		i := slices.IndexFunc(rows, func(r EstimateRowsRow) bool { return zeroIfNil(r.TableName) == l.table })
		if i < 0 {
			continue // not there
		}
		lost = append(lost, fmt.Sprintf("%s %s (about %d rows)", l.what, l.table, zeroIfNil(rows[i].RowCount)))
	}
	if runsCode.MatchString(f.down()) {
		lost = append(lost, "whatever its DO block changes")
	}
	return lost, nil
}
