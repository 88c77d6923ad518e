package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"waybill/db"
)

func (a *server) registerPickupEvents() {
	register(a, operation{
		id: "list-pickup-events", method: http.MethodGet, path: "/v1/pickups/{pickup_id}/events", tag: "pickups",
		summary: "List the events of a pickup",
		about:   "Oldest first. The hub is told of those from collect on, drivers of those that are theirs, since their login is the driver's.", roles: everyRole, codes: []db.Code{db.NotFound},
	}, a.listPickupEvents)
	register(a, operation{
		id: "stream-pickups", method: http.MethodGet, path: "/v1/pickups/stream", tag: "pickups", long: true, mediaType: "text/event-stream",
		summary: "Follow the pickups that you see",
		about: "Server-sent events, one for each transition, in the order in which they were committed; each event's data is that of " +
			"list-pickup-events. It begins now, or after Last-Event-ID: nothing in between is missed. Ids are opaque.",
		roles: everyRole, codes: []db.Code{concurrencyLimit},
	}, a.streamPickups)
}

type listPickupEventsInput struct {
	PickupPath
	Paging

	after int64
}

// Resolve implements huma.Resolver.
func (in *listPickupEventsInput) Resolve(ctx huma.Context) []error {
	place, err := in.open(ctx)
	if err != nil || place == "" {
		return asErrors(err)
	}
	if in.after, err = strconv.ParseInt(place, 10, 64); err != nil {
		return []error{badCursor()}
	}
	return nil
}

func (a *server) listPickupEvents(ctx context.Context, v db.Viewer, in *listPickupEventsInput) (*ListOf[db.PickupEvent], error) {
	if _, err := a.store.GetOne(ctx, v, in.PickupID); err != nil {
		return nil, err
	}
	rows, err := a.store.ListPickupEvents(ctx, db.ListPickupEventsParams{
		TenantID: v.TenantID, PickupID: in.PickupID, AfterVersion: in.after, MaxRows: in.more(),
		ViewerID: v.UserID, ViewerRole: v.Role, ViewerDriverID: v.DriverID,
	})
	if err != nil {
		return nil, err
	}
	return pageOf(in.Limit, rows, func(e db.PickupEvent) string {
		return in.cursor(strconv.FormatInt(e.Version, 10))
	}), nil
}

// position is a place in the stream: after this event, or, with seq 0, before the
// first one of this transaction.
type position struct{ xid, seq uint64 }

func (p position) String() string { return fmt.Sprintf("%d-%d", p.xid, p.seq) }

type streamInput struct {
	LastEventID string `header:"Last-Event-ID" doc:"The id of the last event that was seen"`

	from position
}

// Resolve implements huma.Resolver.
func (in *streamInput) Resolve(huma.Context) []error {
	if in.LastEventID == "" {
		return nil
	}
	var end string
	n, _ := fmt.Sscanf(in.LastEventID+" .", "%d-%d %s", &in.from.xid, &in.from.seq, &end)
	if n != 3 || end != "." || in.from.String() != in.LastEventID || in.from.seq > 1<<62 {
		return []error{notOfThisStream()}
	}
	return nil
}

func notOfThisStream() *Problem {
	return problem(db.ValidationFailed, "Last-Event-ID", "The Last-Event-ID is not one of this stream: begin without one.")
}

type streamOutput struct {
	ContentType  string `header:"Content-Type"`
	CacheControl string `header:"Cache-Control"`
	Body         func(huma.Context)
}

func (a *server) streamPickups(ctx context.Context, v db.Viewer, in *streamInput) (*streamOutput, error) {
	horizon, err := a.horizon(ctx)
	if err != nil {
		return nil, err
	}
	from := in.from
	if in.LastEventID == "" {
		from = position{xid: horizon}
	}
	if from.xid > horizon {
		return nil, notOfThisStream()
	}
	release, err := a.streams.take(v.TenantID, v.UserID)
	if err != nil {
		return nil, err
	}
	return &streamOutput{"text/event-stream", "no-store", func(hc huma.Context) {
		defer release()
		events := a.events.follow(v.TenantID, horizon)
		defer events.leave()
		a.stream(hc, v, from, events)
	}}, nil
}

func (a *server) horizon(ctx context.Context) (uint64, error) {
	text, err := a.store.GetStreamHorizon(ctx)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(text, 10, 64)
}

