package db_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
)

// follower reads the stream as the server does, until nothing is left.
type follower struct {
	w    *fixture
	by   db.Viewer
	xid  uint64
	seq  int64
	seen []uuid.UUID // the pickups of the events, in their order

	versions map[uuid.UUID][]int64 // of each pickup, in their order
}

// followedPage is how many events a read looks at.
const followedPage = 10

func (f *follower) read(ctx context.Context) (more bool) {
	horizon := must(f.w.GetStreamHorizon(ctx))
	page := must(f.w.Store.StreamPickupEvents(ctx, f.w.history(ctx), "", db.StreamPickupEventsParams{
		TenantID: f.w.tenant, AfterXid: strconv.FormatUint(f.xid, 10), AfterSeq: f.seq, Horizon: horizon.Xid,
		ViewerRole: f.by.Role, ViewerID: f.by.UserID, ViewerDriverID: f.by.DriverID, MaxRows: followedPage,
	}))
	if f.versions == nil {
		f.versions = map[uuid.UUID][]int64{}
	}
	for _, e := range page.Events {
		f.seen = append(f.seen, e.PickupID)
		f.versions[e.PickupID] = append(f.versions[e.PickupID], e.Version)
	}
	if page.LastXid > 0 {
		f.xid, f.seq = page.LastXid, page.LastSeq
	}
	if told := must(parseXID(horizon.Xid)); page.IsLast && told > f.xid {
		f.xid, f.seq = told, 0 // nothing below it is left
	}
	return !page.IsLast
}

// catchUpWhenTold reads only the streams in which a query over several tenants found new events.
func (f *follower) catchUpWhenTold(ctx context.Context, n int, quiet *fixture) error {
	since := must(f.w.GetStreamHorizon(ctx)).Xid
	for end := time.Now().Add(time.Minute); len(f.seen) < n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("got %d events of %d", len(f.seen), n)
		}
		horizon := must(parseXID(must(f.w.GetStreamHorizon(ctx)).Xid))
		found := must(f.w.FindNewEvents(ctx, db.FindNewEventsParams{
			TenantIds: []uuid.UUID{quiet.tenant, f.w.tenant}, SinceXids: []string{since, since},
		}))
		isNew := false
		for _, first := range found {
			if first.TenantID == quiet.tenant {
				return errors.New("found new events where there are none")
			}
			isNew = isNew || first.Xid < horizon
		}
		since = strconv.FormatUint(horizon, 10)
		if !isNew {
			must(f.w.MoveStreamHorizon(ctx))
			continue
		}
		for f.read(ctx) {
		}
	}
	return nil
}

// catchUp reads until so many events were seen: those of other tests of the database may hold it back. Like the
// server, it moves the horizon: see MoveStreamHorizon.
func (f *follower) catchUp(ctx context.Context, n int) error {
	for end := time.Now().Add(time.Minute); len(f.seen) < n; {
		if time.Now().After(end) {
			return fmt.Errorf("saw %d events of %d", len(f.seen), n)
		}
		f.read(ctx)
		time.Sleep(time.Millisecond)
		must(f.w.MoveStreamHorizon(ctx))
	}
	return nil
}

// expect checks that one event of each pickup was seen, in any order: only the events of one pickup have one.
func (f *follower) expect(t *testing.T, pickups ...uuid.UUID) {
	t.Helper()
	seen := slices.Clone(f.seen)
	sortIDs(seen)
	sortIDs(pickups)
	if !slices.Equal(seen, pickups) {
		t.Errorf("saw the events of %v, want %v", seen, pickups)
	}
}

// history returns the id of the history of events that the database has.
func (w *fixture) history(ctx context.Context) string { return must(w.StreamHorizon(ctx)).History }

// takeXID gives a transaction an id, and does nothing else.
func takeXID(ctx context.Context, tx pgx.Tx) { must(tx.Exec(ctx, "SELECT pg_current_xact_id()")) }

// midway runs a submit in tx up to where it has an id, has locked its pickup, and waits for its account.
// finish lets it end.
func (w *fixture) midway(ctx context.Context, tx pgx.Tx, account, id uuid.UUID) (finish func()) {
	holder := must(w.owner.Begin(ctx))
	must(holder.Exec(ctx, "SELECT FROM accounts WHERE id = $1 FOR UPDATE", account))
	ended := make(chan error, 1)
	go func() { ended <- w.moving(ctx, db.TransitionNameSubmit, id)(w.over(tx)) }()
	w.awaitBlockedBy(ctx, holder)
	return func() {
		w.must(holder.Rollback(ctx))
		w.must(<-ended)
	}
}

