package db_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
)

// sights returns every statement that shows a viewer something of a pickup; each reports whether it does.
func (w *fixture) sights(ctx context.Context, v db.Viewer, id uuid.UUID) map[string]bool {
	_, err := w.GetOne(ctx, v, id)
	return map[string]bool{
		"GetPickups":       err == nil,
		"ListPickups":      slices.Contains(w.listPickups(ctx, v), id),
		"FindPickups":      slices.Contains(w.findPickups(ctx, v), id),
		"ListPickupEvents": len(w.listEvents(ctx, v, id)) > 0,
		"ListMessages": len(must(w.ListMessages(ctx, db.ListMessagesParams{
			TenantID: w.tenant, PickupID: id, ViewerID: v.UserID, ViewerRole: v.Role, ViewerDriverID: v.DriverID,
			BeforeCreatedAt: time.Now().Add(time.Hour), MaxRows: 10,
		}))) > 0,
		"ExplainResendMessage": w.seesText(ctx, v, id),
		"ExplainTransition":    code(move(ctx, w.Raw, v, "dispatch", id, ifMatch(99))) != db.NotFound,
	}
}

func (w *fixture) listPickups(ctx context.Context, v db.Viewer) (ids []uuid.UUID) {
	for _, p := range must(w.Raw.ListPickups(ctx, db.ListPickupsParams{
		TenantID: w.tenant, ViewerID: v.UserID, ViewerRole: v.Role, ViewerDriverID: v.DriverID,
		CreatedTo: time.Now().Add(time.Hour), BeforeCreatedAt: time.Now().Add(time.Hour), MaxRows: 200,
	})) {
		ids = append(ids, p.Pickup.ID)
	}
	return ids
}

func (w *fixture) findPickups(ctx context.Context, v db.Viewer) (ids []uuid.UUID) {
	page, _, err := w.SearchPickups(ctx,
		db.FindPickupsParams{TenantID: w.tenant, ViewerID: v.UserID, ViewerRole: v.Role,
			ViewerDriverID: v.DriverID, Sort: db.Oldest, CreatedTo: endOfTime, MaxRows: 200})
	w.must(err)
	for _, p := range page {
		ids = append(ids, p.ID)
	}
	return ids
}

func (w *fixture) listEvents(ctx context.Context, v db.Viewer, id uuid.UUID) (names []string) {
	for _, e := range must(w.ListPickupEvents(ctx, db.ListPickupEventsParams{
		TenantID: w.tenant, PickupID: id, ViewerID: v.UserID, ViewerRole: v.Role,
		ViewerDriverID: v.DriverID, MaxRows: 200,
	})) {
		names = append(names, string(e.PickupEvent.Transition))
	}
	return names
}

func (w *fixture) driverOf(ctx context.Context, id uuid.UUID) db.Viewer {
	v := db.SystemViewer(w.tenant, uuid.Nil, db.UserRoleDriver)
	w.must(w.owner.QueryRow(ctx,
		`SELECT d.id, d.user_id FROM drivers AS d JOIN pickups AS p ON p.driver_id = d.id WHERE p.id = $1`, id).
		Scan(&v.DriverID, &v.UserID))
	return v
}

func TestEachRoleSeesThePickupsOfItsStatuses(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	other := w.driver(ctx, 1, 1)
	for _, status := range db.AllPickupStatusValues() {
		id := w.at(ctx, status)
		viewers := []db.Viewer{w.admin, w.dispatcher, w.staff, w.hub}
		if slices.Contains(seenIn[db.UserRoleDriver], status) || status == db.PickupStatusDELIVERED {
			viewers = append(viewers, w.driverOf(ctx, id))
		}
		for _, v := range viewers {
			w.expectSights(ctx, t, status, v, id, slices.Contains(seenIn[v.Role], status))
		}
		for _, v := range []db.Viewer{w.stranger, other,
			{TenantID: newID(), UserID: w.admin.UserID, Role: db.UserRoleAdmin}} {
			w.expectSights(ctx, t, status, v, id, false)
		}
	}
}

