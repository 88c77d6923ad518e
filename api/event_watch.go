package api

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"waybill/db"
)

// eventWatch polls for new events on behalf of all open streams of the process, and wakes the streams
// of tenants that have some: its cost in the database grows with the number of followed tenants, not
// streams. It runs while there is a stream.
type eventWatch struct {
	find  func(context.Context, map[uuid.UUID]uint64) (eventLook, error)
	every time.Duration

	mu      sync.Mutex
	tenants map[uuid.UUID]*watchedTenant
	server  serverRun          // of the horizons
	seen    uint64             // the highest horizon of the polls
	lag     streamLag          // the lag measured by the polls
	end     context.CancelFunc // stops the polling goroutine; nil if there is none
}

// serverRun is the time in which horizons are comparable: that of one history, from a crash to the next.
type serverRun struct{ history, recovery string }

func runOf(h db.StreamHorizon) serverRun { return serverRun{h.History, h.Recovery} }

// eventLook is the result of one poll: the tenants with events below the horizon.
type eventLook struct {
	db.StreamHorizon
	tenants []uuid.UUID
}

func newEventWatch(store *db.Store, every time.Duration) *eventWatch {
	find := func(ctx context.Context, since map[uuid.UUID]uint64) (eventLook, error) {
		return findEvents(ctx, store, since)
	}
	return &eventWatch{find: find, every: every, tenants: map[uuid.UUID]*watchedTenant{}}
}

// eventFinder has the queries of a poll.
type eventFinder interface {
	StreamHorizon(context.Context) (db.StreamHorizon, error)
	FindNewEvents(context.Context, db.FindNewEventsParams) ([]db.FindNewEventsRow, error)
	MoveStreamHorizon(context.Context) (string, error)
}

// findEvents reads the horizon, and then the tenants with events between their own horizon and it. The
// two statements must run in this order: see GetStreamHorizon. An event at a horizon that has not moved
// yet is found by a later poll; it would never be found if no transaction ran any more.
func findEvents(ctx context.Context, in eventFinder, since map[uuid.UUID]uint64) (look eventLook, err error) {
	if look.StreamHorizon, err = in.StreamHorizon(ctx); err != nil {
		return look, err
	}
	about := db.FindNewEventsParams{FirstSeq: look.FirstSeq}
	for id, xid := range since {
		about.TenantIds, about.SinceXids = append(about.TenantIds,
			id), append(about.SinceXids, strconv.FormatUint(xid, 10))
	}
	firsts, err := in.FindNewEvents(ctx, about)
	if err != nil {
		return look, err
	}
	isBeyond := false
	for _, first := range firsts {
		if first.Xid < look.Sendable {
			look.tenants = append(look.tenants, first.TenantID)
		}
		isBeyond = isBeyond || first.Xid >= look.Newest
	}
	if isBeyond {
		_, err = in.MoveStreamHorizon(ctx)
	}
	return look, err
}

type watchedTenant struct {
	streams int
	since   uint64        // the horizon up to which everything has been found
	news    chan struct{} // closed at the next events
	horizon uint64        // the horizon of the poll that found the last events
	pages   []*sharedPage // recently read, the newest last
	over    chan struct{} // closed when the history has ended, or the server has crashed
}

// follower is a stream's subscription to the watch.
type follower struct {
	watch  *eventWatch
	id     uuid.UUID
	tenant *watchedTenant
}

// follow subscribes at a horizon that was read before. It returns the horizon up to which no wake-up is
// due any more: another stream of the tenant may have received it. In another history than that of the other
// streams, or after a crash, these end.
func (w *eventWatch) follow(tenant uuid.UUID, at db.StreamHorizon) (f follower, from uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if runOf(at) != w.server {
		w.restart(at)
	}
	horizon := at.Sendable
	t := w.tenants[tenant]
	if t == nil {
		t = &watchedTenant{since: horizon, news: make(chan struct{}), over: make(chan struct{})}
		w.tenants[tenant] = t
	}
	t.streams++
	w.seen = max(w.seen, horizon)
	if w.end == nil {
		w.lag = streamLag{caughtUp: time.Now()}
		var ctx context.Context
		ctx, w.end = context.WithCancel(context.Background())
		go w.run(ctx)
	}
	return follower{w, tenant, t}, max(horizon, t.since)
}

// restart ends all streams: how far they have read says nothing in another history, or after a crash. Their clients
// come back with what they were told: after a crash, it still holds.
func (w *eventWatch) restart(at db.StreamHorizon) {
	for _, t := range w.tenants {
		close(t.over)
	}
	clear(w.tenants)
	w.server, w.seen = runOf(at), at.Sendable
	w.rest()
}

// rest ends the polling if there is nobody to poll for.
func (w *eventWatch) rest() {
	if len(w.tenants) == 0 && w.end != nil {
		w.end()
		w.end = nil
	}
}

// leave ends the subscription.
func (f follower) leave() {
	f.watch.mu.Lock()
	defer f.watch.mu.Unlock()
	if f.tenant.streams--; f.tenant.streams == 0 && f.watch.tenants[f.id] == f.tenant {
		delete(f.watch.tenants, f.id)
		f.watch.rest()
	}
}

// over returns a channel that is closed when the history has ended, or the server has crashed.
func (f follower) over() <-chan struct{} { return f.tenant.over }

// news returns a channel that is closed when the tenant has new events after the call. It must be
// called before reading events, or events in between are missed. Earlier events are below the returned
// horizon.
func (f follower) news() (news <-chan struct{}, horizon uint64) {
	f.watch.mu.Lock()
	defer f.watch.mu.Unlock()
	return f.tenant.news, f.tenant.horizon
}

// horizon returns the highest horizon of the polls, whether they found events or not.
func (f follower) horizon() uint64 {
	f.watch.mu.Lock()
	defer f.watch.mu.Unlock()
	return f.watch.seen
}

// behind returns the age of the time up to which all committed events have been found; 0 while there is
// no stream.
func (w *eventWatch) behind() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.end == nil {
		return 0
	}
	return time.Since(w.lag.caughtUp)
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

// eventWatchTimeout bounds one poll. The next poll makes up for a failed one.
const eventWatchTimeout = 5 * time.Second

func (w *eventWatch) look() {
	asked := map[uuid.UUID]*watchedTenant{}
	since := map[uuid.UUID]uint64{}
	w.mu.Lock()
	server := w.server
	for id, t := range w.tenants {
		asked[id], since[id] = t, t.since
	}
	w.mu.Unlock()
	if len(asked) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), eventWatchTimeout)
	defer cancel()
	at := time.Now()
	found, err := w.find(ctx, since)
	if err != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case server != w.server: // meanwhile: this poll was for streams that have ended
		return
	case runOf(found.StreamHorizon) != server:
		w.restart(found.StreamHorizon)
		return
	}
	w.lag.saw(at, found.StreamHorizon)
	// A transaction that got its id long before its first event takes the horizon back to that id. What was passed
	// before stays so: the event's position is not below.
	w.seen = max(w.seen, found.Sendable)
	for _, t := range asked { // tenants added during the poll were not part of it
		t.since = max(t.since, found.Sendable)
	}
	for _, id := range found.tenants {
		t := asked[id]
		close(t.news)
		t.news, t.horizon = make(chan struct{}), w.seen
	}
}
