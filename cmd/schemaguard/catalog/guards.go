package catalog

import (
	"context"
	"fmt"
	"path"
	"slices"

	"github.com/jackc/pgx/v5"

	"waybill/cmd/schemaguard/change"
	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/schemaguard/server"
)

// Unguarded is the rule that what refuses rows stays as long as old servers count on it.
var Unguarded = finding.Rule{
	Name: "guard-dropped",
	Load: "servers of the release before count on it where two callers come at once: they write the row twice, and " +
		"what was decided by it is not decided any more",
	Safe: "keep it until a release after the last statement that it decides for, or add what takes its place before " +
		"it goes; where its rule is no rule any more, a waiver that says so",
}

// guard is what refuses rows of a table.
type guard struct {
	Table, Name, Kind, Terms string
	Columns                  []string
}

var kinds = map[string]string{"unique": "unique index", "c": "check", "f": "foreign key", "x": "exclusion"}

// Guards are a schema's.
type Guards struct {
	all     []guard
	columns map[string]bool // table.column
}

// ReadGuards returns what refuses rows in a database, as the superuser.
func ReadGuards(ctx context.Context, conn *pgx.Conn) (g *Guards, err error) {
	g = &Guards{columns: map[string]bool{}}
	rows, err := conn.Query(ctx, sql("guards"))
	if err != nil {
		return nil, err
	}
	if g.all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[guard]); err != nil {
		return nil, err
	}
	if rows, err = conn.Query(ctx, sql("columns")); err != nil {
		return nil, err
	}
	var name string
	_, err = pgx.ForEachRow(rows, []any{&name}, func() error {
		g.columns[name] = true
		return nil
	})
	return g, err
}

// CheckGuards returns what the base had, and the head has not, with nothing in its place, though each column is
// still there.
func CheckGuards(c *change.Change, before, now *Guards) (all []finding.Finding) {
	for _, g := range before.all {
		if slices.ContainsFunc(now.all, g.replacedBy) || !now.has(g) || library(c, g.Table) {
			continue
		}
		file, line := Place(c, g.Name, g.Table)
		all = append(all, Unguarded.At(file, line, g.Name, fmt.Sprintf(
			"the %s %s of %s is dropped, and nothing takes its place", kinds[g.Kind], g.Name, g.Table)))
	}
	return all
}

// replacedBy reports whether another refuses what g refuses, or is about the same: a check of the same columns, a
// foreign key of the same columns to the same table, a unique index of no more columns.
func (g guard) replacedBy(o guard) bool {
	if g.Table != o.Table || g.Kind != o.Kind {
		return false
	}
	if g.Kind == "unique" {
		return (o.Terms == "" || o.Terms == g.Terms) && !slices.ContainsFunc(o.Columns, func(c string) bool {
			return !slices.Contains(g.Columns, c)
		})
	}
	return g.Terms == o.Terms && slices.Equal(g.Columns, o.Columns)
}

// has reports whether the schema has all columns of a guard.
func (g *Guards) has(of guard) bool {
	return !slices.ContainsFunc(of.Columns, func(c string) bool { return !g.columns[of.Table+"."+c] })
}

func library(c *change.Change, table string) bool {
	return slices.ContainsFunc(c.Settings.Libraries, func(pattern string) bool {
		ok, _ := path.Match(pattern, server.Bare(table))
		return ok
	})
}
