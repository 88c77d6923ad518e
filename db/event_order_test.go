package db_test

import (
	"context"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
	"waybill/db/dbtest"
)

// twoEvents is a pickup that is submitted and then canceled, by transactions whose ids are in the other order.
type twoEvents struct {
	*fixture
	t      *testing.T
	before []uuid.UUID // two pickups that a statement locks before it
	pickup uuid.UUID
	reader *follower // reads after each step
}

func (e *twoEvents) begin() pgx.Tx {
	tx := must(e.pool.Begin(e.t.Context()))
	e.t.Cleanup(func() { tx.Rollback(context.WithoutCancel(e.t.Context())) })
	return tx
}

// withID begins a transaction that has an id.
func (e *twoEvents) withID() pgx.Tx {
	tx := e.begin()
	takeXID(e.t.Context(), tx)
	return tx
}

// submit submits the pickup in a transaction that stays open.
func (e *twoEvents) submit() pgx.Tx {
	tx := e.begin()
	e.must(e.moving(e.t.Context(), db.TransitionNameSubmit, e.pickup)(e.over(tx)))
	e.reader.read(e.t.Context())
	return tx
}

func (e *twoEvents) commit(tx pgx.Tx) {
	e.must(tx.Commit(e.t.Context()))
	e.reader.read(e.t.Context())
}

// cancel cancels the pickup, in one statement with others.
func (e *twoEvents) cancel(tx pgx.Tx, others ...uuid.UUID) (finish func()) {
	ended := make(chan error, 1)
	go func() {
		ended <- e.flush(e.t.Context(), e.over(tx), db.TransitionNameCancel, append(others, e.pickup), nil)
	}()
	return func() {
		e.must(<-ended)
		e.reader.read(e.t.Context())
		e.commit(tx)
	}
}

// cancelBehind cancels the pickup and the two before it, the second of which is held: the statement has an id, and
// has not come to the pickup.
func (e *twoEvents) cancelBehind() (release, finish func()) {
	ctx, holder := e.t.Context(), e.begin()
	must(holder.Exec(ctx, "SELECT FROM pickups WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE",
		e.tenant, e.before[1]))
	finish = e.cancel(e.begin(), e.before...)
	e.awaitBlockedBy(ctx, holder)
	return func() { e.must(holder.Rollback(ctx)) }, finish
}

// commitAhead commits the submit when the cancel waits for it.
func (e *twoEvents) commitAhead(submit pgx.Tx) {
	e.awaitBlockedBy(e.t.Context(), submit)
	e.commit(submit)
}

var cancelsLast = map[string]func(e *twoEvents){
	"a transaction that had its id before waits for the other": func(e *twoEvents) {
		late := e.withID()
		submit := e.submit()
		finish := e.cancel(late)
		e.commitAhead(submit)
		finish()
	},
	"it waits while a third one with an id runs": func(e *twoEvents) {
		late := e.withID()
		e.withID()
		submit := e.submit()
		finish := e.cancel(late)
		e.commitAhead(submit)
		finish()
	},
	"it comes when the other has ended": func(e *twoEvents) {
		late := e.withID()
		e.commit(e.submit())
		e.cancel(late)()
	},
	"a batch that has locked another pickup waits for the other": func(e *twoEvents) {
		release, finish := e.cancelBehind()
		submit := e.submit()
		release()
		e.commitAhead(submit)
		finish()
	},
	"it comes when the other has ended, which its snapshot does not know": func(e *twoEvents) {
		release, finish := e.cancelBehind()
		e.commit(e.submit())
		release()
		finish()
	},
}

// The stream tells the events of a pickup in their order, whichever transaction got its id first, and each one
// whenever it is read.
func TestTheEventsOfAPickupAreToldInTheirOrder(t *testing.T) {
	t.Parallel()
	for name, run := range cancelsLast {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			made := dbtest.New(t, checkInvariants)
			w := (&database{openStore(t, config(made.AppURL, false)), made.Owner(), made}).fixture(ctx)
			w.must(w.BeginEventHistory(ctx)) // which waits for writers
			pickups := ids(w.pickup(ctx), w.pickup(ctx), w.pickup(ctx))
			sortIDs(pickups) // as they are locked
			e := &twoEvents{w, t, pickups[:2:2], pickups[2], &follower{w: w, by: w.staff}}
			run(e)
			n := scan[int](ctx, w.owner, "SELECT count(*) FROM pickup_events")
			if err := e.reader.catchUp(ctx, n); err != nil {
				t.Error(err)
			}
			if told := e.reader.versions[e.pickup]; !slices.Equal(told, []int64{2, 3}) {
				t.Errorf("events arrive in the order of versions %v", told)
			}
		})
	}
}