func (w *fixture) expectSights(
	ctx context.Context, t *testing.T, status db.PickupStatus, v db.Viewer, id uuid.UUID, want bool,
) {
	t.Helper()
	if v.TenantID != w.tenant {
		if _, err := w.GetOne(ctx, v, id); code(err) != db.NotFound {
			t.Errorf("%s: another tenant's %s: %v", status, v.Role, err)
		}
		return
	}
	for name, sees := range w.sights(ctx, v, id) {
		switch {
		case want && (name == "ListPickupEvents" || name == "ListMessages" || name == "ExplainResendMessage") &&
			(status == db.PickupStatusDRAFT || status == db.PickupStatusCANCELED):
			// there is none
		case sees != want:
			t.Errorf("%s: %s by %s: sees it %v, want %v", status, name, v.Role, sees, want)
		}
	}
}

// A new status is between two that the hub and the driver see: they see nothing in it, neither the pickup,
// nor its events, nor its patient.
func TestANewStatusIsSeenByNeitherDriverNorHub(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := openUnchecked(t)
	w := d.fixture(ctx)
	id, patient := w.at(ctx, db.PickupStatusSHIPPED), w.patient(ctx)
	driver := w.driverOf(ctx, id)
	must(w.owner.Exec(ctx, "UPDATE pickups SET patient_id = $2 WHERE id = $1", id, patient))
	shown := func() map[string]bool {
		told := func(v db.Viewer) bool { return slices.Contains(must(streamed(ctx, w, v)), "ship") }
		seen := map[string]bool{
			"the patient, by get-pickup-patient": w.getPickupPatient(ctx, w.Raw, driver, id) == nil,
			"the patient, by the policy":         w.patientsUnderPolicy(ctx, driver) > 0,
			"the driver's stream":                told(driver),
			"the hub's stream":                   told(w.hub),
			"the facility":                       w.seesFacility(ctx, driver),
		}
		for _, v := range []db.Viewer{driver, w.hub} {
			for name, sees := range w.sights(ctx, v, id) {
				seen[name+" by "+string(v.Role)] = sees
			}
		}
		return seen
	}
	for what, sees := range shown() {
		if !sees {
			t.Errorf("SHIPPED: %s is not shown: the test is void", what)
		}
	}
	for _, statement := range []string{
		"ALTER TYPE pickup_status ADD VALUE 'HELD' AFTER 'PACKED'",
		"ALTER TABLE pickups DROP CONSTRAINT pickups_driver_check, DISABLE TRIGGER USER",
		"UPDATE pickups SET status = 'HELD' WHERE id = '" + id.String() + "'",
		"UPDATE pickup_events SET after = 'HELD' WHERE transition = 'ship' AND pickup_id = '" + id.String() + "'",
	} {
		must(w.owner.Exec(ctx, statement))
	}
	for what, sees := range shown() {
		if sees {
			t.Errorf("in a status that no rule lists: %s is shown", what)
		}
	}
	if _, err := w.GetOne(ctx, w.dispatcher, id); err != nil {
		t.Errorf("the dispatcher: %v", err)
	}
}

