package db_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"waybill/db"
	"waybill/db/dbtest"
)

// heldRow is a row that is locked while a write needs it.
type heldRow struct {
	row, lock string
	id        uuid.UUID
	write     func(pickup uuid.UUID) error
	begins    db.PickupStatus
}

// holdsUpNoOtherStream holds the row until the other tenant's stream has an event written meanwhile.
func holdsUpNoOtherStream(t *testing.T, w, other *fixture, held heldRow) {
	t.Helper()
	ctx := t.Context()
	mine := w.at(ctx, held.begins)
	mineToo, theirs := &follower{w: w, by: w.dispatcher}, &follower{w: other, by: other.staff}
	for _, f := range []*follower{mineToo, theirs} { // up to what has been so far
		w.must(f.catchUp(ctx, scan[int](ctx, w.owner,
			"SELECT count(*) FROM pickup_events WHERE tenant_id = $1", f.w.tenant)))
	}
	mineToo.seen, theirs.seen = nil, nil
	holder := must(w.owner.Begin(ctx))
	must(holder.Exec(ctx, held.lock, held.id))
	ended := make(chan error, 1)
	go func() { ended <- held.write(mine) }()
	w.awaitBlockedBy(ctx, holder)

	id := other.pickup(ctx)
	other.must(other.moving(ctx, db.TransitionNameSubmit, id)(other.Raw))
	for len(theirs.seen) == 0 {
		select {
		case err := <-ended:
			w.must(holder.Rollback(ctx))
			t.Fatalf("the other tenant gets the event only when the write has ended: %v", err)
		default:
			theirs.read(ctx)
		}
	}
	if !slices.Equal(theirs.seen, []uuid.UUID{id}) {
		t.Errorf("the other tenant gets the events of %v", theirs.seen)
	}
	w.awaitBlockedBy(ctx, holder) // it still waits
	w.must(holder.Rollback(ctx))
	w.must(<-ended)
	w.must(mineToo.catchUp(ctx, 1))
	if !slices.Equal(mineToo.seen, []uuid.UUID{mine}) {
		t.Errorf("got the events of %v", mineToo.seen)
	}
}

// A session holds a row for as long as a statement may wait. The write that needs it waits, with a
// transaction id assigned, and the streams deliver the events of others meanwhile.
func TestAHeldRowHoldsUpNoOtherStream(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for _, batching := range []bool{false, true} {
		made := dbtest.New(t, checkInvariants)
		d := &database{openStore(t, config(made.SettledURL(), batching)), made.Owner(), made}
		w, other := d.fixture(ctx), d.fixture(ctx)
		driver := w.driver(ctx, 1, 1)
		for _, held := range []heldRow{
			{"an account", "SELECT FROM accounts WHERE id = $1 FOR UPDATE", w.account,
				func(id uuid.UUID) error { return w.moving(ctx, db.TransitionNameSubmit, id)(w.Raw) },
				db.PickupStatusDRAFT},
			{"a driver's slot", "SELECT FROM driver_slots WHERE driver_id = $1 FOR UPDATE", driver.DriverID,
				func(id uuid.UUID) error { return assign(ctx, w.Raw, w.dispatcher, id, driver) },
				db.PickupStatusSUBMITTED},
		} {
			t.Run(fmt.Sprintf("%s, batching %t", held.row, batching), func(t *testing.T) {
				holdsUpNoOtherStream(t, w, other, held)
			})
		}
	}
}

// A write waits for locks as long as the setting says, and a shorter timeout is not extended.
func TestWritersOfEventsWaitAsLongAsOthers(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	made := dbtest.New(t, checkInvariants)
	c := config(made.AppURL, false)
	c.LockTimeout = 1200 * time.Millisecond
	d := &database{openStore(t, c), made.Owner(), made}
	w := d.fixture(ctx)
	id := w.pickup(ctx)
	holder := must(w.owner.Begin(ctx))
	must(holder.Exec(ctx, "SELECT FROM accounts WHERE id = $1 FOR UPDATE", w.account))
	begun := time.Now()
	err := w.moving(ctx, db.TransitionNameSubmit, id)(w.Raw)
	if took := time.Since(begun); code(err) != db.Overloaded || took < c.LockTimeout {
		t.Errorf("after %v: %v", took, err)
	}
	w.must(holder.Rollback(ctx))
	w.must(w.moving(ctx, db.TransitionNameSubmit, id)(w.Raw))
}
