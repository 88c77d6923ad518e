package db_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/uuid"

	"waybill/db"
)

func TestOneOfManyCallersOfOneTransitionWinsWhereStatementsAreShared(t *testing.T) {
	ctx, w := batchingFixture(t)
	const callers = 32
	driver := w.driver(ctx, 1, 1)
	id := w.pickup(ctx)
	for _, name := range []db.TransitionName{"submit", "assign", "release", "cancel"} {
		errs := together(callers, func(int) error {
			return move(ctx, w.Raw, w.dispatcher, name, id, func(tr *db.Transition) { tr.DriverID = driver.DriverID })
		})
		if err := oneWins(errs, db.IllegalTransition); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := w.expectBalance(ctx, w.account, 1_000_000); err != nil {
		t.Error(err)
	}
	// The same with different pickups for one driver.
	pickups := make([]uuid.UUID, callers)
	for i := range pickups {
		pickups[i] = w.submitted(ctx)
	}
	if err := oneWins(together(callers, func(i int) error {
		return assign(ctx, w.Raw, w.dispatcher, pickups[i], driver)
	}), db.DriverBusy); err != nil {
		t.Error(err)
	}
}

// mixedBatch is a batch whose requests are answered differently, and a blocker that it waits behind.
type mixedBatch struct {
	blocker  func(int) act
	requests []mixedRequest
}

// mixedRequest is a request and its answer's code: none if it succeeds.
type mixedRequest struct {
	want db.Code
	act  act
}

// mixedBatches returns a batch of each kind, and makes the rows that it needs.
func (w *fixture) mixedBatches(ctx context.Context) map[string]mixedBatch {
	poor := w.fundedAccount(ctx, 10)
	done := w.pickup(ctx)
	w.must(w.moving(ctx, "submit", done, withKey("once"))(w.as))
	submit := func(v db.Viewer, id uuid.UUID, edits ...func(*db.Transition)) act {
		return func(s *db.Raw) error { return move(ctx, s, v, "submit", id, edits...) }
	}
	otherDigest := func(tr *db.Transition) { tr.Digest = digest("other") }
	busy, free := w.driver(ctx, 1, 1), w.driver(ctx, 1, 1)
	w.assigned(ctx, busy)
	return map[string]mixedBatch{
		"submit": {w.blockerMoves(ctx, "submit", "DRAFT"), []mixedRequest{
			{"", submit(w.staff, w.pickup(ctx))},
			{db.InsufficientFunds, submit(w.staff, w.pickup(ctx, paidBy(poor)))},
			{db.NotFound, submit(w.staff, newID())},
			{db.NotFound, submit(w.stranger, w.pickup(ctx))},
			{db.Forbidden, submit(w.admin, w.pickup(ctx))},
			{db.IllegalTransition, submit(w.staff, w.at(ctx, "CANCELED"))},
			{db.StaleVersion, submit(w.staff, w.pickup(ctx), ifMatch(7))},
			{"", submit(w.dispatcher, done, withKey("once"))},
			{db.IdempotencyKeyReused, submit(w.dispatcher, done, withKey("once"), otherDigest)},
			{"", submit(w.staff, w.pickup(ctx, costing(0), paidBy(poor)))},
		}},
		"assign": {w.blockerAssigns(ctx), []mixedRequest{
			{"", w.assigning(ctx, w.submitted(ctx), free)},
			{db.DriverBusy, w.assigning(ctx, w.submitted(ctx), busy)},
			{db.DriverNotFound, w.assigning(ctx, w.submitted(ctx), db.Viewer{DriverID: newID()})},
			{db.IllegalTransition, w.assigning(ctx, w.pickup(ctx), w.driver(ctx, 1, 1))},
		}},
		"move": {w.blockerMoves(ctx, "cancel", "DRAFT"), []mixedRequest{
			{"", w.moving(ctx, "cancel", w.submitted(ctx))},
			{"", w.moving(ctx, "release", w.at(ctx, "ASSIGNED"))},
			{"", w.moving(ctx, "collect", w.at(ctx, "ASSIGNED"))},
			{db.IllegalTransition, w.moving(ctx, "release", w.submitted(ctx))},
			{db.Forbidden, w.moving(ctx, "receive", w.at(ctx, "COLLECTED"))},
		}},
		"entry": {w.blockerCharges(ctx), []mixedRequest{
			{"", w.charging(ctx, w.account, 5)},
			{db.InsufficientFunds, w.charging(ctx, poor, 11)},
			{"", w.charging(ctx, poor, 10)},
			{db.NotFound, w.charging(ctx, newID(), 1)},
			{db.BalanceTooLarge, w.depositing(ctx, w.account, 1<<53-1)},
		}},
		"create": {w.blockerCreates(ctx), []mixedRequest{
			{"", w.creating(ctx, w.draft())},
			{db.FacilityNotFound, w.creating(ctx, w.draft(func(d *db.Draft) { d.FacilityID = w.hidden }))},
			{db.AccountNotFound, w.creating(ctx, w.draft(paidBy(newID())))},
			{db.ValidationFailed, w.creating(ctx, w.draft(func(d *db.Draft) { d.Digest = nil }))}, // the row's NOT NULL
			{"", w.creating(ctx, w.draft())},
		}},
	}
}

// Each request of a batch gets its own answer, whatever the others of its batch get.
func TestEachRequestOfABatchGetsItsOwnAnswer(t *testing.T) {
	ctx, w := batchingFixture(t)
	for kind, c := range w.mixedBatches(ctx) {
		var acts []act
		for _, r := range c.requests {
			acts = append(acts, r.act)
		}
		errs, _ := w.sharing(batcherOf(kind), c.blocker, acts...)
		for i, err := range errs {
			if err := refused(err, c.requests[i].want); err != nil {
				t.Errorf("%s %d: %v", kind, i, err)
			}
		}
	}
}

// A batch of charges is equal to the charges one by one: in order, while the balance lasts. Repeated ones
// charge nothing, and are answered as replays.
func TestBatchOfChargesIsTakenInOrderWhileTheBalanceLasts(t *testing.T) {
	ctx, w := batchingFixture(t)
	for range 5 {
		balance := int64(rand.IntN(1000))
		account := w.fundedAccount(ctx, balance+50)
		paid := charge(account, 50)
		w.must(w.enter(ctx, paid))
		var acts []act
		wins, replays := make([]bool, 32), make([]bool, 32)
		for i := range wins {
			e := charge(account, 1+rand.Int64N(100))
			if rand.IntN(4) == 0 {
				e, wins[i], replays[i] = paid, true, true
			} else if wins[i] = e.AmountCents <= balance; wins[i] {
				balance -= e.AmountCents
			}
			acts = append(acts, func(s *db.Raw) error {
				_, replayed, err := s.Enter(ctx, w.admin, e)
				if replayed != replays[i] {
					err = fmt.Errorf("got replayed = %t", replayed)
				}
				return err
			})
		}
		errs, _ := w.sharing("entry", w.blockerCharges(ctx), acts...)
		for i, err := range errs {
			if err := refused(err, map[bool]db.Code{false: db.InsufficientFunds}[wins[i]]); err != nil {
				t.Errorf("number %d: %v", i, err)
			}
		}
		if err := w.expectBalance(ctx, account, balance); err != nil {
			t.Error(err)
		}
	}
}

func TestOfManyChargesOfOneAccountTheSumIsTaken(t *testing.T) {
	ctx, w := batchingFixture(t)
	account := w.fundedAccount(ctx, 100)
	errs := together(32, func(int) error { return w.charging(ctx, account, 7)(w.Raw) })
	if err := first(someWin(14, errs, db.InsufficientFunds), w.expectBalance(ctx, account, 2)); err != nil {
		t.Error(err)
	}
	paid := charge(account, 2)
	for _, want := range []bool{false, true} { // the second time, the account is empty
		_, replayed, err := w.Enter(ctx, w.admin, paid)
		if err != nil || replayed != want {
			t.Errorf("replayed %t, %v", replayed, err)
		}
	}
}

// One entry of the batch has the id of an entry in a transaction that is not yet committed: it seemed to
// fit the balance, and is not inserted. The entries behind it must not fail for that.
func TestAReplayedEntryCostsTheLaterOnesNothing(t *testing.T) {
	ctx, w := batchingFixture(t)
	account, elsewhere := w.fundedAccount(ctx, 100), w.fundedAccount(ctx, 100)
	repeated := charge(elsewhere, 60)
	tx := must(w.pool.Begin(ctx))
	defer tx.Rollback(ctx)
	w.must(func() error { _, _, err := w.over(tx).Enter(ctx, w.admin, repeated); return err }())
	twin := charge(account, 60)
	twin.ID, twin.Digest = repeated.ID, digest("other")
	done := make(chan []error)
	f := w.flushing()
	go func() {
		done <- w.sharingOver(db.BatchingOver(f), f, "entry", w.blockerCharges(ctx),
			func(s *db.Raw) error { return enter(ctx, s, w.admin, twin) },
			w.charging(ctx, account, 60))
	}()
	w.awaitBlockedBy(ctx, tx)
	w.must(tx.Commit(ctx))
	errs := <-done
	if err := first(refused(errs[0], db.IDReused), errs[1], w.expectBalance(ctx, account, 40)); err != nil {
		t.Error(err)
	}
}
