package db_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
	"waybill/db/dbtest"
	"waybill/db/seed"
)

// eventsOf gives a pickup n more events, in one transaction, every other one as from before events told their
// facility.
func (w *fixture) eventsOf(ctx context.Context, pickup uuid.UUID, driver *uuid.UUID, after db.PickupStatus, n int) {
	w.insertEvents(ctx, pickup, driver, after, n, 2)
}

// facilityEvents gives a pickup n more events that tell their facility.
func (w *fixture) facilityEvents(ctx context.Context, pickup uuid.UUID, n int) {
	w.insertEvents(ctx, pickup, nil, db.PickupStatusSUBMITTED, n, 1)
}

// insertEvents gives a pickup n more events, in one transaction, one of which in so many tells its facility.
func (w *fixture) insertEvents(
	ctx context.Context, pickup uuid.UUID, driver *uuid.UUID, after db.PickupStatus, n, told int,
) {
	must(w.owner.Exec(ctx, `
		INSERT INTO pickup_events (
			tenant_id, id, pickup_id, version, transition, actor_id, before, after, driver_id, idempotency_key,
			request_digest, facility_id)
		SELECT p.tenant_id, gen_random_uuid(), p.id, last.version + n,
			CASE WHEN (last.version + n) % 7 = 0 THEN 'reprice'::transition_name ELSE 'cancel' END,
			p.requested_by, 'DRAFT', $2::text::pickup_status, $3, gen_random_uuid()::text, 'digest',
			CASE WHEN (last.version + n) % $5 = 0 THEN p.facility_id END
		FROM pickups AS p
		CROSS JOIN (SELECT coalesce(max(version), 1) FROM pickup_events WHERE pickup_id = $1) AS last (version)
		CROSS JOIN generate_series(1, $4) AS n
		WHERE p.id = $1`, pickup, string(after), driver, n, told))
}

// hiddenPickup makes one of the facility that staff do not see.
func (w *fixture) hiddenPickup(ctx context.Context) (id uuid.UUID) { return w.pickupOf(ctx, w.hidden) }

// pickupOf makes one of a facility, by the dispatcher.
func (w *fixture) pickupOf(ctx context.Context, facility uuid.UUID) (id uuid.UUID) {
	p := w.seeded.Pickup()
	p.By, p.FacilityID = w.dispatcher, facility
	w.make(ctx, func(r *seed.Rows) { id = r.Pickup(p) })
	return id
}

// positioned is a read of the stream from a position.
func (w *fixture) positioned(v db.Viewer, xid uint64, seq int64, maxRows int32) db.StreamPickupEventsParams {
	return db.StreamPickupEventsParams{
		TenantID: w.tenant, AfterXid: fmt.Sprint(xid), AfterSeq: seq, Horizon: fmt.Sprint(uint64(1 << 62)),
		ViewerRole: v.Role, ViewerID: v.UserID, ViewerDriverID: v.DriverID, MaxRows: maxRows,
	}
}

// Cost follows what a read looks at, not what lies between two events of one viewer: who sees one event
// in 100,000 gets it, and no statement on the way reads more than its share.
func TestTheStreamPassesOverEventsOfOthersInBoundedSteps(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "plans over large tables")
	ctx := t.Context()
	w := openUnchecked(t).fixture(ctx)
	mine := w.pickup(ctx)
	hidden := w.hiddenPickup(ctx)
	driver := w.driver(ctx, 1, 1)
	w.eventsOf(ctx, hidden, nil, db.PickupStatusDRAFT, 60_000)
	w.eventsOf(ctx, mine, &driver.DriverID, db.PickupStatusCOLLECTED, 1)
	w.eventsOf(ctx, hidden, nil, db.PickupStatusDRAFT, 40_000)
	vacuum(ctx, w.owner, "pickup_events")
	const looked, most = 2_000, 20_000 // events and pages of a step
	for _, v := range []db.Viewer{w.staff, w.hub, driver, w.stranger} {
		var seen []uuid.UUID
		var dearest int64
		p, steps := w.positioned(v, 0, 0, looked), 0
		for done := false; !done; steps++ {
			var plan node
			if _, err := w.explained(w.Raw, &plan).StreamPickupEvents(ctx, p); err == nil ||
				!strings.Contains(err.Error(), errExplained.Error()) {
				t.Fatal(err)
			}
			found, removed := plan.scanned("pickup_events")
			// Staff look at the next ones, then at the next ones of their facility, and at those that tell none.
			if dearest = max(dearest, plan.Hit+plan.Read); dearest > most || found+removed > 3*looked {
				t.Fatalf("%s: %.0f events and %d pages in one step", v.Role, found+removed, dearest)
			}
			page := must(w.Store.StreamPickupEvents(ctx, w.history(ctx), "", p))
			for _, e := range page.Events {
				seen = append(seen, e.PickupID)
			}
			done = page.IsLast
			p = w.positioned(v, page.LastXid, page.LastSeq, looked)
		}
		want := 1
		if v.UserID == w.stranger.UserID {
			want = 0
		}
		if len(seen) != want || want == 1 && seen[0] != mine {
			t.Errorf("%s: saw %d events, want %d", v.Role, len(seen), want)
		}
		t.Logf("%s: %d steps, %d pages at most", v.Role, steps, dearest)
	}
}

