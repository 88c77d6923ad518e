package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"waybill/db"
)

const aboutStream = "Server-sent events, one for each transition, named after it (`event: submit`), in the order of " +
	"their ids; the data " +
	"is that of list-pickup-events. The stream begins now, or after Last-Event-ID: nothing in between is missed. Ids " +
	"are opaque.\n\n" +
	"It begins with an event `checkpoint`, whose data is an empty object, and which is sent again when other events " +
	"than yours " +
	"were passed over: keep its id to resume from, and ignore it otherwise. While nothing happens a comment comes " +
	"every 15 seconds.\n\n" +
	"The answer ends with the session and when the server stops: come back with the last id. A user may have 8 " +
	"streams open at once, " +
	"a tenant 256, where the server's settings do not say otherwise."

// describeStream says in the document what the events are: an array of them, in JSON, is
// as near as OpenAPI 3.1 comes to a stream.
func (a *server) describeStream() {
	schemas := a.huma.OpenAPI().Components.Schemas
	id := &huma.Schema{Type: huma.TypeString, Description: "Where to resume: opaque"}
	retry := &huma.Schema{Type: huma.TypeInteger, Description: "Milliseconds to wait before coming back"}
	transition := &huma.Schema{
		Type: huma.TypeObject, Title: "transition", Description: "A pickup was moved",
		Properties: map[string]*huma.Schema{
			"id": id, "event": schemas.Schema(reflect.TypeFor[db.TransitionName](), true, ""),
			"data": schemas.Schema(reflect.TypeFor[db.PickupEvent](), true, ""),
		},
		Required: []string{"id", "event", "data"},
	}
	checkpoint := &huma.Schema{
		Type: huma.TypeObject, Title: "checkpoint", Description: "There is nothing for you up to here",
		Properties: map[string]*huma.Schema{
			"id": id, "event": {Type: huma.TypeString, Enum: []any{checkpointName}},
			"data": {Type: huma.TypeObject, AdditionalProperties: false}, "retry": retry,
		},
		Required: []string{"id", "event", "data"},
	}
	a.huma.OpenAPI().
		Paths["/v1/pickups/stream"].Get.Responses["200"].Content["text/event-stream"].Schema = &huma.Schema{
		Type: huma.TypeArray, Description: "Each item is one server-sent event, its members the event's fields",
		Items: &huma.Schema{OneOf: []*huma.Schema{transition, checkpoint}},
	}
}

// position is a place in the stream: after this event, or, with seq 0, before the
// first one of this transaction.
type position struct{ xid, seq uint64 }

func (p position) String() string { return fmt.Sprintf("%d-%d", p.xid, p.seq) }

type streamInput struct {
	LastEventID string `header:"Last-Event-ID" doc:"The id of the last event that was seen"`

	from   position
	isHead bool
}

// Resolve implements huma.Resolver.
func (in *streamInput) Resolve(ctx huma.Context) []error {
	in.isHead = ctx.Method() == http.MethodHead
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
	return problem(db.ValidationFailed, "Last-Event-ID",
		"The Last-Event-ID is not one of this stream: begin without one.")
}

type streamOutput struct {
	ContentType  string `header:"Content-Type"`
	CacheControl string `header:"Cache-Control"`
	Buffering    string `header:"X-Accel-Buffering" doc:"Tells a proxy to pass on each event as it comes"`
	Body         func(huma.Context)
}

// streamPickups opens a stream, or, for HEAD, tells what opening it would answer.
func (a *server) streamPickups(ctx context.Context, v db.Viewer, in *streamInput) (*streamOutput, error) {
	release := func() {}
	if !in.isHead {
		var err error
		if release, err = a.streams.take(v.TenantID, v.UserID); err != nil {
			return nil, err
		}
	}
	horizon, err := readHorizon(ctx, a.store)
	if err == nil && in.from.xid > horizon.newest {
		err = notOfThisStream()
	}
	if err != nil {
		release()
		return nil, err
	}
	from := in.from
	if in.LastEventID == "" {
		from = position{xid: horizon.told}
	}
	return &streamOutput{"text/event-stream", "no-store", "no", func(hc huma.Context) {
		defer release()
		hc.SetStatus(http.StatusOK)
		if in.isHead {
			return
		}
		events, told := a.events.follow(v.TenantID, horizon.told)
		defer events.leave()
		s := &eventStream{server: a, viewer: v, events: events, at: from, horizon: told, passed: in.LastEventID != ""}
		s.run(hc)
	}}, nil
}

