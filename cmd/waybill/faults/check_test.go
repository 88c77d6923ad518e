package faults

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
	"waybill/db/dbtest"
	"waybill/db/seed"
)

func TestMain(m *testing.M) { dbtest.Exit(dbtest.Run(m)) }

// The comparison finds each kind of loss and of doubling that is planted.
func TestCheckFindsWhatIsLostAndDoubled(t *testing.T) {
	t.Parallel()
	owner := dbtest.New(t).Owner()
	ctx := t.Context()
	var charge, draft, submitted uuid.UUID
	if err := seed.Make(ctx, owner, uuid.New(), func(r *seed.Rows) {
		s := r.Standard()
		draft = r.Pickup(s.Pickup())
		submitted = r.Pickup(s.Pickup(seed.In(db.PickupStatusSUBMITTED)))
	}); err != nil {
		t.Fatal(err)
	}
	if err := owner.QueryRow(ctx, `SELECT id FROM ledger_entries WHERE kind = 'charge'`).Scan(&charge); err != nil {
		t.Fatal(err)
	}
	absent := uuid.New()
	for name, c := range map[string]struct {
		plant                     string
		charges, pickups, submits []uuid.UUID
		lost, doubled             int
	}{
		"nothing":         {"SELECT", ids(charge), ids(draft, submitted), ids(submitted), 0, 0},
		"a charge":        {"SELECT", ids(charge, absent), ids(draft), ids(submitted), 1, 0},
		"a pickup":        {"SELECT", ids(charge), ids(absent), ids(submitted), 1, 0},
		"a submit":        {"SELECT", ids(charge), ids(draft), ids(draft, absent), 2, 0},
		"a second charge": {"UPDATE accounts SET balance_cents = balance_cents - 1", nil, nil, nil, 0, 1},
		"a second event": {`INSERT INTO pickup_events OVERRIDING SYSTEM VALUE SELECT (jsonb_populate_record(e,
			jsonb_build_object('id', gen_random_uuid(), 'idempotency_key', 'another',
			'seq', seq + 1000, 'version', version + 1))).*
			FROM pickup_events AS e WHERE transition = 'submit'`, nil, nil, nil, 0, 1},
	} {
		tx, err := owner.Begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback(ctx)
		lost, doubled := planted(t, tx, c.plant, c.charges, c.pickups, c.submits)
		if lost != c.lost || doubled != c.doubled {
			t.Errorf("%s: %d lost, %d doubled; want %d, %d", name, lost, doubled, c.lost, c.doubled)
		}
		if err := tx.Rollback(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

func ids(of ...uuid.UUID) []uuid.UUID { return of }

func planted(t *testing.T, tx pgx.Tx, plant string, acknowledged ...[]uuid.UUID) (lost, doubled int) {
	t.Helper()
	if _, err := tx.Exec(t.Context(), plant); err != nil {
		t.Fatal(err)
	}
	err := tx.QueryRow(t.Context(), check, acknowledged[0], acknowledged[1], acknowledged[2]).Scan(&lost, &doubled)
	if err != nil {
		t.Fatal(err)
	}
	return lost, doubled
}

func TestAResultHoldsIfOnlyTheControlLoses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		r      Result
		holds  bool
		remark string
	}{
		{Result{Acknowledged: 1, ServerErrors: 9}, true, ""},
		{Result{Acknowledged: 1, Lost: 1}, false, "NOT HELD"},
		{Result{Acknowledged: 1, Doubled: 1}, false, "NOT HELD"},
		{Result{Acknowledged: 1, Internal: 1}, false, "internal"},
		{Result{Acknowledged: 1, Refused: 1}, false, "1 refused"},
		{Result{}, false, "nothing"},
		{Result{Acknowledged: 1, Reads: 9, ReplicaReads: 3, hasReplicas: true}, true, "9 reads, 3 of them"},
		{Result{Acknowledged: 1, Reads: 9, ReplicaReads: 3, Stale: 1, hasReplicas: true}, false, "1 of 9 reads"},
		{Result{Acknowledged: 1, Reads: 9, hasReplicas: true}, false, "served nothing"},
		{Result{Acknowledged: 1, Control: true, Lost: 1}, true, "must lose"},
		{Result{Acknowledged: 1, Control: true}, false, "LOST NOTHING"},
		{Result{Skipped: "for a reason"}, true, "reason"},
	} {
		var line strings.Builder
		c.r.Line(&line)
		if c.r.Held() != c.holds || !strings.Contains(line.String(), c.remark) {
			t.Errorf("%+v holds: %t, and says %s", c.r, c.r.Held(), line.String())
		}
	}
}
