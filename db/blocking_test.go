package db_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"waybill/db"
)

// refusalOf returns the error of the code; it fails the test if it is another.
func refusalOf(t *testing.T, err error, want db.Code) *db.Error {
	t.Helper()
	refused, ok := errors.AsType[*db.Error](err)
	if !ok || refused.Code != want {
		t.Fatalf("got %v, want %s", err, want)
	}
	return refused
}

func isUUID(got *uuid.UUID, want uuid.UUID) bool { return got != nil && *got == want }

func TestABusyDriverIsToldWithThePickupThatTheViewerSees(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	must(w.owner.Exec(ctx, `UPDATE pickup_transitions SET roles = roles || 'staff'::user_role
		WHERE transition = 'assign'`))
	driver := w.driver(ctx, 1, 1)
	id := w.submitted(ctx)
	for _, c := range []struct {
		what   string
		taken  uuid.UUID
		viewer db.Viewer
		shown  bool
	}{
		{"the dispatcher", w.submitted(ctx), w.dispatcher, true},
		{"the staff of its clinic", w.submitted(ctx), w.staff, true},
		{"the dispatcher, of another clinic", w.hiddenPickup(ctx), w.dispatcher, true},
		{"the staff of another clinic", w.hiddenPickup(ctx), w.staff, false},
	} {
		if w.row(ctx, c.taken).Status == db.PickupStatusDRAFT {
			w.must(move(ctx, w.as, w.dispatcher, db.TransitionNameSubmit, c.taken))
		}
		w.must(assign(ctx, w.as, w.dispatcher, c.taken, driver))
		refused := refusalOf(t, assign(ctx, w.Raw, c.viewer, id, driver), db.DriverBusy)
		if isUUID(refused.PickupID, c.taken) != c.shown || !c.shown && refused.PickupID != nil {
			t.Errorf("%s: is told %v", c.what, refused.PickupID)
		}
		w.must(move(ctx, w.as, w.dispatcher, db.TransitionNameRelease, c.taken))
	}
}

func TestAnIllegalTransitionTellsWhoMovedThePickupIfTheViewerSeesTheEvent(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	tells := func(what string, v db.Viewer, name db.TransitionName, id uuid.UUID, by *uuid.UUID) {
		t.Helper()
		refused := refusalOf(t, move(ctx, w.Raw, v, name, id), db.IllegalTransition)
		if by == nil && (refused.MovedBy != nil || refused.MovedAt != nil) ||
			by != nil && (!isUUID(refused.MovedBy, *by) || !refused.MovedAt.Equal(w.lastMove(ctx, id))) {
			t.Errorf("%s: moved by %v at %v, want %v", what, refused.MovedBy, refused.MovedAt, by)
		}
	}
	tells("nobody moved a draft", w.dispatcher, db.TransitionNameRelease, w.pickup(ctx), nil)

	id, driver := w.pickup(ctx), w.driver(ctx, 1, 1)
	w.must(move(ctx, w.as, w.staff, db.TransitionNameSubmit, id))
	_, _, err := w.Raw.Store.AdjustPickup(ctx, w.admin,
		db.Adjustment{Name: db.Reprice, PickupID: id, PriceCents: 7, Digest: digest("reprice")})
	w.must(err) // the newest version, but no move
	tells("the dispatcher of a submit", w.dispatcher, db.TransitionNameSubmit, id, &w.staff.UserID)

	w.must(assign(ctx, w.as, w.dispatcher, id, driver))
	tells("the staff of an assign", w.staff, db.TransitionNameSubmit, id, &w.dispatcher.UserID)
	tells("the driver of an assign", driver, db.TransitionNameDeliver, id, &w.dispatcher.UserID)
	must(w.owner.Exec(ctx, "UPDATE drivers SET user_since = clock_timestamp() WHERE id = $1", driver.DriverID))
	tells("a driver who was linked later", driver, db.TransitionNameDeliver, id, nil)

	w.must(move(ctx, w.as, w.dispatcher, db.TransitionNameCollect, id))
	tells("the hub of a collect", w.hub, db.TransitionNameShip, id, &w.dispatcher.UserID)
	must(w.owner.Exec(ctx, `CREATE OR REPLACE FUNCTION role_sees_event(viewer_role user_role,
		transition transition_name, after pickup_status, driver_id uuid, viewer_driver_id uuid) RETURNS boolean
		LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN viewer_role NOT IN ('hub')`))
	tells("a hub that does not see the event", w.hub, db.TransitionNameShip, id, nil)
	for _, v := range []db.Viewer{w.stranger, w.driver(ctx, 1, 1)} {
		if _, err := w.GetLastMove(ctx, db.GetLastMoveParams{TenantID: w.tenant, PickupID: id, Version: 99,
			ViewerID: v.UserID, ViewerRole: v.Role, ViewerDriverID: v.DriverID}); code(err) != db.NotFound {
			t.Errorf("a %s who does not see the pickup reads its last event: %v", v.Role, err)
		}
	}
	if refused := refusalOf(t, move(ctx, w.Raw, w.stranger, db.TransitionNameCancel, id), db.NotFound); refused.
		MovedBy != nil || refused.Status != "" {
		t.Errorf("a stranger is told %v", refused.Blocking)
	}
}

// lastMove returns when the pickup was last moved.
func (w *fixture) lastMove(ctx context.Context, id uuid.UUID) (last time.Time) {
	return scan[time.Time](ctx, w.owner,
		"SELECT created_at FROM pickup_events WHERE pickup_id = $1 AND before <> after ORDER BY version DESC LIMIT 1",
		id)
}

// The two reads of a refusal are of one state.
func TestWhoMovedAPickupIsToldOfTheStatusThatIsTold(t *testing.T) {
	ctx, w := batchingFixture(t)
	id := w.pickup(ctx)
	w.must(move(ctx, w.as, w.staff, db.TransitionNameSubmit, id))
	between := meddling{w.as.DBTX(), map[string]func(){"GetLastMove": func() {
		w.must(move(ctx, w.as, w.admin, db.TransitionNameCancel, id))
	}}}
	refused := refusalOf(t, move(ctx, db.BatchingOver(between), w.dispatcher, db.TransitionNameSubmit, id),
		db.IllegalTransition)
	if refused.Status != db.PickupStatusSUBMITTED || !isUUID(refused.MovedBy, w.staff.UserID) {
		t.Errorf("it is %s, moved by %v", refused.Status, refused.MovedBy)
	}
}
