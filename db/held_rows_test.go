package db_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"waybill/db"
	"waybill/db/dbtest"
	"waybill/db/seed"
)

// anyFacility is another facility of the tenant.
func (w *fixture) anyFacility(ctx context.Context) (id uuid.UUID) {
	w.make(ctx, func(r *seed.Rows) { id = r.Facility() })
	return id
}

func inFacility(id uuid.UUID) func(*db.Draft) { return func(d *db.Draft) { d.FacilityID = id } }

// passesLocked holds a row, and expects the second of two requests of one statement to be done meanwhile,
// and the first, which needs the row, to be left out.
func (w *fixture) passesLocked(
	ctx context.Context, table, column string, id uuid.UUID, send func(*db.Raw) ([]bool, error),
) error {
	return w.passes(ctx,
		func(s *db.Raw) error {
			_, err := s.DBTX().Exec(ctx,
				"SELECT FROM "+table+" WHERE tenant_id = $1 AND "+column+" = $2 FOR UPDATE", w.tenant, id)
			return err
		},
		func(s *db.Raw) error {
			done, err := send(s)
			if err == nil && !slices.Equal(done, []bool{false, true}) {
				err = fmt.Errorf("done: %v", done)
			}
			return err
		})
}

var heldRowRules = []check{
	{"TransitionPickupsSkipAnyLocked", "a held pickup holds up the others",
		func(ctx context.Context, w *fixture) error {
			pickups := ids(w.pickup(ctx), w.pickup(ctx))
			return w.passesLocked(ctx, "pickups", "id", pickups[0], func(s *db.Raw) ([]bool, error) {
				return s.MovePastLocks(ctx, w.dispatcher, db.TransitionNameSubmit, pickups, nil)
			})
		}},
	{"TransitionPickupsSkipAnyLocked", "a held slot holds up the others",
		func(ctx context.Context, w *fixture) error {
			pickups := ids(w.submitted(ctx), w.submitted(ctx))
			drivers := ids(w.driver(ctx, 1, 1).DriverID, w.driver(ctx, 1, 1).DriverID)
			return w.passesLocked(ctx, "driver_slots", "driver_id", drivers[0], func(s *db.Raw) ([]bool, error) {
				return s.MovePastLocks(ctx, w.dispatcher, db.TransitionNameAssign, pickups, drivers)
			})
		}},
	{"TransitionPickupsSkipAnyLocked", "a held account holds up the others",
		func(ctx context.Context, w *fixture) error {
			account := w.fundedAccount(ctx, 1000)
			pickups := ids(w.pickup(ctx, paidBy(account)), w.pickup(ctx))
			return w.passesLocked(ctx, "accounts", "id", account, func(s *db.Raw) ([]bool, error) {
				return s.MovePastLocks(ctx, w.dispatcher, db.TransitionNameSubmit, pickups, nil)
			})
		}},
	{"TransitionPickupsSkipAnyLocked", "an account's facility that is being removed holds up the others",
		func(ctx context.Context, w *fixture) error {
			account := w.closedAccount(ctx, w.facility)
			pickups := ids(w.pickup(ctx, paidBy(account)), w.pickup(ctx))
			return w.passesLocked(ctx, "account_facilities", "account_id", account, func(s *db.Raw) ([]bool, error) {
				return s.MovePastLocks(ctx, w.staff, db.TransitionNameSubmit, pickups, nil)
			})
		}},
	{"CreateLedgerEntriesSkipLocked", "a held account holds up the others",
		func(ctx context.Context, w *fixture) error {
			held, other := w.fundedAccount(ctx, 10), w.fundedAccount(ctx, 10)
			return w.passesLocked(ctx, "accounts", "id", held, func(s *db.Raw) ([]bool, error) {
				return s.EnterPastLocks(ctx, w.admin, charge(held, 1), charge(other, 1))
			})
		}},
	{"CreatePickupsSkipLocked", "a held facility holds up the others",
		func(ctx context.Context, w *fixture) error {
			held := w.anyFacility(ctx)
			return w.passesLocked(ctx, "facilities", "id", held, func(s *db.Raw) ([]bool, error) {
				return s.CreatePastLocks(ctx, w.dispatcher, w.draft(inFacility(held)), w.draft())
			})
		}},
	{"LocateDriversSkipLocked", "a held driver holds up the others",
		func(ctx context.Context, w *fixture) error {
			held, other := w.driver(ctx, 1, 1), w.driver(ctx, 1, 1)
			at := func(v db.Viewer) db.Location {
				return db.Location{DriverID: v.DriverID, Latitude: 2, Longitude: 3, At: time.Now().Add(time.Minute)}
			}
			return w.passesLocked(ctx, "drivers", "id", held.DriverID, func(s *db.Raw) ([]bool, error) {
				return s.LocatePastLocks(ctx, w.dispatcher, at(held), at(other))
			})
		}},
}

// stalled is a row that another session holds, with writes that need it, and writes of the same kind that do
// not.
type stalled struct {
	table, column string
	row           func(context.Context, *fixture) uuid.UUID
	needs         func(context.Context, *fixture, uuid.UUID) act
	other         func(context.Context, *fixture) act
}

