package db

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// declareBackfills begins the backfills of a migration that was applied.
func (m *Migrator) declareBackfills(ctx context.Context, f migrationFile) error {
	q := New(m.admin)
	for _, b := range f.backfills {
		if _, err := BackfillStatement(m.limits.Backfills, b.name); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		sees, err := q.SeesAllRows(ctx, &b.table)
		if err != nil {
			return err
		}
		if !zeroIfNil(sees) {
			return fmt.Errorf("%s: the backfill %s cannot run: there is no table %s, or its rows are shown to viewers "+
				"alone, and a worker is none", f.name, b.name, b.table)
		}
		n, err := q.DeclareBackfill(ctx, DeclareBackfillParams{Name: b.name, TableName: b.table})
		if err != nil {
			return err
		}
		if n > 0 {
			m.tell("%s: the backfill %s of %s begins: waybill jobs backfills", f.name, b.name, b.table)
		}
	}
	return nil
}

// declareMissed begins the backfills of applied migrations that were not: by a kill, or another program.
func (m *Migrator) declareMissed(ctx context.Context, done []int64) error {
	for _, f := range m.files {
		if slices.Contains(done, f.version) {
			if err := m.declareBackfills(ctx, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// Of a small table nothing is left to the workers.
const (
	smallBatches  = 20
	smallBackfill = 500 // rows of a batch
)

// requireBackfills returns an error unless the backfills are done that a migration requires. It does those
// of small tables itself, such as of a new database.
func (m *Migrator) requireBackfills(ctx context.Context, f migrationFile) error {
	q := New(m.admin)
	for _, name := range f.requires {
		b, err := q.GetBackfill(ctx, name)
		if errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("%s requires the backfill %s, which no migration has declared", f.name, name)
		}
		if err != nil {
			return err
		}
		if b.State == "RUNNING" {
			if err := m.finishSmall(ctx, name); err != nil {
				return fmt.Errorf("the backfill %s: %w", name, err)
			}
			if b, err = q.GetBackfill(ctx, name); err != nil {
				return err
			}
		}
		if b.State != "DONE" {
			return fmt.Errorf("%s requires the backfill %s, which is %s with %d rows done: start workers "+
				"(waybill work), and see waybill jobs backfills; then migrate again", f.name, name, b.State, b.RowsDone)
		}
	}
	return nil
}

func (m *Migrator) finishSmall(ctx context.Context, name string) error {
	statement, err := BackfillStatement(m.limits.Backfills, name)
	if err != nil {
		return err
	}
	for n := 0; n < smallBatches; n++ {
		b, err := runBackfill(ctx, m.admin, name, statement, smallBackfill)
		if errors.Is(err, ErrBackfillNotRunning) || b.Done {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}