// Neither driver nor hub, who see no price, are told of a change of it, by the stream or the list; nor of what a later
// migration adds, until it is listed. Of each transition they are.
func TestAChangeOfThePriceIsToldToThoseWhoSeeIt(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	id := w.at(ctx, db.PickupStatusSHIPPED)
	w.must(w.repricing(ctx, id, 600)(w.as))
	w.must(w.refunding(ctx, id, 20)(w.as))
	for _, v := range []db.Viewer{w.admin, w.dispatcher, w.staff, w.hub, w.driverOf(ctx, id)} {
		listed, told := w.listEvents(ctx, v, id), must(streamed(ctx, w, v))
		if !slices.Contains(listed, "ship") || !slices.Contains(told, "ship") {
			t.Errorf("%s is not told of a transition: the test is void", v.Role)
		}
		want := v.Role != db.UserRoleHub && v.Role != db.UserRoleDriver
		for _, name := range []string{"reprice", "refund"} {
			if slices.Contains(listed, name) != want || slices.Contains(told, name) != want {
				t.Errorf("%s by %s: listed %v, streamed %v", name, v.Role, listed, told)
			}
		}
	}
	if untold := must(pgx.CollectRows(must(w.owner.Query(ctx, `
		SELECT transition::text FROM pickup_transitions, (SELECT gen_random_uuid() AS id) AS driver
		WHERE NOT role_sees_event('hub', transition, 'COLLECTED', NULL, NULL)
			OR NOT role_sees_event('driver', transition, 'ASSIGNED', driver.id, driver.id)`)),
		pgx.RowTo[string])); len(untold) > 0 {
		t.Errorf("role_sees_event does not list %v", untold)
	}
}

func streamed(ctx context.Context, w *fixture, v db.Viewer) (names []string, err error) {
	page, err := w.Store.StreamPickupEvents(ctx, w.history(ctx), "", db.StreamPickupEventsParams{
		TenantID: w.tenant, AfterXid: "0", Horizon: fmt.Sprint(uint64(1 << 62)), ViewerRole: v.Role,
		ViewerID: v.UserID, ViewerDriverID: v.DriverID, MaxRows: 200,
	})
	for _, r := range page.Events {
		names = append(names, string(r.Transition))
	}
	return names, err
}

// patientsUnderPolicy counts the patients that a viewer sees under row-level security.
func (w *fixture) patientsUnderPolicy(ctx context.Context, v db.Viewer) (n int) {
	tx := must(w.pool.Begin(ctx))
	defer tx.Rollback(context.WithoutCancel(ctx))
	w.must(db.New(tx).SetViewer(ctx, db.SetViewerParams{TenantID: v.TenantID, ViewerID: v.UserID}))
	w.must(tx.QueryRow(ctx, "SELECT count(*) FROM patients").Scan(&n))
	return n
}

func (w *fixture) seesFacility(ctx context.Context, v db.Viewer) bool {
	_, err := w.GetFacility(ctx, db.GetFacilityParams{TenantID: w.tenant, ID: w.facility,
		ViewerID: v.UserID, ViewerRole: v.Role, ViewerDriverID: v.DriverID})
	listed := must(w.ListFacilities(ctx, db.ListFacilitiesParams{
		TenantID: w.tenant, ViewerID: v.UserID, ViewerRole: v.Role, ViewerDriverID: v.DriverID,
		BeforeCreatedAt: time.Now().Add(time.Hour), MaxRows: 10,
	}))
	if (err == nil) != (len(listed) > 0) {
		panic(setUpError{errors.New("get-facility and list-facilities differ")})
	}
	return err == nil
}

// A user who becomes the login of a driver gets the events from then on, and sees the driver's current
// pickups.
func TestADriversNewLoginSeesNothingOfThePreviousOne(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	before := w.driver(ctx, 1, 1)
	delivered, current := w.assigned(ctx, before), uuid.Nil
	w.must(move(ctx, w.as, before, db.TransitionNameCollect, delivered))
	for _, name := range []db.TransitionName{"receive", "pack", "ship", "deliver"} {
		w.must(move(ctx, w.as, w.hub, name, delivered))
	}
	current = w.assigned(ctx, before)
	if got := must(streamed(ctx, w, before)); len(got) != 7 {
		t.Fatalf("the previous login gets the events %v", got)
	}
	now := w.user(ctx, db.UserRoleDriver)
	now.DriverID = before.DriverID
	link := func(version int64, user *uuid.UUID) {
		must(w.EditDriver(ctx, db.EditDriverParams{
			TenantID: w.tenant, ID: before.DriverID, Version: version,
			ViewerRole: w.dispatcher.Role, SetUserID: true, UserID: user,
		}))
	}
	told := func(v db.Viewer) []string { return append(must(streamed(ctx, w, v)), w.listEvents(ctx, v, current)...) }
	link(1, &now.UserID)
	if got := told(now); len(got) > 0 {
		t.Errorf("the new login gets events of %v from before it", got)
	}
	if got := told(before); len(got) > 0 { // whoever still has the driver's id
		t.Errorf("the old login gets the events of %v", got)
	}
	if !slices.Equal(w.listPickups(ctx, now), ids(current)) {
		t.Error("the driver's current pickup is not the new login's")
	}
	w.must(move(ctx, w.as, now, db.TransitionNameCollect, current))
	if got := told(now); !slices.Equal(got, []string{"collect", "collect"}) {
		t.Errorf("the new login gets the events %v", got)
	}
	link(2, &now.UserID) // an edit that changes nothing
	if got := told(now); !slices.Equal(got, []string{"collect", "collect"}) {
		t.Errorf("linked again to the same login, it gets the events %v", got)
	}
	link(3, nil)
	link(4, &now.UserID)
	if got := told(now); len(got) > 0 {
		t.Errorf("linked to a new login, it gets the events %v", got)
	}
}

