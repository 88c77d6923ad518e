package db_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"waybill/db"
)

var dispatchRaces = []check{
	{"DispatchPickup", "two pickups get the same nearest driver", func(ctx context.Context, w *fixture) error {
		w.drivers(ctx, manyCallers+2)
		pickups := make([]uuid.UUID, manyCallers+2)
		for i := range pickups {
			pickups[i] = w.submitted(ctx)
		}
		if err := w.passes(ctx, w.dispatching(ctx, pickups[0]), w.dispatching(ctx, pickups[1])); err != nil {
			return err
		}
		errs := together(manyCallers,
			func(i int) error { return w.moving(ctx, db.TransitionNameDispatch, pickups[i+2])(w.Raw) })
		if err := first(errs...); err != nil {
			return err
		}
		if n := scan[int](ctx, w.owner, "SELECT count(DISTINCT driver_id) FROM pickups WHERE tenant_id = $1",
			w.tenant); n != len(pickups) {
			return fmt.Errorf("%d pickups have %d drivers", len(pickups), n)
		}
		return nil
	}},
	{"DispatchPickup", "two dispatchers dispatch one pickup", func(ctx context.Context, w *fixture) error {
		w.drivers(ctx, 4)
		one, other := w.submitted(ctx), w.submitted(ctx)
		return first(
			w.loses(ctx, db.IllegalTransition, w.moving(ctx, db.TransitionNameDispatch, one),
				w.moving(ctx, db.TransitionNameDispatch, one)),
			oneWins(together(manyCallers, func(int) error {
				return w.moving(ctx, db.TransitionNameDispatch, other)(w.Raw)
			}), db.IllegalTransition))
	}},
	{"DispatchPickup", "a late duplicate dispatches a pickup again after its release",
		func(ctx context.Context, w *fixture) error {
			w.drivers(ctx, 2)
			id, key := w.submitted(ctx), withKey("once")
			version := w.row(ctx, id).Version
			w.must(w.moving(ctx, db.TransitionNameDispatch, id, key)(w.as))
			w.must(w.moving(ctx, db.TransitionNameRelease, id)(w.as))
			rows, err := w.DispatchPickup(ctx, db.DispatchPickupParams{
				TenantID: w.tenant, ID: id, ViewerID: w.dispatcher.UserID, ViewerRole: w.dispatcher.Role,
				IdempotencyKey: "once", RequestDigest: digest("other"), MoveID: newID(),
			})
			if err != nil || len(rows) != 0 {
				return fmt.Errorf("moved %d, %w", len(rows), err)
			}
			return first(
				w.moving(ctx, db.TransitionNameDispatch, id, key)(w.Raw),
				w.expect(ctx, id, db.PickupStatusSUBMITTED),
				refused(w.moving(ctx, db.TransitionNameDispatch, id, ifMatch(version))(w.Raw), db.StaleVersion))
		}},
	{"DispatchPickup", "a driver whose location moves is passed over", func(ctx context.Context, w *fixture) error {
		driver, id := w.driver(ctx, 1, 1), w.submitted(ctx)
		return w.passes(ctx,
			func(s *db.Raw) error { return locate(ctx, s, driver, driver, 2, time.Now().Add(time.Minute)) },
			w.dispatching(ctx, id))
	}},
	{"DispatchPickup", "a driver is dispatched who has gone off duty", func(ctx context.Context, w *fixture) error {
		leaving, other, id := w.driver(ctx, 37.77, -122.42), w.driver(ctx, -37, 60), w.submitted(ctx)
		w.must(setDuty(ctx, w.as, other, false))
		waited, errs := w.behind(ctx, rollback,
			func(s *db.Raw) error { return assign(ctx, s, w.dispatcher, id, other) },
			func(s *db.Raw) error { return move(ctx, s, w.dispatcher, db.TransitionNameDispatch, id) },
			func(s *db.Raw) error { return setDuty(ctx, s, leaving, false) })
		if !waited[0] || waited[1] {
			return fmt.Errorf("the dispatch waited: %t, the driver waited: %t", waited[0], waited[1])
		}
		return first(errs[1], refused(errs[0], db.NoDriverFree))
	}},
}

