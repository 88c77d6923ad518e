package db

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrNoSchema means that the database was never migrated, or that the first migration failed.
var ErrNoSchema = errors.New(
	"the database has no schema, or its first migration failed: run as its owner: waybill migrate up")

// CheckSchema checks that the database has each migration of this program, and that those which it does
// not know are declared compatible with it. It returns the unknown ones; its error says what to run.
func (s *System) CheckSchema(ctx context.Context) (newer []int64, err error) {
	q := New(s.Pool())
	done, err := appliedVersions(ctx, q)
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &refused) && refused.Code == "42501":
		// goose has created its table, but no migration has granted access
		return nil, ErrNoSchema
	case err != nil:
		return nil, fmt.Errorf("cannot read the schema's version: %w", Explain(err))
	case len(done) == 0:
		return nil, ErrNoSchema
	}
	rows, err := recorded(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("cannot read what the schema is compatible with: %w", Explain(err))
	}
	return compatible(ownMigrations(), done, rows)
}

// compatible compares the program's migrations with those of the database.
func compatible(own []migrationFile, done []int64, rows []MigrationFile) (newer []int64, err error) {
	newest := own[len(own)-1].version
	var lacks []string
	var known []int64
	for _, f := range own {
		known = append(known, f.version)
		if !slices.Contains(done, f.version) {
			lacks = append(lacks, f.name)
		}
	}
	if len(lacks) > 0 {
		return nil, fmt.Errorf("the schema is at version %d, this program needs %d, and it lacks %s: "+
			"run as its owner: waybill migrate up", slices.Max(done), newest, few(lacks))
	}
	for _, version := range done {
		if slices.Contains(known, version) {
			continue
		}
		if err := declared(version, newest, rows); err != nil {
			return nil, err
		}
		newer = append(newer, version)
	}
	return newer, nil
}

// declared returns an error unless a migration that the program does not know is declared compatible
// with programs as old as it.
func declared(version, newest int64, rows []MigrationFile) error {
	i := slices.IndexFunc(rows, func(r MigrationFile) bool { return r.Version == version })
	switch {
	case i < 0:
		return fmt.Errorf("the schema has the migration %05d, which this program (%05d) does not know, and nothing "+
			"says that it may serve: start a newer program", version, newest)
	case rows[i].CompatibleFrom == nil:
		return fmt.Errorf("the schema has the migration %s, which does not declare that older programs may serve, "+
			"and this one is of %05d: start a newer program", rows[i].Name, newest)
	case *rows[i].CompatibleFrom > newest:
		return fmt.Errorf("the schema has the migration %s, with which programs from %05d on may serve, and this one "+
			"is of %05d: start a newer program", rows[i].Name, *rows[i].CompatibleFrom, newest)
	}
	return nil
}

// few names the first of many.
func few(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
