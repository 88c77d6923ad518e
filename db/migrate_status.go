package db

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"
)

// MigrationState is what is known about a migration.
type MigrationState struct {
	Version   int64
	Name      string
	State     string    // pending, applied, changed, begun, unknown
	AppliedAt time.Time // zero if it is not applied
	Note      string    // what the state means for an operator; "" if all is well
}

// Status lists the migrations of the program and of the database in the order of their numbers. It only
// reads.
func (m *Migrator) Status(ctx context.Context) (all []MigrationState, err error) {
	err = m.connected(ctx, func() error {
		q := New(m.admin)
		done, err := q.ListAppliedMigrations(ctx)
		if err != nil && !isUndefinedTable(err) {
			return err
		}
		rows, err := recorded(ctx, q)
		if err != nil {
			return err
		}
		all = m.states(done, rows)
		return nil
	})
	return all, m.explain(err)
}

func (m *Migrator) states(done []ListAppliedMigrationsRow, rows []MigrationFile) (all []MigrationState) {
	appliedAt, records := map[int64]time.Time{}, map[int64]MigrationFile{}
	for _, d := range done {
		appliedAt[d.Version] = zeroIfNil(d.AppliedAt)
	}
	for _, r := range rows {
		records[r.Version] = r
	}
	for _, f := range m.files {
		all = append(all, f.state(appliedAt, records))
		delete(appliedAt, f.version)
	}
	for version, at := range appliedAt {
		name := fmt.Sprintf("%05d", version)
		if r, ok := records[version]; ok {
			name = r.Name
		}
		all = append(all, MigrationState{version, name, "unknown", at,
			"applied by another program: this one does not have it"})
	}
	slices.SortFunc(all, func(a, b MigrationState) int { return int(a.Version - b.Version) })
	return all
}

// state compares a file with what was applied.
func (f *migrationFile) state(appliedAt map[int64]time.Time, records map[int64]MigrationFile) MigrationState {
	at, isApplied := appliedAt[f.version]
	s := MigrationState{Version: f.version, Name: f.name, State: "pending", AppliedAt: at}
	r, isRecorded := records[f.version]
	switch {
	case !isApplied && isRecorded && r.AppliedAt == nil:
		s.State = "begun"
		s.Note = "interrupted after it began at " + stamp(r.BegunAt) + ": waybill migrate up starts it over"
	case !isApplied:
	case isRecorded && r.AppliedAt != nil && !bytes.Equal(f.checksum, r.Checksum):
		s.State = "changed"
		s.Note = "the file differs from the one that was applied: a new migration has to make the difference"
	case isRecorded && r.Name != f.name:
		s.State, s.Note = "changed", "the file was named "+r.Name+" when it was applied"
	default:
		s.State = "applied"
	}
	return s
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }
