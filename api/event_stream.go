package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"waybill/db"
)

const aboutStream = "Sends a server-sent event for each transition, and each change of what a pickup is charged, " +
	"named after it (`event: submit`, `event: reprice`), in the order of their ids; the data is that of " +
	"list-pickup-events, and those who see no price, drivers and hub, are told of no change of it. The stream starts " +
	"with new events, or after " +
	"Last-Event-ID without a gap. Ids are opaque.\n\nThe first event is a `checkpoint`, whose data is an empty " +
	"object. It is sent again after events that you may not see were skipped: store its id for resuming, and " +
	"otherwise ignore it. When there are no events, a comment is sent every 15 seconds as a heartbeat.\n\nThe " +
	"stream ends with the session and when the server stops, with a short `retry` before: reconnect with the last " +
	"id. It also ends when the database is restored, or another server takes over after a failure; then the last id " +
	"is answered with `stream_restarted`: start without an id, and then read again what you keep of the pickups. By " +
	"default a user may have 8 open streams, and a tenant 256."

// describeStream adds the events to the document. An array of events in JSON is the closest description
// of a stream in OpenAPI 3.1.
func (a *server) describeStream() {
	schemas := a.huma.OpenAPI().Components.Schemas
	id := &huma.Schema{Type: huma.TypeString, Description: "Opaque position for resuming"}
	retry := &huma.Schema{Type: huma.TypeInteger, Description: "Milliseconds to wait before reconnecting",
		Minimum: new(0.0)}
	transition := &huma.Schema{
		Type: huma.TypeObject, Title: "transition", Description: "An event of a pickup",
		Properties: map[string]*huma.Schema{
			"id": id, "event": schemas.Schema(reflect.TypeFor[db.TransitionName](), true, ""),
			"data": schemas.Schema(reflect.TypeFor[db.PickupEvent](), true, ""),
		},
		Required: []string{"id", "event", "data"},
	}
	checkpoint := &huma.Schema{
		Type: huma.TypeObject, Title: "checkpoint", Description: "A position without an event for you",
		Properties: map[string]*huma.Schema{
			"id":    id,
			"event": {Type: huma.TypeString, Description: "Always checkpoint", Enum: []any{checkpointName}},
			"data":  {Type: huma.TypeObject, Description: "Empty", AdditionalProperties: false},
			"retry": retry,
		},
		Required: []string{"id", "event", "data"},
	}
	a.huma.OpenAPI().
		Paths["/v1/pickups/stream"].Get.Responses["200"].Content["text/event-stream"].Schema = &huma.Schema{
		Type: huma.TypeArray, Description: "Each item is one server-sent event; its members are the event's " +
			"fields",
		Items: &huma.Schema{OneOf: []*huma.Schema{transition, checkpoint}},
	}
}

// position is a position in the stream of a history: after this event, or, with seq 0, before the first
// event of this transaction.
type position struct {
	history  string
	xid, seq uint64
}

func (p position) String() string { return fmt.Sprintf("%s-%d-%d", p.history, p.xid, p.seq) }

// positions matches what String returns, and the positions of former versions, which had no history.
var positions = regexp.MustCompile(`^(?:([0-9a-f]{12})-)?(0|[1-9][0-9]{0,19})-(0|[1-9][0-9]{0,18})$`)

// parsePosition parses an id that a client sends back.
func parsePosition(id string) (p position, ok bool) {
	parts := positions.FindStringSubmatch(id)
	if parts == nil {
		return p, false
	}
	var notXid, notSeq error
	p.history = parts[1]
	p.xid, notXid = strconv.ParseUint(parts[2], 10, 64)
	p.seq, notSeq = strconv.ParseUint(parts[3], 10, 63)
	return p, notXid == nil && notSeq == nil
}

type streamInput struct {
	LastEventID string `header:"Last-Event-ID" doc:"The id of the last received event"`

	from   position
	isHead bool
}

// Resolve implements huma.Resolver.
func (in *streamInput) Resolve(ctx huma.Context) []error {
	in.isHead = ctx.Method() == http.MethodHead
	if in.LastEventID == "" {
		return nil
	}
	var ok bool
	if in.from, ok = parsePosition(in.LastEventID); !ok {
		return []error{problem(db.ValidationFailed, "Last-Event-ID",
			"The Last-Event-ID is not an id of this stream: reconnect without it.")}
	}
	return nil
}

