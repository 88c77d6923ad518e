package db

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
)

// isUndefinedTable reports whether a statement read a table that is not there yet.
func isUndefinedTable(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == "42P01"
}

// applied returns the numbers of the applied migrations. It only reads: goose's own functions create its
// table if it is missing.
func (m *Migrator) applied(ctx context.Context) ([]int64, error) {
	return appliedVersions(ctx, New(m.admin))
}

func appliedVersions(ctx context.Context, q *Queries) (versions []int64, err error) {
	rows, err := q.ListAppliedMigrations(ctx)
	if isUndefinedTable(err) {
		return nil, nil
	}
	for _, r := range rows {
		versions = append(versions, r.Version)
	}
	return versions, err
}

// recorded returns what the applied files were. None if the schema is from before they were recorded.
func recorded(ctx context.Context, q *Queries) ([]MigrationFile, error) {
	rows, err := q.ListMigrationFiles(ctx)
	if isUndefinedTable(err) {
		return nil, nil
	}
	return rows, err
}

// review tells which files differ from what was applied, and which migrations were interrupted. It
// forgets those that were reverted.
func (m *Migrator) review(ctx context.Context, done []int64) error {
	if err := m.forget(ctx); err != nil {
		return err
	}
	rows, err := recorded(ctx, New(m.admin))
	if err != nil {
		return err
	}
	for _, r := range rows {
		i := slices.IndexFunc(m.files, func(f migrationFile) bool { return f.version == r.Version })
		switch isDone := slices.Contains(done, r.Version); {
		case !isDone && r.AppliedAt == nil:
			m.tell("%s was begun at %s and interrupted: it starts over", r.Name, stamp(r.BegunAt))
		case i >= 0 && r.AppliedAt != nil && !bytes.Equal(m.files[i].checksum, r.Checksum):
			m.tell("%s differs from the file that was applied: see waybill migrate status", m.files[i].name)
		}
	}
	return nil
}

// recordBegin records that a migration begins, so that one that is killed is known.
func (m *Migrator) recordBegin(ctx context.Context, f migrationFile) error {
	_, err := New(m.admin).BeginMigration(ctx, BeginMigrationParams{
		Version: f.version, Name: f.name, Checksum: f.checksum, CompatibleFrom: f.compatibleFrom})
	if isUndefinedTable(err) { // a migration from before files were recorded
		return nil
	}
	return err
}

// recordEnd records that a migration was applied.
func (m *Migrator) recordEnd(ctx context.Context, f migrationFile) error {
	if err := m.recordBegin(ctx, f); err != nil { // the one that makes the table did not begin in it
		return err
	}
	_, err := New(m.admin).FinishMigration(ctx, FinishMigrationParams{
		Version: f.version, Name: f.name, Checksum: f.checksum, CompatibleFrom: f.compatibleFrom})
	if isUndefinedTable(err) {
		return nil
	}
	return err
}

// recordFound records the applied migrations of which no file is recorded, with the files as they are.
func (m *Migrator) recordFound(ctx context.Context, done []int64) error {
	rows, err := m.recordedVersions(ctx)
	if err != nil || rows == nil {
		return err
	}
	for _, f := range m.files {
		if !slices.Contains(done, f.version) || rows[f.version] {
			continue
		}
		if err := m.recordOne(ctx, f); err != nil {
			return fmt.Errorf("cannot record %s: %w", f.name, err)
		}
	}
	return nil
}

// recordOne records an applied migration: one that was killed between being applied and being recorded
// has a row already.
func (m *Migrator) recordOne(ctx context.Context, f migrationFile) error {
	n, err := New(m.admin).FinishMigration(ctx, FinishMigrationParams{
		Version: f.version, Name: f.name, Checksum: f.checksum, CompatibleFrom: f.compatibleFrom})
	if err != nil || n > 0 {
		return err
	}
	_, err = New(m.admin).FindMigration(ctx, FindMigrationParams{
		Version: f.version, Name: f.name, Checksum: f.checksum, CompatibleFrom: f.compatibleFrom})
	return err
}

// recordedVersions returns the migrations that are recorded as applied; nil if the schema is from before
// they were recorded.
func (m *Migrator) recordedVersions(ctx context.Context) (map[int64]bool, error) {
	rows, err := New(m.admin).ListMigrationFiles(ctx)
	if isUndefinedTable(err) {
		return nil, nil
	}
	versions := map[int64]bool{}
	for _, r := range rows {
		if r.AppliedAt != nil {
			versions[r.Version] = true
		}
	}
	return versions, err
}

// forget deletes what is recorded about migrations that were reverted.
func (m *Migrator) forget(ctx context.Context) error {
	done, err := m.applied(ctx)
	if err != nil {
		return err
	}
	if done == nil {
		done = []int64{} // NULL is unequal to nothing
	}
	if _, err = New(m.admin).ForgetMigrations(ctx, done); isUndefinedTable(err) {
		return nil
	}
	return err
}