// The stream of few clinics reads what it shows, and not the events of others in between.
func TestTheStreamOfFewClinicsReadsWhatItShows(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "plans over large tables")
	ctx := t.Context()
	w := openUnchecked(t).fixture(ctx)
	hidden, mine := w.hiddenPickup(ctx), w.pickup(ctx)
	clinics := append(w.clinics(ctx, 20), w.facility)
	others := make([]uuid.UUID, 20)
	for i := range others {
		others[i] = w.pickupOf(ctx, clinics[i])
	}
	for range 3 {
		w.facilityEvents(ctx, hidden, 20_000)
		w.facilityEvents(ctx, mine, 150)
		for _, id := range others {
			w.facilityEvents(ctx, id, 2)
		}
	}
	w.facilityEvents(ctx, hidden, 20_000)
	vacuum(ctx, w.owner, "pickup_events")
	for name, c := range map[string]struct {
		v     db.Viewer
		want  int
		steps int
		pages int64 // of all steps
	}{
		"of one":        {w.staff, 450, 4, 150},
		"of twenty-one": {w.staffOf(ctx, clinics), 570, 10, 1_000},
		"of none":       {w.stranger, 0, 1, 30},
	} {
		p, steps, events, pages := w.positioned(c.v, 0, 0, 200), 0, 0, int64(0)
		for done := false; !done; steps++ {
			var plan node
			if _, err := w.explained(w.Raw, &plan).StreamPickupEvents(ctx, p); err == nil ||
				!strings.Contains(err.Error(), errExplained.Error()) {
				t.Fatal(err)
			}
			pages += plan.Hit + plan.Read
			page := must(w.Store.StreamPickupEvents(ctx, w.history(ctx), "", p))
			events, done = events+len(page.Events), page.IsLast
			p = w.positioned(c.v, page.LastXid, page.LastSeq, 200)
		}
		if events != c.want || steps > c.steps || pages > c.pages {
			t.Errorf("staff %s: %d events of %d, in %d steps and %d pages, want %d and %d at most",
				name, events, c.want,
				steps, pages, c.steps, c.pages)
		}
		t.Logf("staff %s: %d events in %d steps and %d pages", name, events, steps, pages)
	}
}

// Each statement that moves a pickup tells its facility in the event.
func TestEventsTellTheFacilityOfTheirPickup(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	w.driver(ctx, 1, 1)
	dispatched, canceled := w.submitted(ctx), w.pickup(ctx)
	w.must(move(ctx, w.Raw, w.staff, db.TransitionNameCancel, canceled))
	w.must(w.moving(ctx, db.TransitionNameDispatch, dispatched)(w.Raw))
	rows := must(w.owner.Query(ctx, `SELECT transition::text FROM pickup_events
		WHERE tenant_id = $1 AND facility_id = $2 ORDER BY 1`, w.tenant, w.facility))
	got := must(pgx.CollectRows(rows, pgx.RowTo[string]))
	if want := []string{"cancel", "dispatch", "submit"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v tell the facility, want %v", got, want)
	}
}

