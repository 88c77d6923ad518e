package db_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
)

// holding keeps a row locked, as another session may for any time.
func (w *fixture) holding(ctx context.Context, table string, id uuid.UUID) pgx.Tx {
	tx := must(w.owner.Begin(ctx))
	must(tx.Exec(ctx, "SELECT FROM "+table+" WHERE tenant_id = $1 AND id = $2 FOR UPDATE", w.tenant, id))
	return tx
}

func TestLockedPickupDoesNotStallItsBatch(t *testing.T) {
	t.Parallel()
	for kind, c := range map[string]struct {
		blocker func(context.Context, *fixture) func(int) act
		pickup  func(context.Context, *fixture) uuid.UUID
		act     func(context.Context, *fixture, uuid.UUID) act
	}{
		"submit": {
			func(ctx context.Context, w *fixture) func(int) act { return w.blockerMoves(ctx, "submit", "DRAFT") },
			func(ctx context.Context, w *fixture) uuid.UUID { return w.pickup(ctx) },
			func(ctx context.Context, w *fixture, id uuid.UUID) act { return w.moving(ctx, "submit", id) },
		},
		"assign": {
			func(ctx context.Context, w *fixture) func(int) act { return w.blockerAssigns(ctx) },
			func(ctx context.Context, w *fixture) uuid.UUID { return w.submitted(ctx) },
			func(ctx context.Context, w *fixture, id uuid.UUID) act {
				return w.assigning(ctx, id, w.driver(ctx, 1, 1))
			},
		},
		"move": {
			func(ctx context.Context, w *fixture) func(int) act { return w.blockerMoves(ctx, "cancel", "DRAFT") },
			func(ctx context.Context, w *fixture) uuid.UUID { return w.submitted(ctx) },
			func(ctx context.Context, w *fixture, id uuid.UUID) act { return w.moving(ctx, "cancel", id) },
		},
	} {
		t.Run(kind, func(t *testing.T) {
			ctx, w := batchingFixture(t)
			held := c.pickup(ctx, w)
			tx := w.holding(ctx, "pickups", held)
			defer tx.Rollback(ctx)
			done := make(chan error, neighbours+1)
			report := func(act act) act {
				return func(s *db.Raw) error { err := act(s); done <- err; return err }
			}
			blocked := c.act(ctx, w, held)
			acts := []act{func(s *db.Raw) error { err := blocked(s); done <- errHeld; return err }}
			for range neighbours {
				acts = append(acts, report(c.act(ctx, w, c.pickup(ctx, w))))
			}
			all := make(chan []error)
			go func() { errs, _ := w.sharing(batcherOf(kind), c.blocker(ctx, w), acts...); all <- errs }()
			for range neighbours {
				if err := <-done; err != nil {
					t.Error("while the pickup is held: ", err)
				}
			}
			w.awaitBlockedBy(ctx, tx) // it now waits in a batch of one
			w.must(tx.Rollback(ctx))
			if err := first(<-all...); err != nil {
				t.Error(err)
			}
		})
	}
}

var errHeld = errors.New("the blocked request was answered")

// There are more of them than batches may be in flight, each in a batch of one.
func TestLockedPickupsDoNotStallOtherBatches(t *testing.T) {
	ctx, w := batchingFixture(t)
	waiting := make(chan error)
	var holders []pgx.Tx
	for range blockers + 1 {
		id := w.pickup(ctx)
		tx := w.holding(ctx, "pickups", id)
		defer tx.Rollback(ctx)
		holders = append(holders, tx)
		go func() { waiting <- w.moving(ctx, "submit", id)(w.Raw) }()
		w.awaitBlockedBy(ctx, tx)
	}
	for range 10 {
		if err := w.moving(ctx, "submit", w.pickup(ctx))(w.Raw); err != nil {
			t.Error(err)
		}
	}
	for _, tx := range holders {
		w.must(tx.Rollback(ctx))
		if err := <-waiting; err != nil {
			t.Error(err)
		}
	}
}

// Charges of several accounts share a batch, and another session locks one of the accounts for longer than
// the lock timeout: the charges of the other accounts succeed, later ones without delay, and only those of
// the locked account fail, with Overloaded.
func TestLockTimeoutOnAnAccountFailsItsOwnChargesOnly(t *testing.T) {
	ctx, w := batchingFixture(t)
	account := w.fundedAccount(ctx, 10)
	tx := w.holding(ctx, "accounts", account)
	defer tx.Rollback(ctx)
	impatient := openStore(t, db.Config{URL: w.pool.Config().ConnString(),
		LockTimeout: time.Second, AcquireTimeout: 5 * time.Second})
	f := &flushing{DBTX: impatient.DBTX()}
	f.hold()
	s := db.BatchingOver(f)
	others := []uuid.UUID{w.fundedAccount(ctx, 2), w.fundedAccount(ctx, 2), w.fundedAccount(ctx, 2)}
	through := make(chan error, len(others))
	charging := func(account uuid.UUID) act {
		return func(s *db.Raw) error { err := w.charging(ctx, account, 1)(s); through <- err; return err }
	}
	all := make(chan []error, 1)
	go func() {
		all <- w.sharingOver(s, f, "entry", w.blockerCharges(ctx),
			charging(others[0]), w.charging(ctx, account, 1), charging(others[1]),
			w.charging(ctx, account, 2), charging(others[2]))
	}()
	for range others {
		w.must(<-through)
	}
	for _, other := range others {
		if err := w.charging(ctx, other, 1)(s); err != nil {
			t.Error("afterwards: ", err)
		}
	}
	if len(all) > 0 {
		t.Error("the others waited for the account's charges, or these were not retried")
	}
	errs := <-all
	if err := first(refused(errs[1], db.Overloaded), refused(errs[3], db.Overloaded),
		w.expectBalance(ctx, others[0], 0)); err != nil {
		t.Error(err)
	}
}

// A charge waits only for the lock of its own account.
func TestLockedAccountDoesNotStallOtherAccounts(t *testing.T) {
	ctx, w := batchingFixture(t)
	account := w.fundedAccount(ctx, 10)
	tx := w.holding(ctx, "accounts", account)
	defer tx.Rollback(ctx)
	const held = 4
	waiting := make(chan error, held)
	for range held {
		go func() { waiting <- w.charging(ctx, account, 1)(w.Raw) }()
	}
	w.awaitBlockedBy(ctx, tx)
	for range 10 {
		if err := w.charging(ctx, w.fundedAccount(ctx, 1), 1)(w.Raw); err != nil {
			t.Error(err)
		}
	}
	if len(waiting) > 0 {
		t.Fatal("a charge on the account that is held was answered: ", <-waiting)
	}
	w.must(tx.Rollback(ctx))
	for range held {
		if err := <-waiting; err != nil {
			t.Error(err)
		}
	}
	w.must(w.expectBalance(ctx, account, 10-held))
}
