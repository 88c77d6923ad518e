package db_test

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"waybill/db"
	"waybill/db/dbtest"
)

// Batches in random order, over shared pickups, accounts and drivers: none is chosen as the victim of a
// deadlock, and none is refused for a busy driver. The invariants check the result.
func TestFlushesInAnyOrderDoNotDeadlock(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	w := d.fixture(ctx)
	drivers := w.drivers(ctx, 12)
	var accounts []uuid.UUID
	for range 4 {
		accounts = append(accounts, w.fundedAccount(ctx, 30_000))
	}
	pickups := make([]uuid.UUID, 400)
	var drafts []db.Draft
	for i := range pickups {
		drafts = append(drafts, w.draft(paidBy(accounts[i%len(accounts)])))
		pickups[i] = drafts[i].ID
	}
	w.must(created(ctx, w.as, w.staff, drafts))
	var flushes, won atomic.Int64
	for _, err := range together(16, func(caller int) error {
		// Each works on a window that overlaps with others, and moves on.
		for base, step := rand.IntN(len(pickups)), 0; step < 30; base, step = base+3, step+1 {
			n := 2 + rand.IntN(7)
			var some []uuid.UUID
			var by []db.Viewer
			firstDriver := rand.IntN(len(drivers))
			for i, j := range rand.Perm(12)[:n] {
				some = append(some, pickups[(base+j)%len(pickups)])
				by = append(by, drivers[(firstDriver+i)%len(drivers)])
			}
			name := []db.TransitionName{"submit", "assign", "release", "collect",
				"cancel", "assign", "submit"}[rand.IntN(7)]
			moved, err := w.send(ctx, d.Raw, name, some, by, nil)
			if err != nil {
				return err
			}
			flushes.Add(1)
			won.Add(int64(moved))
			if rand.IntN(4) == 0 {
				e := []db.Entry{charge(accounts[rand.IntN(4)], 1+rand.Int64N(9)),
					deposit(accounts[rand.IntN(4)], 1+rand.Int64N(9))}
				if _, err := enterAll(ctx, d.Raw, w.admin, e); err != nil {
					return err
				}
			}
		}
		return nil
	}) {
		if err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d flushes, %d transitions won", flushes.Load(), won.Load())
	if won.Load() < 100 {
		t.Error("too few rounds to test anything")
	}
}

// A new pickup locks the rows of its foreign keys while others charge the same account. If that were the
// account's own row, a charge that has locked the newest version of it and updates from the one in its
// snapshot could queue behind a session that waits for it.
func TestCreatesAndChargesOfOneAccountDoNotDeadlock(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	w := d.fixture(ctx)
	account := w.fundedAccount(ctx, 1_000_000)
	for _, err := range together(16, func(int) error {
		for range dbtest.Rounds(8) {
			draft := w.draft(paidBy(account), costing(1))
			if err := created(ctx, w.as, w.staff, []db.Draft{draft}); err != nil {
				return err
			}
			if err := move(ctx, d.Raw, w.staff, "submit", draft.ID); err != nil {
				return err
			}
			if err := move(ctx, d.Raw, w.staff, "cancel", draft.ID); err != nil {
				return err
			}
		}
		return nil
	}) {
		if err != nil {
			t.Error(err)
		}
	}
}
