package db_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"waybill/db"
	"waybill/db/dbtest"
)

// Several processes send batches to one database, over few accounts, drivers and pickups: no request gets
// an error that the design does not list.
func TestSeveralProcessesBatchOnOneDatabase(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := openBatching(t)
	w := d.fixture(ctx)
	stores := []*db.Raw{d.Raw}
	for range 2 {
		stores = append(stores, openStore(t, db.Config{URL: d.AppURL, MaxConns: 24, AcquireTimeout: 5 * time.Second}))
	}
	drivers := w.drivers(ctx, 5)
	accounts := []uuid.UUID{w.fundedAccount(ctx, 20_000), w.fundedAccount(ctx, 20_000), w.fundedAccount(ctx, 20_000)}
	var pickups sync.Map // by number
	var created atomic.Int64
	known := map[db.Code]bool{
		"": true, db.IllegalTransition: true, db.InsufficientFunds: true, db.DriverBusy: true, db.NoDriverFree: true,
	}
	var told sync.Map
	end := time.Now().Add(200*time.Millisecond + time.Duration(dbtest.Rounds(500))*time.Millisecond)
	for _, err := range together(36, func(caller int) error {
		s := stores[caller%len(stores)]
		for time.Now().Before(end) {
			account, driver := accounts[rand.IntN(len(accounts))], drivers[rand.IntN(len(drivers))]
			var id uuid.UUID
			n := created.Load()
			if found, ok := pickups.Load(n - 1 - rand.Int64N(12)); ok {
				id = found.(uuid.UUID)
			}
			var err error
			switch what := rand.IntN(10); {
			case what == 0 || id == uuid.Nil:
				draft := w.draft(paidBy(account), costing(100))
				_, _, err = s.CreateDrafts(ctx, w.staff, []db.Draft{draft})
				pickups.Store(created.Add(1)-1, draft.ID)
			case what <= 2:
				err = w.charging(ctx, account, 10)(s)
			case what == 3:
				err = w.depositing(ctx, account, 20)(s)
			default:
				names := []db.TransitionName{"submit", "submit", "assign", "assign",
					"release", "cancel", "dispatch", "collect"}
				err = move(ctx, s, w.dispatcher, names[rand.IntN(len(names))], id,
					func(t *db.Transition) { t.DriverID = driver.DriverID })
			}
			times, _ := told.LoadOrStore(code(err), new(atomic.Int64))
			times.(*atomic.Int64).Add(1)
			if !known[code(err)] {
				return fmt.Errorf("undocumented error %q: %w", code(err), err)
			}
		}
		return nil
	}) {
		if err != nil {
			t.Error(err)
		}
	}
	for c, times := range told.Range {
		t.Logf("%q: %d", c, times.(*atomic.Int64).Load())
	}
}

// A batch that PostgreSQL chooses as the victim of a deadlock is retried: another session locks rows in
// another order.
func TestBatchThatLosesADeadlockIsRetried(t *testing.T) {
	ctx, w := batchingFixture(t)
	accounts := []uuid.UUID{w.fundedAccount(ctx, 100), w.fundedAccount(ctx, 100)}
	sortIDs(accounts)
	for range 5 {
		f, lost, err := w.crossing(ctx, accounts)
		if err != nil {
			t.Fatal(err)
		}
		if n := f.count("CreateLedgerEntries"); lost && n > blockers+1 {
			return
		} else if lost {
			t.Fatalf("%d statements: it was not tried again", n)
		}
	}
	t.Skip("five times, the busy machine had the other session find the deadlock first")
}

// crossing has a batch of charges lock the accounts in order while another session locks them in reverse
// order. lost reports whether the batch was the victim.
func (w *fixture) crossing(ctx context.Context, accounts []uuid.UUID) (f *flushing, lost bool, err error) {
	const lock = "SELECT FROM accounts WHERE tenant_id = $1 AND id = $2 FOR UPDATE"
	tx := must(w.owner.Begin(ctx))
	defer tx.Rollback(context.WithoutCancel(ctx))
	must(tx.Exec(ctx, lock, w.tenant, accounts[1]))
	f = w.flushing()
	done := make(chan []error)
	go func() {
		done <- w.sharingOver(db.BatchingOver(f), f, "entry", w.blockerCharges(ctx),
			w.charging(ctx, accounts[0], 1), w.charging(ctx, accounts[1], 1))
	}()
	w.awaitBlockedBy(ctx, tx)
	// The session that waited first checks for a deadlock first, and is canceled.
	_, err = tx.Exec(ctx, lock, w.tenant, accounts[0])
	w.must(tx.Rollback(ctx))
	return f, err == nil, first(<-done...)
}
