package db_test

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
)

// flushing is a connection to the database that counts the statements sent, and can hold them back so that
// requests gather behind them.
type flushing struct {
	db.DBTX

	mu   sync.Mutex
	open chan struct{} // statements wait until it is closed
	sent []string      // their names
}

func (w *fixture) flushing() *flushing {
	f := &flushing{DBTX: w.as.DBTX()}
	f.hold()
	return f
}

// hold makes the statements sent from now on wait until release.
func (f *flushing) hold() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open = make(chan struct{})
}

func (f *flushing) release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.open)
}

func (f *flushing) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	f.mu.Lock()
	f.sent = append(f.sent, queryName.FindStringSubmatch(sql)[1])
	open := f.open
	f.mu.Unlock()
	<-open
	return f.DBTX.Query(ctx, sql, args...)
}

// queryName matches a statement's name; a variant that skips locked rows has its source's.
var queryName = regexp.MustCompile(`-- name: (\w+?)(?:Skip(?:Any)?Locked)? :`)

// count returns how often a statement was sent.
func (f *flushing) count(name string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.sent {
		if s == name {
			n++
		}
	}
	return n
}

// blockers is the number of requests that are sent alone before the others can gather: the number of batches
// that may be in flight.
const blockers = 2

// sharing makes requests that share one statement, in their order, as far as their keys allow: blockers of
// the same kind are in flight and held back until all wait. Each starts only once the one before it waits.
func (w *fixture) sharing(kind string, blocker func(i int) act, acts ...act) (errs []error, f *flushing) {
	f = w.flushing()
	return w.sharingOver(db.BatchingOver(f), f, kind, blocker, acts...), f
}

func (w *fixture) sharingOver(s *db.Raw, f *flushing, kind string, blocker func(i int) act, acts ...act) []error {
	errs, strays := make([]error, len(acts)), make([]error, blockers)
	var done sync.WaitGroup
	start := func(act act, err *error, started func() bool) {
		done.Go(func() { *err = act(s) })
		w.await(started)
	}
	for i := range blockers {
		before, act := s.Stats()[kind].Flushes, blocker(i)
		start(act, &strays[i], func() bool { return s.Stats()[kind].Flushes == before+1 })
	}
	for i, act := range acts {
		start(act, &errs[i], func() bool { return s.Stats()[kind].Waiting == i+1 })
	}
	f.release()
	done.Wait()
	w.must(first(strays...))
	return errs
}

// batcherOf returns the name in Stats of the batcher that a test calls kind.
func batcherOf(kind string) string {
	if slices.Contains([]string{"submit", "assign", "move"}, kind) {
		return "transition"
	}
	return kind
}

// blockerCharges, and so on, use rows that no other request uses.
func (w *fixture) blockerCharges(ctx context.Context) func(int) act {
	return func(int) act { return w.charging(ctx, w.fundedAccount(ctx, 1), 1) }
}

func (w *fixture) blockerMoves(ctx context.Context, name db.TransitionName, status db.PickupStatus) func(int) act {
	return func(int) act { return w.moving(ctx, name, w.at(ctx, status)) }
}

func (w *fixture) blockerAssigns(ctx context.Context) func(int) act {
	return func(int) act { return w.assigning(ctx, w.submitted(ctx), w.driver(ctx, 1, 1)) }
}

func (w *fixture) blockerCreates(ctx context.Context) func(int) act {
	return func(int) act { return w.creating(ctx, w.draft()) }
}

func (w *fixture) blockerLocations(ctx context.Context) func(int) act {
	return func(int) act { return w.locating(ctx, w.driver(ctx, 1, 1)) }
}

func (w *fixture) assigning(ctx context.Context, id uuid.UUID, driver db.Viewer, edits ...func(*db.Transition)) act {
	return func(s *db.Raw) error { return assign(ctx, s, w.dispatcher, id, driver, edits...) }
}

func (w *fixture) creating(ctx context.Context, d db.Draft) act {
	return func(s *db.Raw) error { return created(ctx, s, w.staff, []db.Draft{d}) }
}

func (w *fixture) locating(ctx context.Context, driver db.Viewer) act {
	return func(s *db.Raw) error {
		_, _, err := s.Locate(ctx, w.dispatcher,
			db.Location{DriverID: driver.DriverID, Latitude: 2, Longitude: 3, At: time.Now().Add(time.Minute)})
		return err
	}
}

// batchingFixture sets up the tests of shared statements.
func batchingFixture(t *testing.T) (context.Context, *fixture) {
	t.Helper()
	t.Parallel()
	return t.Context(), openBatching(t).fixture(t.Context())
}

func TestGatheredRequestsShareOneStatement(t *testing.T) {
	ctx, w := batchingFixture(t)
	for _, c := range []struct {
		kind, query string
		blocker     func(int) act
		act         func() act
	}{
		{"entry", "CreateLedgerEntries", w.blockerCharges(ctx), func() act { return w.charging(ctx, w.account, 1) }},
		{"submit", "TransitionPickups", w.blockerMoves(ctx, "submit", "DRAFT"),
			func() act { return w.moving(ctx, "submit", w.pickup(ctx)) }},
		{"assign", "TransitionPickups", w.blockerAssigns(ctx),
			func() act { return w.assigning(ctx, w.submitted(ctx), w.driver(ctx, 1, 1)) }},
		{"move", "TransitionPickups", w.blockerMoves(ctx, "cancel", "DRAFT"),
			func() act { return w.moving(ctx, "cancel", w.submitted(ctx)) }},
		{"create", "CreatePickups", w.blockerCreates(ctx), func() act { return w.creating(ctx, w.draft()) }},
		{"location", "LocateDrivers", w.blockerLocations(ctx),
			func() act { return w.locating(ctx, w.driver(ctx, 1, 1)) }},
	} {
		var acts []act
		for range 12 {
			acts = append(acts, c.act())
		}
		errs, f := w.sharing(batcherOf(c.kind), c.blocker, acts...)
		if err := first(errs...); err != nil || f.count(c.query) != blockers+1 {
			t.Errorf("%s: %d statements for %d requests, %v", c.kind, f.count(c.query), blockers+len(acts), err)
		}
	}
}

// awaitBlockedBy waits until a session waits for the transaction.
func (w *fixture) awaitBlockedBy(ctx context.Context, tx pgx.Tx) {
	pid := int32(tx.Conn().PgConn().PID())
	w.await(func() bool {
		return scan[bool](ctx, w.owner,
			"SELECT EXISTS (SELECT FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid)))", pid)
	})
}

func (w *fixture) await(what func() bool) {
	for end := time.Now().Add(time.Minute); !what(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(end) {
			w.must(errors.New("the condition did not become true"))
		}
	}
}
