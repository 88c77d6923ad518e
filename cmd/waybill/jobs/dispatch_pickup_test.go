package jobs

import (
	"slices"
	"testing"

	"github.com/google/uuid"

	"waybill/cmd/waybill/texts"
	"waybill/db"
)

func automatic(t *testing.T) *clinic {
	t.Helper()
	c := newClinic(t)
	c.exec("UPDATE flags SET enabled = (name = 'auto_dispatch')")
	return c
}

func TestSubmittedPickupsAreDispatchedWithoutADispatcher(t *testing.T) {
	t.Parallel()
	c := automatic(t)
	for range 10 {
		c.driver()
	}
	c.submit(10)
	c.work(texts.Log{Logger: quiet})
	c.eventually("all are assigned",
		func() bool { return c.count("SELECT count(*) FROM pickups WHERE status = 'ASSIGNED'") == 10 })
	// On behalf of the submitting user, each once, and each with a driver of its own.
	if n := c.count("SELECT count(*) FROM pickup_events WHERE transition = 'dispatch' AND actor_id = $1",
		c.staff.UserID); n != 10 {
		t.Errorf("%d dispatches by the submitter", n)
	}
	c.eventually("all jobs are finished", func() bool { return c.count(countUnfinished) == 0 })
}

func TestAPickupWaitsForADriverToBeFree(t *testing.T) {
	t.Parallel()
	c := automatic(t)
	c.submit(1)
	again := make(chan string, 100)
	c.work(texts.Log{Logger: quiet}, func(o *Options) {
		o.Observe = func(_ string, outcome Outcome, reason string) {
			if outcome == Snoozed {
				again <- reason
			}
		}
	})
	if reason := <-again; reason != string(db.NoDriverFree) {
		t.Error(reason)
	}
	c.driver()
	c.eventually("it is assigned",
		func() bool { return c.count("SELECT count(*) FROM pickups WHERE status = 'ASSIGNED'") == 1 })
	if n := c.count("SELECT max(attempt) FROM river_job"); n > 1 {
		t.Errorf("%d attempts were consumed", n)
	}
}

// A pickup whose price is changed while it waits for a driver still gets the next one.
func TestAPickupWhosePriceChangesIsDispatched(t *testing.T) {
	t.Parallel()
	c := automatic(t)
	id := c.submit(1)[0]
	again := make(chan string, 1000)
	c.work(texts.Log{Logger: quiet}, func(o *Options) {
		o.Observe = func(_ string, outcome Outcome, reason string) {
			if outcome == Snoozed {
				again <- reason
			}
		}
	})
	<-again
	_, _, err := c.store.AdjustPickup(t.Context(), c.dispatcher, db.Adjustment{
		Name: db.Reprice, PickupID: id, PriceCents: 100, Digest: []byte("x")})
	c.must(err)
	c.driver()
	c.eventually("it is assigned",
		func() bool { return c.count("SELECT count(*) FROM pickups WHERE status = 'ASSIGNED'") == 1 })
}

// A job that runs again, or twice concurrently, does not repeat its dispatch after a release, and
// leaves pickups alone that have changed since.
func TestAnotherRunOfADispatchIsHarmless(t *testing.T) {
	t.Parallel()
	c := automatic(t)
	ids := c.submit(3)
	dispatched, assigned, canceled := ids[0], ids[1], ids[2]
	c.must(c.move(c.dispatcher, db.TransitionNameCancel, canceled))
	_, _, err := c.store.MoveOne(t.Context(), c.dispatcher, db.Transition{
		Name: db.TransitionNameAssign, PickupID: assigned, DriverID: c.driver(), Digest: []byte("x"),
	})
	c.must(err)
	c.driver()
	c.exec("INSERT INTO river_job (kind, queue, args) SELECT kind, queue, args FROM river_job")
	c.work(texts.Log{Logger: quiet})
	c.eventually("all jobs are finished", func() bool { return c.count(countUnfinished) == 0 })
	for _, id := range []uuid.UUID{dispatched, assigned} {
		c.must(c.move(c.dispatcher, db.TransitionNameRelease, id))
	}
	c.exec("INSERT INTO river_job (kind, queue, args) SELECT DISTINCT kind, queue, args FROM river_job")
	c.eventually("all jobs are finished", func() bool { return c.count(countUnfinished) == 0 })
	rows, _, err := c.store.ListPickupEvents(t.Context(), "", db.ListPickupEventsParams{
		TenantID: c.staff.TenantID, PickupID: dispatched, ViewerRole: db.UserRoleAdmin, MaxRows: 10,
	})
	c.must(err)
	var names []db.TransitionName
	for _, e := range rows {
		names = append(names, e.Transition)
	}
	if !slices.Equal(names, []db.TransitionName{"submit", "dispatch", "release"}) {
		t.Errorf("got %v", names)
	}
	if n := c.count("SELECT count(*) FROM pickup_events WHERE transition = 'dispatch'"); n != 1 {
		t.Errorf("%d dispatches", n)
	}
}
