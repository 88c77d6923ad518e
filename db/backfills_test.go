package db_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"waybill/db"
	"waybill/sql"
)

// backfill makes a backfill, in a state, and another one in each state. It returns its name.
func (w *fixture) backfill(ctx context.Context, state string) string {
	name := w.tenant.String() + newID().String()
	for suffix, in := range map[string]string{"": state, "/1": "RUNNING", "/2": "STOPPED", "/3": "DONE"} {
		must(w.owner.Exec(ctx, `INSERT INTO backfills (name, table_name, state, finished_at)
			VALUES ($1, 'pickups', $2, CASE $2 WHEN 'DONE' THEN now() END)`, name+suffix, in))
	}
	return name
}

// othersStay returns an error if another backfill was changed.
func (w *fixture) othersStay(ctx context.Context, name string) error {
	if left := scan[string](ctx, w.owner, `SELECT string_agg(state || held || batches, ' ' ORDER BY name) FROM backfills
		WHERE name LIKE $1 || '/%'`, name); left != "RUNNING0 STOPPED0 DONE0" {
		return errors.New("others were changed: " + left)
	}
	return nil
}

// onlyFrom checks that a change is made of a backfill in one state, once, and in no other.
func (w *fixture) onlyFrom(ctx context.Context, want string, change func(name string) (int64, error)) error {
	for _, state := range []string{"RUNNING", "STOPPED", "DONE"} {
		name := w.backfill(ctx, state)
		total := make(chan int64, manyCallers)
		errs := together(manyCallers, func(int) error {
			n, err := change(name)
			total <- n
			return err
		})
		sum := int64(0)
		for range manyCallers {
			sum += <-total
		}
		if err := errors.Join(append(errs, w.othersStay(ctx, name))...); err != nil {
			return err
		}
		if (state == want) != (sum == 1) || sum > 1 {
			return fmt.Errorf("%s: changed %d times", state, sum)
		}
	}
	return nil
}

var backfillRaces = []check{
	{"DeclareBackfill", "a migration that runs again begins its backfill anew",
		func(ctx context.Context, w *fixture) error {
			name := newID().String()
			q := w.over(w.owner)
			errs := together(manyCallers, func(int) error {
				_, err := q.DeclareBackfill(ctx, db.DeclareBackfillParams{Name: name, TableName: "pickups"})
				return err
			})
			if jobs := scan[int](ctx, w.owner, `SELECT count(*) FROM river_job
				WHERE kind = 'backfill' AND queue = 'backfills' AND args ->> 'name' = $1`, name); jobs != 1 {
				errs = append(errs, fmt.Errorf("%d jobs", jobs))
			}
			return errors.Join(errs...)
		}},
	{"AdvanceBackfill", "a batch of a stopped backfill is recorded", func(ctx context.Context, w *fixture) error {
		return w.onlyFrom(ctx, "RUNNING", func(name string) (int64, error) {
			return w.AdvanceBackfill(ctx, db.AdvanceBackfillParams{Name: name, RowsChanged: 1})
		})
	}},
	{"HoldBackfill", "a backfill that is done says that it waits", func(ctx context.Context, w *fixture) error {
		return w.onlyFrom(ctx, "RUNNING", func(name string) (int64, error) {
			return w.HoldBackfill(ctx, db.HoldBackfillParams{Name: name, Why: "slow"})
		})
	}},
	{"HoldBackfill", "a worker overwrites why another one waits", func(ctx context.Context, w *fixture) error {
		name := w.backfill(ctx, "RUNNING")
		first := must(w.as.HoldBackfill(ctx, db.HoldBackfillParams{Name: name, Why: "slow"}))
		second, err := w.HoldBackfill(ctx, db.HoldBackfillParams{Name: name, Why: "other"})
		if err != nil || first != 1 || second != 0 {
			return fmt.Errorf("%d and %d, %w", first, second, err)
		}
		return nil
	}},
	{"StopBackfill", "an operator stops a backfill that is done", func(ctx context.Context, w *fixture) error {
		return w.onlyFrom(ctx, "RUNNING", func(name string) (int64, error) { return w.StopBackfill(ctx, name) })
	}},
	{"ResumeBackfill", "an operator resumes a backfill that is done", func(ctx context.Context, w *fixture) error {
		return w.onlyFrom(ctx, "STOPPED", func(name string) (int64, error) { return w.ResumeBackfill(ctx, name) })
	}},
}

// Each statement of sql/backfills takes what a worker gives it, and returns what it wants.
func TestStatementsOfBackfillsFitTheWorker(t *testing.T) {
	t.Parallel()
	d := open(t)
	folder := must(fs.Sub(sql.Backfills, "backfills"))
	for _, name := range must(fs.Glob(folder, "*.sql")) {
		text := must(db.BackfillStatement(folder, strings.TrimSuffix(name, ".sql")))
		if err := fits(t.Context(), d, text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	readme := string(must(fs.ReadFile(folder, "README.md")))
	_, example, _ := strings.Cut(readme, "\n    WITH")
	example, _, _ = strings.Cut(example, "\n\n")
	example = strings.ReplaceAll("WITH"+example, "SET colour = 'none'", "SET note = 'none'")
	if err := fits(t.Context(), d, strings.ReplaceAll(example, "p.colour IS NULL", "p.note = ''")); err != nil {
		t.Errorf("the example of README.md: %v", err)
	}
	for _, wrong := range []string{"SELECT 1", "SELECT $1::text, $2::bigint",
		"SELECT $1::jsonb, count(*) FROM nowhere"} {
		if fits(t.Context(), d, wrong) == nil {
			t.Errorf("%s fits", wrong)
		}
	}
}

// fits prepares the statement of a backfill as the application.
func fits(ctx context.Context, d *database, statement string) error {
	conn, err := d.Pool().Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	described, err := conn.Conn().Prepare(ctx, "", statement)
	if err != nil {
		return err
	}
	var results []uint32
	for _, f := range described.Fields {
		results = append(results, f.DataTypeOID)
	}
	const jsonb, int4, int8 = 3802, 23, 20
	if !slices.Equal(described.ParamOIDs, []uint32{jsonb, int4}) || !slices.Equal(results, []uint32{jsonb, int8}) {
		return fmt.Errorf("it takes %v and returns %v, not jsonb, int4 and jsonb, int8", described.ParamOIDs, results)
	}
	return nil
}