// startStream returns where a stream begins to read, and the position that its client is told until there are events:
// that of the last event, since the horizon does not survive a crash. A position of another history is refused, and so
// is one that this history has not reached: it is of a former state of the same database.
func (a *server) startStream(
	ctx context.Context, v db.Viewer, in *streamInput, h db.StreamHorizon,
) (from, told position, err error) {
	switch {
	case in.LastEventID == "":
		last, err := a.store.LastStreamEvent(ctx, v.TenantID, h)
		return position{history: h.History, xid: h.Sendable}, position{h.History, last.Xid, uint64(last.Seq)}, err
	case in.from.history != h.History, in.from.xid > h.Newest:
		return from, told, problem(db.StreamRestarted, "Last-Event-ID", "")
	}
	return in.from, in.from, nil
}

type streamOutput struct {
	ContentType  string `header:"Content-Type"`
	CacheControl string `header:"Cache-Control" doc:"The stream is stored nowhere"`
	Buffering    string `header:"X-Accel-Buffering" doc:"Disables buffering in proxies"`
	Body         func(huma.Context)
}

// streamPickups opens a stream. For HEAD it returns what opening the stream would answer.
func (a *server) streamPickups(ctx context.Context, v db.Viewer, in *streamInput) (*streamOutput, error) {
	release := func() {}
	if !in.isHead {
		var err error
		if release, err = a.streams.take(v.TenantID, v.UserID); err != nil {
			return nil, err
		}
	}
	horizon, err := a.store.StreamHorizon(ctx)
	var from, first position
	if err == nil {
		from, first, err = a.startStream(ctx, v, in, horizon)
	}
	if err != nil {
		release()
		return nil, err
	}
	return &streamOutput{"text/event-stream", "no-store", "no", func(hc huma.Context) {
		defer release()
		hc.SetStatus(http.StatusOK)
		if in.isHead {
			return
		}
		events, told := a.events.follow(v.TenantID, horizon)
		defer events.leave()
		s := &eventStream{server: a, viewer: v, events: events, at: from, told: first, begun: horizon, horizon: told,
			skipped: in.LastEventID != ""}
		s.run(hc)
	}}, nil
}

// streamsAtOnce limits concurrent streams: an idle stream takes only about 30 KB of memory.
var streamsAtOnce = Limits{Whole: 1024, PerTenant: 256, PerUser: 8}

const (
	streamPage        = 200              // events per read
	streamWindow      = 10 * streamPage  // the most of it, while a read shows nothing
	heartbeatInterval = 15 * time.Second // interval of heartbeats
	streamAuth        = 2 * time.Second  // interval of session checks
	streamWrite       = 10 * time.Second // timeout of one write to the client

	streamRetry = time.Second            // how long clients wait before they connect again
	streamMoves = 250 * time.Millisecond // the most of it when the server stops
)

// eventStream is an open stream.
type eventStream struct {
	server  *server
	viewer  db.Viewer
	events  follower
	at      position // where to continue reading
	told    position // of the last event before it: where the client may continue, also after a crash
	begun   db.StreamHorizon
	horizon uint64 // where to stop
	window  int32  // how many events the next read looks at, unless it is shared
	skipped bool   // events of other viewers were skipped since the last sent id
	checked time.Time
	sent    time.Time
	write   func([]byte) error
}