// streamsAtOnce: one waits on little but memory, some 30 KB.
var streamsAtOnce = Limits{Whole: 1024, PerTenant: 256, PerUser: 8}

const (
	streamPage  = 200              // events read at once
	streamAlive = 15 * time.Second // between signs of life
	streamAuth  = 2 * time.Second  // between looks at whether the session is still good
	streamWrite = 10 * time.Second // for a client to take what is sent
)

// eventStream is an open one.
type eventStream struct {
	server  *server
	viewer  db.Viewer
	events  follower
	at      position // where to read on
	horizon uint64   // how far
	passed  bool     // events of others since the last id that was sent
	checked time.Time
	sent    time.Time
	write   func([]byte) error
}

// run sends what is committed, in order, until the client goes away, the session ends or
// the server drains. It never sends what is above the horizon: whoever still writes there
// may commit an event that belongs before.
func (s *eventStream) run(hc huma.Context) {
	ctx := hc.Context()
	s.write = writer(hc)
	s.checked = time.Now()
	awake := time.NewTimer(streamAuth)
	defer awake.Stop()
	// The first byte comes at once: proxies and clients see that it is open.
	if s.send(fmt.Appendf(nil, "retry: 1000\n%s", s.checkpoint())) != nil {
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
		more, err := s.tell(ctx)
		if err != nil {
			return // the client comes back with its Last-Event-ID
		}
		if more {
			select {
			case <-s.server.stopping:
				return
			default:
				continue
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-s.server.stopping:
			return
		case <-news:
			news, s.horizon = s.events.news()
			s.passed = true // unless they are told
		case <-awake.C: // whatever became of the watch
			news, _ = s.events.news()
			s.horizon = s.events.horizon()
		}
	}
}

// writer sends and flushes, within a time of its own.
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

// tell sends the next events, or after a while a sign of life, and says whether there are
// more.
func (s *eventStream) tell(ctx context.Context) (more bool, err error) {
	page, err := s.next(ctx)
	if err != nil {
		return false, err
	}
	s.at = page.next
	switch {
	case len(page.text) > 0:
		s.passed = false
		err = s.send(page.text)
	case time.Since(s.sent) > streamAlive:
		err = s.send(s.signOfLife())
	}
	return page.more, err
}

const checkpointName = "checkpoint"

// checkpoint is an event that has an id and says nothing: some clients' parsers hand on
// one without data as an empty message.
func (s *eventStream) checkpoint() []byte {
	s.passed = false
	return fmt.Appendf(nil, "event: %s\nid: %s\ndata: {}\n\n", checkpointName, s.at)
}

// signOfLife is a comment, without a blank line after it: that would end an event, for
// some parsers an empty one. Where events of others were passed over it is a checkpoint
// in its place, so that whoever resumes does not read them again.
func (s *eventStream) signOfLife() []byte {
	if s.passed {
		return s.checkpoint()
	}
	return []byte(": still here\n")
}

// next gives the events between the stream's place and its horizon, or the first of them.
// What admins, dispatchers and hubs are told goes by their role alone, as
// StreamPickupEvents has it: they read together.
func (s *eventStream) next(ctx context.Context) (eventPage, error) {
	if s.horizon <= s.at.xid {
		return eventPage{next: s.at}, nil
	}
	v, at, horizon := s.viewer, s.at, s.horizon
	read := func(ctx context.Context) (eventPage, error) { return s.server.readEvents(ctx, v, at, horizon) }
	switch v.Role {
	case db.UserRoleAdmin, db.UserRoleDispatcher, db.UserRoleHub:
		return s.events.together(ctx, place{v.Role, at, horizon}, read)
	}
	return read(ctx)
}

func (a *server) readEvents(ctx context.Context, v db.Viewer, at position, horizon uint64) (eventPage, error) {
	rows, err := a.store.StreamPickupEvents(ctx, db.StreamPickupEventsParams{
		TenantID: v.TenantID, ViewerID: v.UserID, ViewerRole: v.Role, ViewerDriverID: v.DriverID,
		AfterXid: strconv.FormatUint(at.xid, 10), AfterSeq: int64(at.seq),
		Horizon: strconv.FormatUint(horizon, 10), MaxRows: streamPage,
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
