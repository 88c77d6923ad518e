package db_test

import (
	"testing"

	"waybill/db"
)

// A write of few rows is planned once, not each time: planning takes longer than execution. Large batches
// are left to PostgreSQL.
func TestWritesOfFewRowsArePlannedOnce(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	w := d.fixture(ctx)
	w.signIn(ctx, false)
	s := openStore(t, db.Config{URL: d.AppURL, MaxConns: 1, OneByOne: true})
	for range 8 { // PostgreSQL may choose a generic plan after five
		w.must(enter(ctx, s, w.admin, charge(w.account, 1)))
		w.must(move(ctx, s, w.staff, "submit", w.pickup(ctx)))
		w.must(created(ctx, s, w.staff, []db.Draft{w.draft()}))
		w.must(locateOne(ctx, s, w.dispatcher, w.driver(ctx, 1, 1)))
	}
	for _, query := range []string{"CreateLedgerEntries", "TransitionPickups", "CreatePickups", "LocateDrivers"} {
		var custom, generic int
		w.must(s.Pool().QueryRow(ctx, `SELECT sum(custom_plans), sum(generic_plans) FROM pg_prepared_statements
			WHERE statement LIKE '-- name: ' || $1 || '%'`, query).Scan(&custom, &generic))
		if custom != 0 || generic != 8 {
			t.Errorf("%s: planned %d times, and executed %d times by the one plan", query, custom, generic)
		}
	}

	many := make([]db.Draft, 100)
	for i := range many {
		many[i] = w.draft()
	}
	w.must(created(ctx, s, w.staff, many))
	var custom int
	w.must(s.Pool().QueryRow(ctx, "SELECT sum(custom_plans) FROM pg_prepared_statements WHERE statement LIKE "+
		"'-- name: CreatePickups %'").Scan(&custom))
	if custom != 1 {
		t.Errorf("a batch of 100 was planned %d times", custom)
	}
}
