package api

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"waybill/db"
)

// eventWatch looks for new events on behalf of all open streams of the process, and wakes
// those of the tenants that have some: what it costs the database grows with the tenants
// that are followed, and not with the streams. It runs while there is a stream.
type eventWatch struct {
	find  func(context.Context, db.FindTenantsWithNewEventsParams) (db.FindTenantsWithNewEventsRow, error)
	every time.Duration

	mu      sync.Mutex
	tenants map[uuid.UUID]*watchedTenant
	end     context.CancelFunc // of the goroutine that looks; nil without one
}

func newEventWatch(store *db.Store, every time.Duration) *eventWatch {
	find := func(ctx context.Context, about db.FindTenantsWithNewEventsParams) (db.FindTenantsWithNewEventsRow, error) {
		return store.FindTenantsWithNewEvents(ctx, about)
	}
	return &eventWatch{find: find, every: every, tenants: map[uuid.UUID]*watchedTenant{}}
}

type watchedTenant struct {
	streams int
	since   string        // the horizon below which there is nothing left to find
	news    chan struct{} // closed at the next events
	horizon uint64        // how far the look saw that found the last ones
	pages   []*sharedPage // read lately, the newest last
}

// follower is a stream's place in the watch.
type follower struct {
	watch  *eventWatch
	id     uuid.UUID
	tenant *watchedTenant
}

// follow begins at a horizon that was read before: events below it wake nobody.
func (w *eventWatch) follow(tenant uuid.UUID, horizon uint64) follower {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.tenants[tenant]
	if t == nil {
		t = &watchedTenant{since: strconv.FormatUint(horizon, 10), news: make(chan struct{})}
		w.tenants[tenant] = t
	}
	t.streams++
	if w.end == nil {
		var ctx context.Context
		ctx, w.end = context.WithCancel(context.Background())
		go w.run(ctx)
	}
	return follower{w, tenant, t}
}

// leave is the last that a follower does.
func (f follower) leave() {
	f.watch.mu.Lock()
	defer f.watch.mu.Unlock()
	if f.tenant.streams--; f.tenant.streams == 0 {
		delete(f.watch.tenants, f.id)
	}
	if len(f.watch.tenants) == 0 {
		f.watch.end()
		f.watch.end = nil
	}
}

// news is closed when the tenant has an event that was not there before the call. Call it
// before reading the events, or what comes between is not waited for. What was news before
// is below the horizon.
func (f follower) news() (news <-chan struct{}, horizon uint64) {
	f.watch.mu.Lock()
	defer f.watch.mu.Unlock()
	return f.tenant.news, f.tenant.horizon
}

func (w *eventWatch) run(ctx context.Context) {
	tick := time.NewTicker(w.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w.look()
		}
	}
}

// eventWatchTimeout is for one look. One that fails is made up for by the next.
const eventWatchTimeout = 5 * time.Second

func (w *eventWatch) look() {
	asked := map[uuid.UUID]*watchedTenant{}
	var about db.FindTenantsWithNewEventsParams
	w.mu.Lock()
	for id, t := range w.tenants {
		asked[id] = t
		about.TenantIds, about.SinceXids = append(about.TenantIds, id), append(about.SinceXids, t.since)
	}
	w.mu.Unlock()
	if len(asked) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), eventWatchTimeout)
	defer cancel()
	found, err := w.find(ctx, about)
	if err != nil {
		return
	}
	horizon, err := strconv.ParseUint(found.Horizon, 10, 64)
	if err != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, t := range asked { // who came meanwhile was not looked for
		t.since = found.Horizon
	}
	for _, id := range found.TenantIds {
		t := asked[id]
		close(t.news)
		t.news, t.horizon = make(chan struct{}), horizon
	}
}
