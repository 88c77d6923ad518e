package db_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"waybill/db"
)

func TestARetriedWriteEndsWithItsContext(t *testing.T) {
	ctx, w := batchingFixture(t)
	one, other := w.driver(ctx, 1, 1), w.driver(ctx, 1, 1)
	id := w.assigned(ctx, one)
	release := func() { w.must(w.moving(ctx, "release", id)(w.as)) }
	release()
	tries := 0
	always := meddling{w.as.DBTX(), map[string]func(){
		"TransitionPickups":           func() { tries++; w.must(w.assigning(ctx, id, one)(w.as)) },
		"TransitionPickupsSkipLocked": func() { tries++; w.must(w.assigning(ctx, id, one)(w.as)) },
		"ExplainTransition":           release,
	}}
	// The backoff alone makes all attempts take longer than this.
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if err := refused(w.assigning(short, id, other)(db.BatchingOver(always)), db.Timeout); err != nil {
		t.Error(err)
	}
	if tries >= db.Attempts {
		t.Errorf("%d tries; want fewer than %d", tries, db.Attempts)
	}
}

// unbatched are writes that do not share a statement: their outcome is not looked up. Each leaves a row of
// version 2, or a new one.
func (w *fixture) unbatched(ctx context.Context) map[string]act {
	facility, patient, pickup := newID(), newID(), w.pickup(ctx)
	name, cents := "Renamed", int64(600)
	return map[string]act{
		"create": func(s *db.Raw) error {
			_, _, err := s.Store.CreateFacility(ctx, w.admin, db.CreateFacilityParams{
				ID: facility, Name: "New", Address: "1 Main St", RequestDigest: digest("new"),
			})
			return err
		},
		"edit": func(s *db.Raw) error {
			_, err := s.Store.EditFacility(ctx, w.admin, db.EditFacilityParams{ID: w.facility, Version: 1, Name: &name})
			return err
		},
		"remove": func(s *db.Raw) error {
			p := db.AddGroupMemberParams{TenantID: w.tenant, GroupID: newID(), UserID: w.stranger.UserID}
			must(w.as.CreateGroup(ctx, db.CreateGroupParams{TenantID: w.tenant, ID: p.GroupID, Name: "New",
				RequestDigest: digest("new")}))
			must(w.as.AddGroupMember(ctx, p))
			return s.Store.RemoveGroupMember(ctx, w.admin,
				db.RemoveGroupMemberParams{GroupID: p.GroupID, UserID: p.UserID})
		},
		"create a patient": func(s *db.Raw) error {
			_, _, err := s.Store.CreatePatient(ctx, w.staff, w.newPatient(patient))
			return err
		},
		"edit a pickup": func(s *db.Raw) error {
			_, err := s.Store.EditPickup(ctx, w.staff, db.EditPickupParams{ID: pickup, Version: 1, PriceCents: &cents})
			return err
		},
	}
}

// A retry would find its own row, or come too late, and report that.
func TestWhatMayHaveBeenCommittedIsNotSentAgain(t *testing.T) {
	t.Parallel()
	ctx, d := t.Context(), open(t)
	w := d.fixture(ctx)
	p, address := unreliable(t, d.DB)
	s := openStore(t, db.Config{URL: address, AcquireTimeout: 5 * time.Second})
	for name, write := range w.unbatched(ctx) {
		before := p.lost.Load()
		p.cut.Store(1)
		if err := refused(write(s), db.Unavailable); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if p.cut.Store(0); p.lost.Load() != before+1 {
			t.Errorf("%s: %d answers were lost", name, p.lost.Load()-before)
		}
	}
}

// An outcome that cannot be determined is reported, and the request is not retried.
func TestAnUnknownOutcomeIsLookedUpABoundedNumberOfTimes(t *testing.T) {
	t.Parallel()
	ctx, d := t.Context(), openBatching(t)
	w := d.fixture(ctx)
	p, address := unreliable(t, d.DB)
	s := openStore(t, db.Config{URL: address, AcquireTimeout: 5 * time.Second})
	w.must(enter(ctx, s, w.admin, charge(w.account, 1)))
	p.cut.Store(1000)
	if err := refused(enter(ctx, s, w.admin, charge(w.account, 1)), db.Unavailable); err != nil {
		t.Error(err)
	}
	if p.cut.Store(0); p.lost.Load() != 1+db.Attempts {
		t.Errorf("%d answers were lost; want that of the charge and of %d reads", p.lost.Load(), db.Attempts)
	}
	if got := scan[string](ctx, w.owner, "SELECT count(*)::text FROM ledger_entries WHERE account_id = $1 AND kind "+
		"= 'charge'",
		w.account); got != fmt.Sprint(2) {
		t.Errorf("%s charges; want 2", got)
	}
}