// A transition after which its caller no longer sees the pickup is replayed to them, as they left it, and
// to no other viewer.
func TestAReplayIsAnsweredToItsActorAlone(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for name, opened := range map[string]func(testing.TB) *database{"one by one": open, "batched": openBatching} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := opened(t).fixture(ctx)
			id, other := w.at(ctx, db.PickupStatusSHIPPED), w.driver(ctx, 1, 1)
			driver := w.driverOf(ctx, id)
			ask := db.Transition{Name: db.TransitionNameDeliver, PickupID: id, Key: "once", Digest: digest("deliver")}
			first, replayed, err := w.MoveOne(ctx, driver, ask)
			if err != nil || replayed || first.Seen || first.Status != db.PickupStatusDELIVERED {
				t.Fatalf("seen %v, %s, %v", first.Seen, first.Status, err)
			}
			again, replayed, err := w.MoveOne(ctx, driver, ask)
			if err != nil || !replayed || again.Seen || again.Status != db.PickupStatusDELIVERED ||
				again.Version != first.Version {
				t.Fatalf("again: replayed %v, seen %v, %s, %v", replayed, again.Seen, again.Status, err)
			}
			for _, m := range []db.Moved{first, again} {
				if p := m.Pickup; p.DropoffAddress != "" || p.PickupAddress != "" || p.PriceCents != 0 ||
					p.AccountID != uuid.Nil || p.ID != id {
					t.Errorf("it shows %+v", p)
				}
			}
			anotherKey, anotherBody := ask, ask
			anotherKey.Key, anotherBody.Digest = "twice", digest("another")
			for what, try := range map[string]struct {
				by  db.Viewer
				ask db.Transition
			}{"another driver": {other, ask}, "another key": {driver, anotherKey},
				"another request": {driver, anotherBody}} {
				if _, _, err := w.MoveOne(ctx, try.by, try.ask); code(err) != db.NotFound {
					t.Errorf("%s: %v", what, err)
				}
			}
			// The hub still sees it, and gets the row.
			if m, _, err := w.MoveOne(ctx, w.hub,
				db.Transition{Name: db.TransitionNameReceive, PickupID: w.at(ctx, db.PickupStatusCOLLECTED),
					Digest: digest("x")}); err != nil || !m.Seen || m.DropoffAddress == "" {
				t.Errorf("the hub: %v, %v", m.Seen, err)
			}
		})
	}
}

