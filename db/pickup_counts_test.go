package db_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/google/uuid"

	"waybill/db"
)

// fold folds changes of the fixture's tenant.
func (w *fixture) fold(ctx context.Context, s *db.Raw, most int32) error {
	_, err := s.FoldPickupCounts(ctx, db.FoldPickupCountsParams{TenantID: w.tenant, MaxRows: most})
	return err
}

// countsOf returns what a viewer counts, of one facility or, for nil, of all.
func (w *fixture) countsOf(ctx context.Context, v db.Viewer, facility *uuid.UUID) (map[db.PickupStatus]int64, error) {
	rows, err := w.GetPickupCounts(ctx, db.GetPickupCountsParams{TenantID: w.tenant, ViewerID: v.UserID,
		ViewerRole: v.Role, ViewerDriverID: v.DriverID, FacilityID: facility})
	counts := map[db.PickupStatus]int64{}
	for i, r := range rows {
		if r.Status != db.AllPickupStatusValues()[i] {
			return nil, fmt.Errorf("the status %d is %s", i, r.Status)
		}
		counts[r.Status] = r.Pickups
	}
	if err == nil && len(counts) != len(db.AllPickupStatusValues()) {
		err = fmt.Errorf("%d statuses", len(counts))
	}
	return counts, err
}

// countsAre returns an error unless each viewer counts what they see, of each facility and of all.
func (w *fixture) countsAre(ctx context.Context, viewers map[string]db.Viewer, mine map[string][]uuid.UUID,
	facilities []uuid.UUID) error {
	all := w.everyPickup(ctx)
	of := []*uuid.UUID{nil}
	for _, f := range facilities {
		of = append(of, &f)
	}
	for name, v := range viewers {
		for _, facility := range of {
			want := map[db.PickupStatus]int64{}
			for _, s := range db.AllPickupStatusValues() {
				want[s] = int64(len(seenBy(all, v, mine[name], db.ListPickupsParams{Statuses: []string{string(s)},
					FacilityID: facility, CreatedTo: endOfTime})))
			}
			got, err := w.countsOf(ctx, v, facility)
			if err == nil && !maps.Equal(got, want) {
				err = fmt.Errorf("counts of facility %v are %v, want %v", deref(facility), got, want)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return nil
}

// Counts are what the viewer's lists have, before, amid and after the fold.
func TestEachViewerCountsWhatTheySee(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := openUnchecked(t)
	w, other := d.fixture(ctx), d.fixture(ctx)
	other.at(ctx, db.PickupStatusSUBMITTED)
	facilities, driver := w.manyPickups(ctx)
	viewers := map[string]db.Viewer{"admin": w.admin, "dispatcher": w.dispatcher, "hub": w.hub, "driver": driver,
		"stranger": w.stranger, "staff of one": {}, "staff of many": {}}
	mine := map[string][]uuid.UUID{"staff of one": facilities[3:4], "staff of many": facilities[2:90]}
	for name, of := range mine {
		viewers[name] = w.staffOf(ctx, of)
	}
	w.shows(ctx, w.hub, facilities[3]) // which does not decide what the hub sees
	some := []uuid.UUID{facilities[3], facilities[0], newID()}
	for _, most := range []int32{0, 20, 10_000} { // none, some and all are folded
		must(0, w.fold(ctx, w.as, most))
		if err := w.countsAre(ctx, viewers, mine, some); err != nil {
			t.Errorf("with %d folded: %v", most, err)
		}
	}
	if n := scan[int](ctx, d.owner, "SELECT count(*) FROM pickup_count_changes WHERE tenant_id = $1", w.tenant); n > 0 {
		t.Errorf("%d changes are left", n)
	}
}

// Whatever writes pickups, and however many at once, while workers fold: no count is ever wrong.
func TestCountsAreExactWhilePickupsMove(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	w := d.fixture(ctx)
	const movers, rounds = 6, 8
	errs := together(movers+3, func(caller int) error {
		for range rounds {
			switch {
			case caller < movers: // a DRAFT stays, another moves, a third is canceled
				w.pickup(ctx)
				id, canceled := w.submitted(ctx), w.pickup(ctx)
				if err := first(
					move(ctx, w.as, w.dispatcher, db.TransitionNameCancel, canceled),
					assign(ctx, w.as, w.dispatcher, id, w.driver(ctx, 1, 1))); err != nil {
					return err
				}
			case caller < movers+2:
				if err := w.fold(ctx, w.as, 3); err != nil {
					return err
				}
			default: // in one snapshot, counts and rows are the same
				if err := checkInvariantsOf(ctx, d.owner, &w.tenant); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	counts := must(w.countsOf(ctx, w.admin, nil))
	if want := int64(movers * rounds); counts[db.PickupStatusDRAFT] != want ||
		counts[db.PickupStatusASSIGNED] != want || counts[db.PickupStatusCANCELED] != want {
		t.Errorf("counts are %v, want %d", counts, want)
	}
}

// A write that takes its time keeps nobody waiting: it locks no counter.
func TestATransitionLocksNoCount(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	one, another := w.pickup(ctx), w.pickup(ctx)
	must(0, w.fold(ctx, w.as, 1000))
	cancel := func(id uuid.UUID) act {
		return func(s *db.Raw) error { return move(ctx, s, w.dispatcher, db.TransitionNameCancel, id) }
	}
	waited, errs := w.behind(ctx, commit, cancel(one), cancel(another),
		func(s *db.Raw) error { return w.fold(ctx, s, 1000) })
	if waited[0] || waited[1] || errors.Join(errs...) != nil {
		t.Errorf("waited %v: %v", waited, errs)
	}
}

// draftIn makes a draft in each of the facilities.
func (w *fixture) draftIn(ctx context.Context, facilities []uuid.UUID) {
	must(w.owner.Exec(ctx, `INSERT INTO pickups (tenant_id, id, facility_id, account_id, requested_by, price_cents,
			pickup_address, dropoff_address, request_digest, created_at)
		SELECT $1, gen_random_uuid(), f, $2, $3, 0, 'a', 'b', '', $4 FROM unnest($5::uuid[]) AS f`,
		w.tenant, w.account, w.admin.UserID, time.Now(), facilities))
}

var pickupCountRaces = []check{
	{"FoldPickupCounts", "two workers fold one change", func(ctx context.Context, w *fixture) error {
		facilities := w.clinics(ctx, 3)
		w.draftIn(ctx, facilities)
		fold := func(s *db.Raw) error { return w.fold(ctx, s, 1000) }
		if err := w.passes(ctx, fold, fold); err != nil {
			return err
		}
		w.draftIn(ctx, facilities)
		w.must(w.fold(ctx, w.as, 1000))
		counts, err := w.countsOf(ctx, w.admin, nil)
		if err == nil && counts[db.PickupStatusDRAFT] != 6 {
			err = fmt.Errorf("counts are %v", counts)
		}
		return err
	}},
	{"FoldPickupCounts", "two workers deadlock on counts", func(ctx context.Context, w *fixture) error {
		facilities := w.clinics(ctx, 8)
		w.draftIn(ctx, facilities)
		if err := w.fold(ctx, w.Raw, 1000); err != nil {
			return err
		}
		w.draftIn(ctx, facilities)
		return w.locksInOrder(ctx, "pickup_counts", "facility_id", facilities,
			func(s *db.Raw, _ []uuid.UUID) error { return w.fold(ctx, s, 1000) })
	}},
}