var dispatchRules = []check{
	{"DispatchPickup", "an unauthorized viewer dispatches", func(ctx context.Context, w *fixture) error {
		w.drivers(ctx, 1)
		id := w.submitted(ctx)
		return first(
			refused(move(ctx, w.Raw, w.staff, db.TransitionNameDispatch, id), db.Forbidden),
			refused(w.moving(ctx, db.TransitionNameDispatch, w.pickup(ctx))(w.Raw), db.IllegalTransition),
			w.expect(ctx, id, db.PickupStatusSUBMITTED))
	}},
	{"DispatchPickup", "an unavailable driver is chosen",
		func(ctx context.Context, w *fixture) error {
			none := func() error {
				return refused(w.moving(ctx, db.TransitionNameDispatch, w.submitted(ctx))(w.Raw), db.NoDriverFree)
			}
			busy, off, nowhere := w.driver(ctx, 37.77, -122.42), w.driver(ctx,
				37.77, -122.42), w.driver(ctx, 37.77, -122.42)
			set := func(d db.Viewer, set string) {
				must(w.owner.Exec(ctx, "UPDATE drivers SET "+set+" WHERE tenant_id = $1 AND id = $2",
					w.tenant, d.DriverID))
			}
			w.must(assign(ctx, w.as, w.dispatcher, w.submitted(ctx), busy))
			set(off, "on_duty = false")
			set(nowhere, "latitude = NULL, longitude = NULL, located_at = NULL")
			if err := none(); err != nil {
				return err
			}
			far := w.driver(ctx, -37, 60)
			return first(w.chooses(ctx, far, w.submitted(ctx)), none())
		}},
	// The part of the statement that every transition has follows the dictionary, whatever it says of a
	// dispatch.
	{"DispatchPickup", "an unknown text is owed", func(ctx context.Context, w *fixture) error {
		return w.dispatchUnder(ctx, "text = NULL", w.dispatcher, func(w *fixture, row db.DispatchPickupRow) error {
			var texts, jobs int
			w.must(w.DBTX().QueryRow(ctx, `
				SELECT count(*), (SELECT count(*) FROM river_job WHERE args ->> 'tenant_id' = $1::uuid::text)
				FROM messages WHERE tenant_id = $1::uuid AND pickup_id = $2`,
				w.tenant, row.Pickup.ID).Scan(&texts, &jobs))
			if texts+jobs != 0 || row.TextsOwed != 0 {
				return fmt.Errorf("%d texts by %d jobs, of %d owed", texts, jobs, row.TextsOwed)
			}
			return nil
		})
	}},
	{"DispatchPickup", "what its caller does not see afterwards is recorded",
		func(ctx context.Context, w *fixture) error {
			return w.dispatchUnder(ctx, "roles = roles || '{driver}'", w.driver(ctx, 2, 2),
				func(w *fixture, row db.DispatchPickupRow) error {
					var reads int
					w.must(w.DBTX().QueryRow(ctx, `
						SELECT count(*) FROM phi_reads WHERE tenant_id = $1 AND operation = 'dispatch-pickup'`,
						w.tenant).Scan(&reads))
					if row.Seen || reads != 0 {
						return fmt.Errorf("seen is %t, and %d reads are recorded", row.Seen, reads)
					}
					return nil
				})
		}},
	{"DispatchPickup", "a driver farther away is chosen", func(ctx context.Context, w *fixture) error {
		at := func(latitude, longitude float64) func(*db.Draft) {
			return func(d *db.Draft) { d.PickupLatitude, d.PickupLongitude = &latitude, &longitude }
		}
		// Inserted from far to near, so that only an order by distance returns them correctly.
		far, mid, near := w.driver(ctx, 38.5, -122.42), w.driver(ctx, 37.9, -122.42), w.driver(ctx, 37.78, -122.42)
		if err := first(
			w.chooses(ctx, near, w.submitted(ctx)), // a pickup without a point: its facility's
			w.chooses(ctx, mid, w.submitted(ctx)),
			w.chooses(ctx, far, w.submitted(ctx)),
		); err != nil {
			return err
		}
		// Across the antimeridian 0.2 degrees are nearer than 3 on this side.
		this, across := w.driver(ctx, 0, 176.9), w.driver(ctx, 0, -179.9)
		if err := first(w.chooses(ctx, across, w.submitted(ctx, at(0, 179.9))),
			w.chooses(ctx, this, w.submitted(ctx, at(0, 179.9)))); err != nil {
			return err
		}
		// In the north, ten degrees east are nearer than two south.
		south, east := w.driver(ctx, 78, 0), w.driver(ctx, 80, 10)
		return first(w.chooses(ctx, east, w.submitted(ctx, at(80, 0))),
			w.chooses(ctx, south, w.submitted(ctx, at(80, 0))))
	}},
}