// The function that decides who sees a pickup is inlined as a condition on its row, also in a generic
// plan.
func TestPickupVisibilityIsInlined(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	conn := must(w.pool.Acquire(ctx))
	defer conn.Release()
	must(conn.Exec(ctx, "SET plan_cache_mode = force_generic_plan"))
	tried := 0
	for name, text := range statements(t) {
		if !strings.Contains(text, "role_sees_") {
			continue
		}
		tried++
		prepared := must(conn.Conn().Prepare(ctx, strings.ToLower(name), text))
		plan := must(conn.Query(ctx,
			"EXPLAIN (VERBOSE) EXECUTE "+strings.ToLower(name)+"("+strings.TrimSuffix(strings.Repeat("NULL,",
				len(prepared.ParamOIDs)), ",")+")",
			pgx.QueryExecModeSimpleProtocol))
		lines := must(pgx.CollectRows(plan, pgx.RowTo[string]))
		for _, line := range lines {
			if strings.Contains(line, "role_sees_") {
				t.Errorf("%s: %s", name, line)
			}
		}
	}
	if tried < 10 {
		t.Errorf("%d statements ask who sees a pickup", tried)
	}
}

// setAll sets the columns of a row that are null or zero, but for those named, whatever the table's checks say.
func (w *fixture) setAll(ctx context.Context, table string, id uuid.UUID, but ...string) {
	for _, name := range must(pgx.CollectRows(must(w.owner.Query(ctx, `SELECT conname::text FROM pg_constraint
		WHERE conrelid = $1::text::regclass AND contype = 'c'`, table)), pgx.RowTo[string])) {
		must(w.owner.Exec(ctx, "ALTER TABLE "+table+" DROP CONSTRAINT "+name))
	}
	columns := must(pgx.CollectExactlyOneRow(must(w.owner.Query(ctx, "SELECT * FROM "+table+" WHERE id = $1", id)),
		pgx.RowToMap))
	for column, value := range columns {
		if v := reflect.ValueOf(value); slices.Contains(but, column) || v.IsValid() && !v.IsZero() {
			continue
		}
		some := map[string]string{"text": "'some'", "bool": "true", "int8": "7", "int4": "7", "float8": "0.5",
			"timestamptz": "now()", "date": "'2030-01-01'", "uuid": "gen_random_uuid()"}[w.typeOf(ctx, table, column)]
		must(w.owner.Exec(ctx, fmt.Sprintf("UPDATE %s SET %s = %s WHERE id = $1", table, column, some), id))
	}
}

// GetPickups, whose row is scanned by hand, returns the whole row.
func TestAPickupIsReadWhole(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := openUnchecked(t).fixture(ctx)
	at, end, one, note := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), time.Date(2030,
		1, 2, 4, 4, 5, 0, time.UTC), 1.0, "Ring"
	patient := w.patient(ctx)
	id := w.pickup(ctx, func(d *db.Draft) {
		d.PatientID, d.Note, d.WindowStart, d.WindowEnd = &patient, note, &at, &end
		d.PickupLatitude, d.PickupLongitude = &one, &one
	})
	w.must(move(ctx, w.as, w.dispatcher, db.TransitionNameSubmit, id))
	must(w.owner.Exec(ctx, "ALTER TABLE pickups DISABLE TRIGGER USER"))
	must(w.owner.Exec(ctx, "UPDATE pickups SET status = 'CANCELED', charged_cents = 0, refunded_cents = price_cents, "+
		"cancel_reason = 'why' WHERE id = $1", id))
	w.setAll(ctx, "pickups", id, "driver_id", "charged_cents")
	row := must(pgx.CollectExactlyOneRow(must(w.Pool().Query(ctx, "SELECT * FROM pickups WHERE id = $1", id)),
		pgx.RowToStructByPos[db.Pickup]))
	got := must(w.GetOne(ctx, w.staff, id))
	if !reflect.DeepEqual(got, row) {
		t.Errorf("got %+v, want %+v", got, row)
	}
	fields, unset := reflect.ValueOf(got), []string{}
	for i := range fields.NumField() {
		if fields.Field(i).IsZero() {
			unset = append(unset, fields.Type().Field(i).Name)
		}
	}
	if !slices.Equal(unset, []string{"DriverID", "ChargedCents"}) { // as CANCELED has them
		t.Errorf("%v are not set above: the test does not cover them", unset)
	}
}