// run sends committed events in order, until the client disconnects, the session ends, the history ends or
// the server drains. It never sends events above the horizon: a transaction that is still running there may commit
// an event that belongs before them.
func (s *eventStream) run(hc huma.Context) {
	ctx := hc.Context()
	s.write = writer(hc)
	s.checked = time.Now()
	awake := time.NewTimer(streamAuth)
	defer awake.Stop()
	// The first bytes come at once, so that proxies and clients see the open stream.
	if s.send(fmt.Appendf(nil, "retry: %d\n%s", streamRetry.Milliseconds(), s.checkpoint())) != nil {
		return
	}
	news, _ := s.events.news()
	for {
		if time.Since(s.checked) >= streamAuth {
			if s.authenticate(ctx) != nil {
				return
			}
			awake.Reset(streamAuth)
		}
		more, err := s.sendNext(ctx)
		if err != nil {
			return // the client reconnects with its Last-Event-ID
		}
		if more {
			select {
			case <-s.server.stopping:
				s.part()
				return
			case <-s.events.over():
				return
			default:
				continue
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-s.server.stopping:
			s.part()
			return
		case <-s.events.over():
			return // the client is told when it reconnects
		case <-news:
			news, s.horizon = s.events.news()
			s.skipped = true // unless they are sent
		case <-awake.C: // regardless of the watch
			news, _ = s.events.news()
			s.horizon = s.events.horizon()
		}
	}
}

// part tells the client to connect again at once, to another server, and not all clients at the same moment.
// From that one it gets the usual time again. No empty line follows: some parsers would make an event of it.
func (s *eventStream) part() {
	_ = s.send(fmt.Appendf(nil, "retry: %d\n", rand.N(streamMoves).Milliseconds())) // it ends in any case
}

// writer returns a function that writes and flushes with a timeout of its own.
func writer(hc huma.Context) func([]byte) error {
	_, w := humago.Unwrap(hc)
	control := http.NewResponseController(w)
	return func(text []byte) error {
		control.SetWriteDeadline(time.Now().Add(streamWrite))
		if _, err := w.Write(text); err != nil {
			return err
		}
		return control.Flush()
	}
}

func (s *eventStream) send(text []byte) error {
	s.sent = time.Now()
	return s.write(text)
}

func (s *eventStream) authenticate(ctx context.Context) (err error) {
	s.viewer, err = s.server.store.Authenticate(ctx, tokenOf(ctx), s.server.lifetimes.Idle)
	s.checked = time.Now()
	return err
}

// sendNext sends the next events, or a heartbeat when it is due. more reports whether there are further
// events.
func (s *eventStream) sendNext(ctx context.Context) (more bool, err error) {
	page, err := s.next(ctx)
	if err != nil {
		return false, err
	}
	s.at, s.window = page.next, page.nextWindow(s.window)
	if page.last != (position{}) {
		s.told = page.last
	}
	if len(page.text) > 0 {
		s.skipped = false
	}
	s.skipped = s.skipped || page.skipped
	switch {
	case len(page.text) > 0:
		err = s.send(page.text)
	case time.Since(s.sent) > heartbeatInterval:
		err = s.send(s.heartbeat())
	}
	return page.more, err
}

const checkpointName = "checkpoint"

// checkpoint returns an event with an id and empty data: some parsers would deliver an event without
// data as an empty message.
func (s *eventStream) checkpoint() []byte {
	s.skipped = false
	return fmt.Appendf(nil, "event: %s\nid: %s\ndata: {}\n\n", checkpointName, s.told)
}

// heartbeat returns a heartbeat: a comment without a blank line, which some parsers would take for the
// end of an empty event. If events of other viewers were skipped, it returns a checkpoint instead, so
// that a resuming client does not read them again.
func (s *eventStream) heartbeat() []byte {
	if s.skipped {
		return s.checkpoint()
	}
	return []byte(": still here\n")
}

// next returns the next events between the stream's position and its horizon. What admins, dispatchers
// and hubs see depends only on their role (see StreamPickupEvents), so they share their reads.
func (s *eventStream) next(ctx context.Context) (eventPage, error) {
	if s.horizon <= s.at.xid {
		return eventPage{next: s.at}, nil
	}
	v, at, horizon := s.viewer, s.at, s.horizon
	read := func(ctx context.Context) (eventPage, error) {
		return s.server.readEvents(ctx, v, at, s.begun, horizon, streamPage)
	}
	switch v.Role {
	case db.UserRoleAdmin, db.UserRoleDispatcher, db.UserRoleHub:
		return s.events.readShared(ctx, place{v.Role, at, horizon}, read)
	}
	return s.server.readEvents(ctx, v, at, s.begun, horizon, max(s.window, streamPage))
}

// readEvents returns the events between a position and a horizon of its history. It returns StreamRestarted if
// the server writes another history now, or has crashed since the stream has begun.
func (a *server) readEvents(
	ctx context.Context, v db.Viewer, at position, begun db.StreamHorizon, horizon uint64, window int32,
) (eventPage, error) {
	page, err := a.store.StreamPickupEvents(ctx, at.history, begun.Recovery, db.StreamPickupEventsParams{
		TenantID: v.TenantID, ViewerID: v.UserID, ViewerRole: v.Role, ViewerDriverID: v.DriverID,
		AfterXid: strconv.FormatUint(at.xid, 10), AfterSeq: int64(at.seq),
		Horizon: strconv.FormatUint(horizon, 10), FirstSeq: begun.FirstSeq, MaxRows: window,
	})
	if err != nil {
		return eventPage{}, err
	}
	return pageAsText(page, at, horizon)
}

// pageAsText returns the page after a position as it is sent.
func pageAsText(page db.EventPage, at position, horizon uint64) (eventPage, error) {
	var out bytes.Buffer
	for _, e := range page.Events {
		at = position{at.history, e.Xid, uint64(e.Seq)}
		data, err := json.Marshal(e)
		if err != nil {
			return eventPage{}, err
		}
		fmt.Fprintf(&out, "id: %s\nevent: %s\ndata: %s\n\n", at, e.Transition, data)
	}
	var last position
	if page.LastXid > 0 {
		last = position{at.history, page.LastXid, uint64(page.LastSeq)}
	}
	if page.IsLast { // everything below the horizon has been read
		next := position{history: at.history, xid: horizon}
		return eventPage{text: out.Bytes(), next: next, last: last, skipped: last.xid > 0 && at != last}, nil
	}
	return eventPage{text: out.Bytes(), next: last, last: last, more: true, skipped: at != last}, nil
}