// dispatchUnder dispatches a patient's pickup with a changed row of the dictionary, has its effects
// examined, and rolls everything back.
func (w *fixture) dispatchUnder(
	ctx context.Context, set string, by db.Viewer, look func(*fixture, db.DispatchPickupRow) error,
) error {
	w.driver(ctx, 1, 1)
	id, _ := w.ofAPatient(ctx, db.PickupStatusSUBMITTED)
	tx := must(w.owner.Begin(ctx))
	defer tx.Rollback(context.WithoutCancel(ctx))
	must(tx.Exec(ctx, "DELETE FROM messages WHERE tenant_id = $1", w.tenant)) // the submit's
	must(tx.Exec(ctx, "DELETE FROM river_job WHERE args ->> 'tenant_id' = $1::uuid::text", w.tenant))
	must(tx.Exec(ctx, "UPDATE pickup_transitions SET "+set+" WHERE transition = 'dispatch'"))
	inside := *w
	inside.Raw = w.over(tx)
	rows, err := inside.DispatchPickup(ctx, db.DispatchPickupParams{
		TenantID: w.tenant, ID: id, ViewerID: by.UserID, ViewerRole: by.Role,
		RequestDigest: digest("dispatch"), MoveID: newID(),
	})
	if err == nil && len(rows) != 1 {
		err = errors.New("no driver was found")
	}
	if err != nil {
		return err
	}
	return look(&inside, rows[0])
}

// dispatching sends the statement once, without the retry that might succeed.
func (w *fixture) dispatching(ctx context.Context, id uuid.UUID) act {
	return func(s *db.Raw) error {
		rows, err := s.DispatchPickup(ctx, db.DispatchPickupParams{
			TenantID: w.tenant, ID: id, ViewerID: w.dispatcher.UserID, ViewerRole: w.dispatcher.Role,
			RequestDigest: digest("dispatch"), MoveID: newID(),
		})
		if err == nil && len(rows) != 1 {
			err = errors.New("no driver was found")
		}
		return err
	}
}

func (w *fixture) chooses(ctx context.Context, driver db.Viewer, id uuid.UUID) error {
	if err := w.moving(ctx, db.TransitionNameDispatch, id)(w.Raw); err != nil {
		return err
	}
	if got := w.row(ctx, id).DriverID; *got != driver.DriverID {
		return errors.New("another driver was chosen")
	}
	return nil
}

func TestOfMoreDispatchesThanDriversTheLastGetsNone(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	for range 3 {
		w := d.fixture(ctx)
		w.drivers(ctx, 32)
		pickups := make([]uuid.UUID, 33)
		for i := range pickups {
			pickups[i] = w.submitted(ctx)
		}
		errs := together(33, func(i int) error { return w.moving(ctx, db.TransitionNameDispatch, pickups[i])(w.Raw) })
		if err := someWin(32, errs, db.NoDriverFree); err != nil {
			t.Fatal(err)
		}
	}
}

// The last free driver is being taken: a later request waits for the outcome.
func TestDispatchWaitsForWhoIsTakingTheLastDriver(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	for name, end := range map[string]struct {
		ending
		want db.Code
	}{"commit": {commit, db.NoDriverFree}, "rollback": {rollback, ""}} {
		w := d.fixture(ctx)
		w.drivers(ctx, 1)
		one, other := w.submitted(ctx), w.submitted(ctx)
		tx := must(w.pool.Begin(ctx))
		w.must(w.dispatching(ctx, one)(w.over(tx)))
		got := make(chan error)
		go func() { got <- w.moving(ctx, db.TransitionNameDispatch, other)(w.Raw) }()
		time.Sleep(20 * time.Millisecond) // longer than a statement usually takes
		w.must(end.ending(ctx, tx))
		if err := <-got; code(err) != end.want {
			t.Errorf("%s: got %v, want %q", name, err, end.want)
		}
	}
}