// A transaction takes its id, and its event's number, and commits after a later one: a reader in between misses
// nothing.
func TestTheStreamMissesNoLateCommitter(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	account := w.fundedAccount(ctx, 10_000) // so that the two do not wait for each other
	slow, fast := w.pickup(ctx, paidBy(account)), w.pickup(ctx)
	f := &follower{w: w, by: w.staff}
	tx := must(w.pool.Begin(ctx))
	defer tx.Rollback(context.WithoutCancel(ctx))
	w.must(w.moving(ctx, db.TransitionNameSubmit, slow)(w.over(tx)))
	w.must(w.moving(ctx, db.TransitionNameSubmit, fast)(w.Raw))
	for range 3 {
		must(w.MoveStreamHorizon(ctx))
		f.read(ctx)
	}
	if len(f.seen) > 0 {
		t.Error("an event was delivered before its predecessor had ended")
	}
	w.must(tx.Commit(ctx))
	if err := f.catchUp(ctx, 2); err != nil {
		t.Fatal(err)
	}
	f.expect(t, slow, fast)
}

// A number can be lower under a higher id: ordered by number alone, under a horizon of ids, it would be
// skipped.
func TestTheStreamMissesNoLowNumberUnderAHighID(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	account := w.fundedAccount(ctx, 10_000)
	one, other := w.pickup(ctx, paidBy(account)), w.pickup(ctx)
	f := &follower{w: w, by: w.staff}
	low, high := must(w.pool.Begin(ctx)), must(w.pool.Begin(ctx))
	defer low.Rollback(context.WithoutCancel(ctx))
	defer high.Rollback(context.WithoutCancel(ctx))
	finish := w.midway(ctx, low, account, one)
	w.must(w.moving(ctx, db.TransitionNameSubmit, other)(w.over(high))) // high id, low number
	finish()                                                            // low id, high number
	w.must(low.Commit(ctx))
	f.read(ctx) // may see low's: nothing older runs, and high is beyond
	w.must(high.Commit(ctx))
	if err := f.catchUp(ctx, 2); err != nil {
		t.Fatal(err)
	}
	f.expect(t, one, other)
}

func TestTheStreamTellsEachEventOnceWhileOthersWrite(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := open(t)
	w, quiet := d.fixture(ctx), d.fixture(ctx)
	pickups := make([]uuid.UUID, 64)
	for i := range pickups {
		pickups[i] = w.pickup(ctx)
	}
	f, told := &follower{w: w, by: w.staff}, &follower{w: w, by: w.staff}
	var both sync.WaitGroup
	both.Go(func() {
		if err := told.catchUpWhenTold(ctx, len(pickups), quiet); err != nil {
			t.Error(err)
		}
	})
	both.Go(func() {
		for _, err := range together(8, func(i int) error {
			for _, id := range pickups[i*8 : i*8+8] {
				if err := w.moving(ctx, db.TransitionNameSubmit, id)(w.Raw); err != nil {
					return err
				}
				time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond)
			}
			return nil
		}) {
			if err != nil {
				t.Error(err)
			}
		}
	})
	err := f.catchUp(ctx, len(pickups))
	both.Wait()
	if err != nil {
		t.Fatal(err)
	}
	f.read(ctx)
	sortIDs(pickups)
	for _, f := range []*follower{f, told} {
		sortIDs(f.seen)
		if !slices.Equal(f.seen, pickups) {
			t.Errorf("%d events of %d pickups", len(f.seen), len(pickups))
		}
	}
}

// Each viewer gets the events of the pickups that they see; a driver also those that remove one.
func TestTheStreamTellsEachViewerWhatTheyMaySee(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	w := open(t).fixture(ctx)
	driver, other := w.driver(ctx, 1, 1), w.driver(ctx, 2, 2)
	id := w.assigned(ctx, driver)                                       // submit, assign
	w.must(move(ctx, w.as, w.dispatcher, db.TransitionNameRelease, id)) // taken from driver
	w.must(assign(ctx, w.as, w.dispatcher, id, other))                  // given to other
	w.must(move(ctx, w.as, other, db.TransitionNameCollect, id))        // of other
	w.must(move(ctx, w.as, w.hub, db.TransitionNameReceive, id))        // of other, too
	for name, want := range map[*db.Viewer]int{&w.admin: 6, &w.dispatcher: 6, &w.staff: 6,
		&w.stranger: 0, &w.hub: 2, &driver: 2, &other: 3} {
		f := &follower{w: w, by: *name}
		if err := f.catchUp(ctx, want); err != nil {
			t.Errorf("%s: %v", name.Role, err)
		}
		if f.read(ctx); len(f.seen) != want {
			t.Errorf("%s: saw %d, want %d", name.Role, len(f.seen), want)
		}
	}
}
