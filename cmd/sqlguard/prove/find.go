package prove

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"waybill/cmd/sqlguard/verdict"
)

// tries limits the generated rows until the query writes one.
const tries = 400

// ErrNoRow means that no generated row was written by the query, so that nothing is known about it.
var ErrNoRow = errors.New("the query wrote none of the generated rows")

// played is the number of written rows whose race is run before the query counts as safe.
const played = 16

// find searches for rows on which one of two concurrent writes is lost, and returns that race, or else
// the last race that it ran.
func (v *sandbox) find() (choice, *Race, error) {
	random := rand.New(rand.NewPCG(1, 2))
	var c choice
	var r *Race
	races := 0
	for try := 0; try < tries && races < played; try++ {
		next := v.choose(random, try)
		if writes, err := v.attempt(next); err != nil {
			return c, r, err
		} else if !writes {
			continue
		}
		if err := v.fill(next); err != nil {
			return c, r, err
		}
		races++
		var err error
		if r, err = v.race(v.query.Text, v.params, next); err != nil {
			return c, r, err
		}
		if c = next; r.Loses() {
			return c, r, nil
		}
	}
	if races == 0 {
		return c, r, ErrNoRow
	}
	return c, r, nil
}

// attempt reports whether the first caller's query writes the row. It is rolled back.
func (v *sandbox) attempt(c choice) (bool, error) {
	tx, err := v.pool.Begin(v.ctx)
	if err != nil {
		return false, err
	}
	defer tx.Rollback(v.ctx)
	if !v.insert(tx, c) {
		return false, v.ctx.Err()
	}
	var before, after string
	if err := tx.QueryRow(v.ctx, v.contents()).Scan(&before); err != nil {
		return false, err
	}
	first := v.sql(v.query.Text, v.params, c.args[0])
	if v.against != nil {
		first = v.sql(v.against.Text, v.opening, c.open)
	}
	if _, err := tx.Exec(v.ctx, first); err != nil {
		return false, v.ctx.Err()
	}
	if err := tx.QueryRow(v.ctx, v.contents()).Scan(&after); err != nil {
		return false, v.ctx.Err()
	}
	return v.changes(before, after), nil
}

// changes reports whether exactly one row is written and, if the write overwrites columns, whether the
// value of any of them changes.
func (v *sandbox) changes(before, after string) bool {
	old, err := rowsOf(before)
	if err != nil || len(old) != 1 || before == after {
		return false
	}
	now, err := rowsOf(after)
	if err != nil || len(now) != 1 {
		return err == nil // a row was deleted or inserted
	}
	overwritten := v.atStake()
	return len(overwritten) == 0 && fmt.Sprint(old[0][place]) != fmt.Sprint(now[0][place]) ||
		slices.ContainsFunc(overwritten,
			func(column string) bool { return fmt.Sprint(old[0][column]) != fmt.Sprint(now[0][column]) })
}

// atStake returns the columns whose values can be lost: the overwritten ones, and against another query
// also those set to a fixed value.
func (v *sandbox) atStake() []string {
	classes := []verdict.Class{verdict.AbsoluteSet, verdict.PatchSet}
	if v.against != nil {
		classes = append(classes, verdict.ConstantSet)
	}
	return v.write.Set(classes...)
}

// fill replaces the rows in the database.
func (v *sandbox) fill(c choice) error {
	tx, err := v.pool.Begin(v.ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(v.ctx)
	if !v.insert(tx, c) {
		return ErrNoRow
	}
	return tx.Commit(v.ctx)
}

// insert replaces the rows within tx, and reports whether the target's row was accepted.
func (v *sandbox) insert(tx pgx.Tx, c choice) bool {
	for _, t := range slices.Backward(v.tables()) {
		if _, err := tx.Exec(v.ctx, "DELETE FROM "+t.Name); err != nil {
			return false
		}
	}
	for i, t := range v.tables() {
		for nth, row := range c.rows[i] {
			if _, err := tx.Exec(v.ctx, "SAVEPOINT s"); err != nil {
				return false
			}
			if _, err := tx.Exec(v.ctx, t.insertion(row)); err != nil {
				if nth == 0 && t == v.target {
					return false
				}
				if _, err := tx.Exec(v.ctx, "ROLLBACK TO s"); err != nil {
					return false
				}
			}
		}
	}
	return true
}

func (t *table) insertion(row []*string) string {
	var names, values []string
	for i, c := range t.Columns {
		names, values = append(names, c.Name), append(values, c.Kind.literal(row[i]))
	}
	return "INSERT INTO " + t.Name + " (" + strings.Join(names, ", ") + ") OVERRIDING SYSTEM VALUE VALUES (" +
		strings.Join(values, ", ") + ")"
}