func stalledRows() map[string]stalled {
	submit := func(ctx context.Context, w *fixture, edits ...func(*db.Draft)) act {
		return w.moving(ctx, db.TransitionNameSubmit, w.pickup(ctx, edits...))
	}
	ownSubmit := func(ctx context.Context, w *fixture) act {
		return submit(ctx, w, paidBy(w.fundedAccount(ctx, 1000)))
	}
	account := func(ctx context.Context, w *fixture) uuid.UUID { return w.fundedAccount(ctx, 100_000) }
	driver := func(ctx context.Context, w *fixture) uuid.UUID { return w.driver(ctx, 1, 1).DriverID }
	return map[string]stalled{
		"a pickup": {"pickups", "id",
			func(ctx context.Context, w *fixture) uuid.UUID { return w.pickup(ctx) },
			func(ctx context.Context, w *fixture, id uuid.UUID) act {
				return w.moving(ctx, db.TransitionNameSubmit, id)
			}, ownSubmit},
		"an account, of submits": {"accounts", "id", account,
			func(ctx context.Context, w *fixture, id uuid.UUID) act { return submit(ctx, w, paidBy(id)) }, ownSubmit},
		"an account, of submits on one other": {"accounts", "id", account,
			func(ctx context.Context, w *fixture, id uuid.UUID) act { return submit(ctx, w, paidBy(id)) },
			func(ctx context.Context, w *fixture) act { return submit(ctx, w) }},
		"an account, of charges": {"accounts", "id", account,
			func(ctx context.Context, w *fixture, id uuid.UUID) act { return w.charging(ctx, id, 1) },
			func(ctx context.Context, w *fixture) act { return w.charging(ctx, w.fundedAccount(ctx, 1), 1) }},
		"a slot": {"driver_slots", "driver_id", driver,
			func(ctx context.Context, w *fixture, id uuid.UUID) act {
				return w.assigning(ctx, w.submitted(ctx), db.Viewer{DriverID: id})
			},
			func(ctx context.Context, w *fixture) act {
				return w.assigning(ctx, w.submitted(ctx), w.driver(ctx, 1, 1))
			}},
		"a driver": {"drivers", "id", driver,
			func(ctx context.Context, w *fixture, id uuid.UUID) act {
				return w.locating(ctx, db.Viewer{DriverID: id})
			},
			func(ctx context.Context, w *fixture) act { return w.locating(ctx, w.driver(ctx, 1, 1)) }},
		"a facility": {"facilities", "id",
			func(ctx context.Context, w *fixture) uuid.UUID { return w.anyFacility(ctx) },
			func(ctx context.Context, w *fixture, id uuid.UUID) act {
				d := w.draft(inFacility(id))
				return func(s *db.Raw) error { return created(ctx, s, w.dispatcher, []db.Draft{d}) }
			},
			func(ctx context.Context, w *fixture) act { return w.creating(ctx, w.draft()) }},
	}
}

// Another session holds a row for longer than anybody waits. 64 callers write other rows, in the same tenant or
// in others, and share statements with those who need the row: all are done while it is held, those who need it
// wait, in few connections, and are done when it is free.
func TestAHeldRowStallsOnlyThoseWhoNeedIt(t *testing.T) {
	t.Parallel()
	for name, c := range stalledRows() {
		for _, tenants := range []int{1, 4} {
			t.Run(fmt.Sprintf("%s, tenants %d", name, tenants), func(t *testing.T) {
				t.Parallel()
				c.stallsNobodyElse(t, tenants)
			})
		}
	}
}

const (
	hotCallers  = 64
	heldCallers = 12
	lanes       = 4 // of 16 connections
)

func (c stalled) stallsNobodyElse(t *testing.T, tenants int) {
	ctx := t.Context()
	made := dbtest.New(t, checkInvariants)
	settings := config(made.AppURL, true)
	settings.MaxConns = 16
	d := &database{openStore(t, settings), made.Owner(), made}
	w := d.fixture(ctx)
	others := []*fixture{w}
	for range tenants - 1 {
		others = append(others, d.fixture(ctx))
	}
	row := c.row(ctx, w)
	var needing, free []act
	for range heldCallers {
		needing = append(needing, c.needs(ctx, w, row))
	}
	for i := range hotCallers * dbtest.Rounds(6) {
		free = append(free, c.other(ctx, others[i%len(others)]))
	}
	holder := must(w.owner.Begin(ctx))
	must(holder.Exec(ctx, "SELECT FROM "+c.table+" WHERE tenant_id = $1 AND "+c.column+" = $2 FOR UPDATE",
		w.tenant, row))
	waiting, done := make(chan error, len(needing)), make(chan error, len(free))
	for _, act := range needing {
		go func() { waiting <- act(d.Raw) }()
	}
	w.awaitBlockedBy(ctx, holder)
	for share := range slices.Chunk(free, len(free)/hotCallers) {
		go func() {
			for _, act := range share {
				done <- act(d.Raw)
			}
		}()
	}
	if err := c.whileHeld(ctx, w, len(free), waiting, done); err != nil {
		t.Error(err)
	}
	w.must(holder.Rollback(ctx))
	for range needing {
		// One of those who need a pickup or a slot wins, and the others learn it.
		if err := <-waiting; err != nil && code(err) != db.IllegalTransition && code(err) != db.DriverBusy {
			t.Error("when the row is free: ", err)
		}
	}
}

// whileHeld waits for those who do not need the row, and returns an error if somebody who needs it is answered,
// or more of them wait in the database than may.
func (c stalled) whileHeld(ctx context.Context, w *fixture, n int, waiting, done <-chan error) error {
	tooLong := time.After(30 * time.Second) // much less than those who need the row wait
	for range n {
		select {
		case err := <-done:
			if err != nil {
				return fmt.Errorf("while the row is held: %w", err)
			}
		case err := <-waiting:
			return fmt.Errorf("who needs the row is answered: %w", err)
		case <-tooLong:
			return errors.New("the others wait for the row")
		}
	}
	for range 20 {
		n := scan[int](ctx, w.owner, `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock'`)
		if n > lanes {
			return fmt.Errorf("%d connections wait for the row", n)
		}
	}
	return nil
}