// streamsAtOnce: one waits on little but memory, some 30 KB.
var streamsAtOnce = Limits{Whole: 1024, PerTenant: 256, PerUser: 8}

const (
	streamPage  = 200              // events read at once
	streamAlive = 15 * time.Second // between signs of life
	streamAuth  = 2 * time.Second  // between looks at whether the session is still good
	streamWrite = 10 * time.Second // for a client to take what is sent
)

// stream sends what is committed, in order, until the client goes away, the session
// ends or the server drains. It never sends what is younger than a transaction that
// still runs: that one may commit an event that belongs before.
func (a *server) stream(hc huma.Context, v db.Viewer, at position, events follower) {
	ctx := hc.Context()
	_, w := humago.Unwrap(hc)
	control := http.NewResponseController(w)
	hc.SetStatus(http.StatusOK)
	alive, checked := time.Now(), time.Now()
	awake := time.NewTimer(streamAuth)
	defer awake.Stop()
	send := func(text []byte) bool {
		control.SetWriteDeadline(time.Now().Add(streamWrite))
		_, err := w.Write(text)
		alive = time.Now()
		return err == nil && control.Flush() == nil
	}
	if !send(fmt.Appendf(nil, "retry: 1000\nid: %s\n\n", at)) {
		return
	}
	news, _ := events.news()
	horizon, err := a.horizon(ctx)
	for err == nil {
		if time.Since(checked) >= streamAuth {
			if v, err = a.store.Authenticate(ctx, tokenOf(ctx), a.lifetimes.Idle); err != nil {
				return
			}
			checked = time.Now()
			awake.Reset(streamAuth)
		}
		page, failed := a.eventsAfter(ctx, v, at, horizon, events)
		if failed != nil {
			return // the client comes back with its Last-Event-ID
		}
		at = page.next
		text := page.text
		if len(text) == 0 && time.Since(alive) > streamAlive {
			text = fmt.Appendf(nil, "id: %s\n\n", at)
		}
		if len(text) > 0 && !send(text) {
			return
		}
		if page.more {
			select {
			case <-a.stopping:
				return
			default:
				continue
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-a.stopping:
			return
		case <-news:
			news, horizon = events.news()
		case <-awake.C: // whatever became of the watch
			news, _ = events.news()
			horizon, err = a.horizon(ctx)
		}
	}
}

// eventsAfter gives the events between a position and a horizon, or the first of them.
// What admins, dispatchers and hubs are told goes by their role alone, as
// StreamPickupEvents has it: they read together.
func (a *server) eventsAfter(ctx context.Context, v db.Viewer, at position, horizon uint64, events follower) (eventPage, error) {
	if horizon <= at.xid {
		return eventPage{next: at}, nil
	}
	read := func(ctx context.Context) (eventPage, error) { return a.readEvents(ctx, v, at, horizon) }
	switch v.Role {
	case db.UserRoleAdmin, db.UserRoleDispatcher, db.UserRoleHub:
		return events.together(ctx, place{v.Role, at, horizon}, read)
	}
	return read(ctx)
}

func (a *server) readEvents(ctx context.Context, v db.Viewer, at position, horizon uint64) (eventPage, error) {
	rows, err := a.store.StreamPickupEvents(ctx, db.StreamPickupEventsParams{
		TenantID: v.TenantID, ViewerID: v.UserID, ViewerRole: v.Role, ViewerDriverID: v.DriverID,
		AfterXid: strconv.FormatUint(at.xid, 10), AfterSeq: int64(at.seq), Horizon: strconv.FormatUint(horizon, 10), MaxRows: streamPage,
	})
	if err != nil {
		return eventPage{}, err
	}
	var out bytes.Buffer
	for _, e := range rows {
		at = position{e.Xid, uint64(e.Seq)}
		data, err := json.Marshal(e)
		if err != nil {
			return eventPage{}, err
		}
		fmt.Fprintf(&out, "id: %s\nevent: %s\ndata: %s\n\n", at, e.Transition, data)
	}
	if len(rows) == streamPage {
		return eventPage{out.Bytes(), at, true}, nil
	}
	// Nothing below the horizon is left, or ever will be.
	return eventPage{out.Bytes(), position{xid: horizon}, false}, nil
}