// seenEvents are all events of the tenant that a viewer sees, by the rule as it is written down.
func (w *fixture) seenEvents(ctx context.Context, v db.Viewer) []db.PickupEvent {
	rows := must(w.pool.Query(ctx, `
		SELECT e.*
		FROM pickup_events AS e
		JOIN pickups AS p ON p.tenant_id = e.tenant_id AND p.id = e.pickup_id
		WHERE e.tenant_id = $1
			AND (role_sees_event($2::text::user_role, e.transition, e.after, e.driver_id, $3)
				OR $2 = 'staff' AND EXISTS (
					SELECT FROM facility_viewers AS v
					WHERE v.tenant_id = p.tenant_id AND v.facility_id = p.facility_id AND v.user_id = $4))
			AND ($2 <> 'driver' OR e.created_at >= (
				SELECT d.user_since FROM drivers AS d
				WHERE d.tenant_id = $1 AND d.id = $3 AND d.user_id = $4))
		ORDER BY e.xid, e.seq`, w.tenant, string(v.Role), v.DriverID, v.UserID))
	return must(pgx.CollectRows(rows, pgx.RowToStructByPos[db.PickupEvent]))
}

// Whatever the events are, the size of the pages and the position from which a viewer resumes, the pages
// have the events that the viewer sees, each as it is stored, once and in order.
func TestThePagesOfTheStreamAreWhatItsViewerSees(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := openUnchecked(t).fixture(ctx)
	random := rand.New(rand.NewPCG(1, 2))
	first, second, late := w.driver(ctx, 1, 1), w.driver(ctx, 2, 2), w.driver(ctx, 3, 3)
	pickups := []uuid.UUID{w.pickup(ctx), w.pickup(ctx), w.hiddenPickup(ctx)}
	statuses := []db.PickupStatus{db.PickupStatusDRAFT, db.PickupStatusSUBMITTED, db.PickupStatusASSIGNED,
		db.PickupStatusCOLLECTED, db.PickupStatusDELIVERED, db.PickupStatusCANCELED}
	drivers := []*uuid.UUID{nil, &first.DriverID, &second.DriverID, &late.DriverID}
	clinics := w.clinics(ctx, 3)
	for i := range 80 {
		w.eventsOf(ctx, pickups[random.IntN(3)], drivers[random.IntN(4)], statuses[random.IntN(6)], 1+random.IntN(3))
		if i%10 < 3 { // few, so that their stream merges them
			w.eventsOf(ctx, w.pickupOf(ctx, clinics[i%10]), nil, statuses[random.IntN(6)], 1+random.IntN(6))
		}
	}
	few, one := w.staffOf(ctx, clinics), w.staffOf(ctx, clinics[:1])
	must(w.owner.Exec(ctx, `UPDATE drivers SET user_since = (
		SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY created_at) FROM pickup_events WHERE tenant_id = $1)
		WHERE id = $2`, w.tenant, late.DriverID))
	for _, v := range []db.Viewer{w.admin, w.dispatcher, w.hub, w.staff, w.stranger, few, one, first, second, late} {
		all := w.seenEvents(ctx, v)
		if len(all) == 0 && v.UserID != w.stranger.UserID {
			t.Errorf("%s sees nothing", v.Role)
		}
		for _, size := range []int32{1, 2, 7, 100, 1000} {
			from, want := db.PickupEvent{}, all
			if len(all) > 0 && size != 7 {
				n := random.IntN(len(all))
				from, want = all[n], all[n+1:]
			}
			var got []db.PickupEvent
			page := db.EventPage{LastXid: from.Xid, LastSeq: from.Seq}
			for !page.IsLast {
				page = must(w.Store.StreamPickupEvents(ctx, w.history(ctx), "",
					w.positioned(v, page.LastXid, page.LastSeq, size)))
				got = append(got, page.Events...)
			}
			if len(got) != len(want) || len(got) > 0 && !reflect.DeepEqual(got, want) {
				t.Errorf("%s, pages of %d: %d events, want %d", v.Role, size, len(got), len(want))
			}
		}
	}
}
