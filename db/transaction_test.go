package db_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"waybill/db"
)

// together makes the writes in one transaction.
func (w *fixture) together(ctx context.Context, writes ...func(context.Context) error) error {
	return w.WriteTogether(ctx, w.admin, db.NamedRows{}, false, func(ctx context.Context) error {
		for _, write := range writes {
			if err := write(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// entering returns a write that enters e.
func (w *fixture) entering(e db.Entry) func(context.Context) error {
	return func(ctx context.Context) error {
		_, _, err := w.Enter(ctx, w.admin, e)
		return err
	}
}

func (w *fixture) submitting(id uuid.UUID, edits ...func(*db.Transition)) func(context.Context) error {
	return func(ctx context.Context) error {
		return move(ctx, w.Raw, w.dispatcher, db.TransitionNameSubmit, id, edits...)
	}
}

// Transactions that lock the same rows in opposite orders all commit, and nothing is charged twice.
func TestTransactionsInOppositeOrdersAllCommit(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for name, opened := range map[string]func(testing.TB) *database{"one by one": open, "batched": openBatching} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := opened(t)
			w := d.fixture(ctx)
			w.Raw = openStore(t, config(d.AppURL, name == "batched"))
			one, other := w.fundedAccount(ctx, 10_000), w.fundedAccount(ctx, 10_000)
			const rounds = 10
			errs := make([]error, manyCallers)
			var all sync.WaitGroup
			for i := range errs {
				first, second := one, other
				if i%2 == 1 {
					first, second = other, one
				}
				all.Go(func() {
					for range rounds {
						errs[i] = errors.Join(errs[i],
							w.together(ctx, w.entering(charge(first, 1)), w.entering(charge(second, 2))))
					}
				})
			}
			all.Wait()
			w.must(errors.Join(errs...))
			for _, account := range []uuid.UUID{one, other} {
				w.must(w.expectBalance(ctx, account, 10_000-rounds*manyCallers/2*3))
			}
		})
	}
}

// A transaction that needs a locked row holds none of its own locks while it waits for long: others go on,
// and so do the event streams.
func TestATransactionThatWaitsHoldsNoLocks(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	pickup, held := w.pickup(ctx), w.fundedAccount(ctx, 100)
	blocker := must(w.owner.Begin(ctx))
	defer blocker.Rollback(ctx)
	must(blocker.Exec(ctx, "SELECT FROM accounts WHERE id = $1 FOR UPDATE", held))
	done := make(chan error, 1)
	go func() { done <- w.together(ctx, w.submitting(pickup), w.entering(charge(held, 60))) }()
	for locked := false; !locked; { // first it locks the pickup, then it gives it up
		locked = !isFree(ctx, w, pickup)
	}
	for !isFree(ctx, w, pickup) {
		time.Sleep(time.Millisecond)
	}
	select {
	case err := <-done:
		t.Fatalf("it ended while the account is held: %v", err)
	default:
	}
	w.must(blocker.Rollback(ctx))
	w.must(<-done)
	w.must(w.expect(ctx, pickup, db.PickupStatusSUBMITTED))
	w.must(w.expectBalance(ctx, held, 40))
}

// isFree reports whether nobody holds the pickup.
func isFree(ctx context.Context, w *fixture, pickup uuid.UUID) bool {
	var id uuid.UUID
	err := w.owner.QueryRow(ctx, "SELECT id FROM pickups WHERE id = $1 FOR UPDATE SKIP LOCKED", pickup).Scan(&id)
	if !db.NoRow(err) {
		w.must(err)
	}
	return err == nil
}

// A duplicate that commits while the transaction waits for it is a replay, as it is for the write alone: the
// transaction goes on with it.
func TestADuplicateThatCommitsMeanwhileIsAReplay(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	account := w.fundedAccount(ctx, 100)
	repeated := charge(account, 60)
	earlier := must(w.pool.Begin(ctx))
	defer earlier.Rollback(ctx)
	w.must(func() error { _, _, err := w.over(earlier).Enter(ctx, w.admin, repeated); return err }())
	done := make(chan error, 1)
	replays := make(chan bool, 64)
	go func() {
		done <- w.together(ctx, func(ctx context.Context) error {
			_, replayed, err := w.Enter(ctx, w.admin, repeated)
			replays <- replayed
			return err
		}, w.entering(charge(account, 40)))
	}()
	time.Sleep(120 * time.Millisecond) // it may have tried by then, or not: both must end alike
	w.must(earlier.Commit(ctx))
	w.must(<-done)
	close(replays)
	last := false
	for last = range replays {
	}
	if !last {
		t.Error("the repeated charge is no replay")
	}
	w.must(w.expectBalance(ctx, account, 0))
}

// A refusal by a constraint is explained as it is for the write alone, with what the writes before it did.
func TestARefusedStatementIsExplainedBehindTheEarlierWrites(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	email := fmt.Sprintf("%s@example.com", uuid.New())
	user := func(email string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, _, err := w.Store.CreateUser(ctx, w.admin, db.CreateUserParams{ID: newID(), Email: email, Name: "A",
				Role: db.UserRoleStaff, PasswordHash: "x", RequestDigest: digest("user")}, nil)
			return err
		}
	}
	if err := w.together(ctx, user(email), user(email)); db.Explain(err).Code != db.EmailTaken {
		t.Errorf("two users of one address: %v", err)
	}
	if n := scan[int](ctx, w.owner, "SELECT count(*) FROM users WHERE email = $1", email); n != 0 {
		t.Errorf("%d users are there", n)
	}
	pickup := w.pickup(ctx)
	sent := move(ctx, w.as, w.dispatcher, db.TransitionNameSubmit, pickup)
	w.must(sent)
	if err := w.together(ctx, w.entering(deposit(w.account, 1)), w.submitting(pickup)); db.CodeOf(err) !=
		db.IllegalTransition {
		t.Errorf("a second submit: %v", err)
	}
}

// A caller who leaves has written nothing, and leaves the connection as it was.
func TestACanceledTransactionWritesNothing(t *testing.T) {
	t.Parallel()
	w := open(t).fixture(t.Context())
	account := w.fundedAccount(t.Context(), 100)
	ctx, leave := context.WithCancel(t.Context())
	err := w.together(ctx, w.entering(charge(account, 60)), func(context.Context) error {
		leave()
		return nil
	}, w.entering(charge(account, 40)))
	if db.CodeOf(err) != db.Timeout {
		t.Errorf("it ended with %v", err)
	}
	w.must(w.expectBalance(t.Context(), account, 100))
	w.must(w.together(t.Context(), w.entering(charge(account, 100))))
}

// If the connection breaks at the commit, the outcome is unknown, and the repeated writes find it.
func TestATransactionWhoseAnswerIsLostIsDoneOnce(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	w := d.fixture(ctx)
	p, address := unreliable(t, d.DB)
	w.Raw = openStore(t, config(address, true))
	account := w.fundedAccount(ctx, 100)
	e := charge(account, 60)
	w.must(w.together(ctx, w.entering(charge(account, 1)))) // all statements are prepared
	cut := func(context.Context) error {
		p.cut.Store(1) // the next answer is that of the commit
		return nil
	}
	if err := w.together(ctx, w.entering(e), cut); db.CodeOf(err) != db.Unavailable {
		t.Errorf("it ended with %v", err)
	}
	if p.lost.Load() != 1 {
		t.Fatal("no answer was lost")
	}
	var replayed bool
	w.must(w.together(ctx, func(ctx context.Context) (err error) {
		_, replayed, err = w.Enter(ctx, w.admin, e)
		return err
	}))
	if !replayed {
		t.Error("the repeated charge is no replay")
	}
	w.must(w.expectBalance(ctx, account, 39))
}

// A rehearsal takes everything back, and its refusals are those of the write.
func TestARehearsalWritesNothing(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	account := w.fundedAccount(ctx, 100)
	for cents, want := range map[int64]db.Code{60: "", 101: db.InsufficientFunds} {
		for _, err := range []error{
			w.Rehearse(ctx, w.admin, w.entering(charge(account, cents))),
			w.WriteTogether(ctx, w.admin, db.NamedRows{}, true, w.entering(charge(account, cents))),
		} {
			if (err == nil) != (want == "") || err != nil && db.CodeOf(err) != want {
				t.Errorf("a charge of %d: %v", cents, err)
			}
		}
	}
	w.must(w.expectBalance(ctx, account, 100))
}
