package quota

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
)

var acme, cure, ann, bob, cid = uuid.New(), uuid.New(), uuid.New(), uuid.New(), uuid.New()

// now is a context for whoever does not wait.
func now() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func TestTakeRefusesWhatIsAboveAShare(t *testing.T) {
	t.Parallel()
	q := New(Limits{Whole: 10, PerTenant: 7, PerUser: 5})
	var releases []func()
	take := func(tenant, user uuid.UUID, n int64, want error) {
		t.Helper()
		release, err := q.Take(now(), tenant, user, n)
		if !errors.Is(err, want) {
			t.Fatalf("got %v, want %v", err, want)
		}
		if err == nil {
			releases = append(releases, release)
		}
	}
	take(acme, ann, 3, nil)
	take(acme, ann, 3, ErrShare)
	take(acme, ann, 2, nil)
	take(acme, bob, 3, ErrShare) // of the tenant
	take(acme, bob, 2, nil)
	take(cure, bob, 4, ErrWhole)
	take(cure, bob, 3, nil)
	take(cure, cid, 1, ErrWhole)
	releases[0]()
	releases[0]() // gives back once
	if q.InUse() != 7 {
		t.Errorf("%d are held", q.InUse())
	}
	take(cure, cid, 3, nil)
	for _, release := range releases {
		release()
	}
	take(acme, ann, 100, nil) // as much as there may be
	if q.InUse() != 5 {
		t.Errorf("%d are held of more than there may be", q.InUse())
	}
	releases[len(releases)-1]()
	if q.held != 0 || len(q.tenants) > 0 || len(q.users) > 0 || len(q.waiting) > 0 || len(q.waits) > 0 {
		t.Errorf("remembers %d, %v, %v, %v, %v", q.held, q.tenants, q.users, q.waiting, q.waits)
	}
}

// Whoever holds least is served first, not whoever asked for most.
func TestReturnedQuotaGoesToTheSmallestHolders(t *testing.T) {
	t.Parallel()
	q := New(Limits{Whole: 4, PerTenant: 4, PerUser: 4})
	var held []func()
	for range 4 {
		release, err := q.Take(t.Context(), acme, ann, 1)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, release)
	}
	served := make(chan uuid.UUID, 8)
	var waiters sync.WaitGroup
	wait := func(tenant, user uuid.UUID) {
		n := len(q.waiting)
		waiters.Go(func() {
			if _, err := q.Take(t.Context(), tenant, user, 1); err != nil {
				t.Error(err)
			}
			served <- user
		})
		for { // until it waits
			q.mu.Lock()
			joined := len(q.waiting) > n
			q.mu.Unlock()
			if joined {
				return
			}
		}
	}
	wait(acme, ann)
	wait(acme, ann)
	wait(acme, bob)
	wait(cure, cid)
	for i, want := range []uuid.UUID{cid, bob, ann, ann} {
		held[i]()
		if got := <-served; got != want {
			t.Errorf("turn %d: got %v, want %v", i, got, want)
		}
	}
	waiters.Wait()
}

func TestSharesAreNeverExceeded(t *testing.T) {
	t.Parallel()
	q := New(Limits{Whole: 5, PerTenant: 3, PerUser: 2})
	var all atomic.Int64
	var callers sync.WaitGroup
	for i := range 32 {
		callers.Go(func() {
			for round := range 100 {
				ctx := t.Context()
				if round%3 == 0 {
					ctx = now()
				}
				release, err := q.Take(ctx, []uuid.UUID{acme, cure}[i%2], []uuid.UUID{ann, bob, cid}[i%3], int64(1+i%2))
				if err != nil {
					continue
				}
				n := int64(1 + i%2)
				if held := all.Add(n); held > 5 {
					t.Errorf("%d are held", held)
				}
				all.Add(-n)
				release()
			}
		})
	}
	callers.Wait()
	if q.held != 0 || len(q.tenants) > 0 || len(q.users) > 0 || len(q.waiting) > 0 || len(q.waits) > 0 {
		t.Errorf("remembers %d, %v, %v, %v, %v", q.held, q.tenants, q.users, q.waiting, q.waits)
	}
}

// A queue that is looked through at each turn is short, whoever asks: its length would be
// the others' wait.
func TestTheQueueIsShort(t *testing.T) {
	t.Parallel()
	q := New(Limits{Whole: 2, PerTenant: 2, PerUser: 1})
	if _, err := q.Take(t.Context(), acme, ann, 1); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var waiters sync.WaitGroup
	refused := make(chan error, 10*maxWaiting)
	wait := func(tenant, user uuid.UUID) {
		waiters.Go(func() {
			_, err := q.Take(ctx, tenant, user, 1)
			if ctx.Err() == nil {
				refused <- err
			}
		})
	}
	for range maxWaitingPerUser + 3 {
		wait(acme, ann)
	}
	for range 3 {
		if err := <-refused; !errors.Is(err, ErrShare) {
			t.Errorf("beyond a user's: %v", err)
		}
	}
	if _, err := q.Take(t.Context(), cure, bob, 1); err != nil { // past all of them
		t.Error(err)
	}
	for range maxWaiting - maxWaitingPerUser + 3 {
		wait(acme, uuid.New())
	}
	for range 3 {
		if err := <-refused; !errors.Is(err, ErrWhole) {
			t.Errorf("beyond all: %v", err)
		}
	}
	stop()
	waiters.Wait()
	if len(q.waiting) > 0 || len(q.waits) > 0 {
		t.Errorf("remembers %d, %v", len(q.waiting), q.waits)
	}
}
