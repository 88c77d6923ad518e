package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/api"
	"waybill/db"
)

// stream is an open event stream, over a real connection.
type stream struct {
	t      testing.TB
	body   *http.Response
	lines  *bufio.Scanner
	cancel context.CancelFunc
	last   string // the id of the last event
	retry  int    // in how many ms to connect again
}

type event struct {
	id, name string
	data     object
}

// isTransition reports whether the event is a transition.
func (e event) isTransition() bool { return e.name != "checkpoint" }

func (s *server) listen() string {
	server := httptest.NewServer(s.api)
	s.t.Cleanup(server.Close)
	return server.URL
}

func follow(t testing.TB, url string, as *user, last string) *stream {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	r, _ := http.NewRequestWithContext(ctx, "GET", url+"/v1/pickups/stream", nil)
	r.Header.Set("Authorization", "Bearer "+as.token)
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	if response.StatusCode != 200 || response.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("stream: %d %s", response.StatusCode, response.Header.Get("Content-Type"))
	}
	st := &stream{t, response, bufio.NewScanner(response.Body), cancel, last, 0}
	if e, ok := st.next(); !ok || e.name != "checkpoint" || e.id == "" || e.data == nil || len(e.data) > 0 {
		t.Fatalf("the stream begins with %v", e)
	}
	return st
}

// next returns the next event; ok is false at the end of the stream.
func (st *stream) next() (e event, ok bool) {
	for st.lines.Scan() {
		name, value, _ := strings.Cut(st.lines.Text(), ": ")
		switch name {
		case "retry":
			st.retry, _ = strconv.Atoi(value)
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			if err := json.Unmarshal([]byte(value), &e.data); err != nil {
				st.t.Error(err)
			}
			if at, ok := e.data["created_at"].(string); ok && !strings.HasSuffix(at, "Z") {
				st.t.Errorf("an event of %s, which is not UTC", at)
			}
		case "":
			if st.lines.Text() == "" { // otherwise a comment
				if e.id == "" || e.name == "" || e.data == nil {
					st.t.Errorf("a client's parser makes an empty message of %v", e)
				}
				st.last = e.id
				return e, true
			}
		}
	}
	return e, false
}

// transition returns the next event of a transition.
func (st *stream) transition() event {
	st.t.Helper()
	for {
		e, ok := st.next()
		if !ok {
			st.t.Fatal("the stream ended")
		}
		if e.isTransition() {
			return e
		}
	}
}

func TestStreamTellsEachEventOnceInOrder(t *testing.T) {
	t.Parallel()
	s := start(t, roomy)
	url := s.listen()
	from := follow(t, url, s.dispatcher, "")
	from.cancel()

	const callers, rounds = 16, 4
	var done sync.WaitGroup
	for range callers {
		done.Go(func() {
			path := s.pickup()
			move := func(as *user, transition string, body any) {
				a := s.do(as, "POST", path+transition, body)
				for a.status == 503 { // retry as requested
					a = s.do(as, "POST", path+transition, body)
				}
				if a.status != 200 {
					t.Errorf("%s: %s", transition, a)
				}
			}
			move(s.staff, "/submit", nil)
			driver := s.newDriver(s.tenant)
			for range rounds {
				move(s.dispatcher, "/assign", object{"driver_id": driver})
				move(s.dispatcher, "/release", nil)
			}
		})
	}
	const want = callers * (1 + 2*rounds)
	seen := map[string]int{}
	versions := map[string]float64{} // the last version received of each pickup
	random := rand.New(rand.NewPCG(1, 2))
	last := from.last
	for len(seen) < want {
		st := follow(t, url, s.dispatcher, last)
		for range 1 + random.IntN(20) {
			if len(seen) == want {
				break
			}
			e := st.transition()
			id, pickup, version := e.data["id"].(string), e.data["pickup_id"].(string), e.data["version"].(float64)
			if seen[id]++; seen[id] > 1 {
				t.Errorf("event %s is delivered twice", e.id)
			}
			if version <= versions[pickup] {
				t.Errorf("pickup %s: version %v after %v", pickup, version, versions[pickup])
			}
			versions[pickup] = version
			last = e.id
		}
		st.cancel()
	}
	done.Wait()
	if n := scan[int](s, "SELECT count(*) FROM pickup_events"); n != want {
		t.Errorf("%d events in the table, %d delivered", n, want)
	}
}

// Streams that share reads, some of them lagging and all of them in pages, each receive all events in
// order.
func TestStreamsOfOneTenantAreToldTheSame(t *testing.T) {
	t.Parallel()
	s := start(t, roomy, func(_ *db.Config, o *api.Options) { o.Streams.PerUser = 16 })
	url := s.listen()
	pickup := strings.TrimPrefix(s.pickup(), "/v1/pickups/")
	before := follow(t, url, s.dispatcher, "")
	before.cancel()
	var streams []*stream
	for i := range 8 {
		streams = append(streams, follow(t, url, []*user{s.dispatcher, s.admin}[i%2], ""))
	}
	const rounds, each = 5, 100
	for round := range rounds {
		s.exec(`
			INSERT INTO pickup_events (tenant_id, id, pickup_id, version, transition, actor_id, before, after,
			    request_digest)
			SELECT $1, gen_random_uuid(), $2, version, 'submit', $3, 'DRAFT', 'SUBMITTED', '\x00'
			FROM generate_series($4::int, $5) AS version`, s.tenant.id, pickup,
			s.dispatcher.id, 2+round*each, 1+(round+1)*each)
		streams = append(streams, follow(t, url, s.dispatcher, before.last))
	}
	want := scan[[]string](s, "SELECT array_agg(id::text ORDER BY xid, seq) FROM pickup_events")
	if len(want) != rounds*each {
		t.Fatalf("%d events", len(want))
	}
	for i, st := range streams {
		var got []string
		for range want {
			got = append(got, st.transition().data["id"].(string))
		}
		if !slices.Equal(got, want) {
			t.Errorf("stream %d differs from the table", i)
		}
	}
	s.api.EndStreams() // also ends a lagging stream
	sent := 0
	st := follow(t, url, s.dispatcher, before.last)
	for e, ok := st.next(); ok; e, ok = st.next() {
		if e.isTransition() {
			sent++
		}
	}
	if sent > 200 {
		t.Errorf("a draining server sends %d events", sent)
	}
}

// Streams that share reads receive what their role may see, whoever the user is.
func TestStreamsThatReadTogetherGoByTheRoleAlone(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.pickupIn(s.tenant, db.PickupStatusCOLLECTED, s.facility, s.driverID)
	s.pickupIn(s.tenant, db.PickupStatusCOLLECTED, s.hidden, s.rivalID)
	horizon, err := s.store.StreamHorizon(t.Context())
	s.must(err)
	seen := func(viewer uuid.UUID, role db.UserRole) []db.PickupEvent {
		page, err := s.store.StreamPickupEvents(t.Context(), horizon.History,
			horizon.Recovery, db.StreamPickupEventsParams{
				TenantID: s.tenant.id, ViewerID: viewer, ViewerRole: role, AfterXid: "3",
				Horizon: strconv.Itoa(math.MaxInt64), MaxRows: 100,
			})
		s.must(err)
		return page.Events
	}
	for _, as := range []*user{s.admin, s.dispatcher, s.hub} {
		// One viewer of the facility, and one of no facility.
		one, other := seen(s.staff.id, as.role), seen(newID(), as.role)
		if len(one) == 0 || !reflect.DeepEqual(one, other) {
			t.Errorf("%s: %d and %d events", as.role, len(one), len(other))
		}
	}
}

// Each event wakes the stream: if each were sent only by the next poll, after two seconds, a dozen
// would exceed the stream's time.
func TestStreamIsWokenByEachEvent(t *testing.T) {
	t.Parallel()
	s := start(t)
	st := follow(t, s.listen(), s.dispatcher, "")
	for range 12 {
		s.do(s.staff, "POST", s.pickup()+"/submit", nil).want(200)
		if e := st.transition(); e.name != "submit" {
			t.Errorf("got the event %v", e)
		}
	}
}

const insertCancel = `
	WITH moved AS (
		UPDATE pickups SET status = 'CANCELED', previous_status = status, version = version + 1 WHERE id = $1
		    RETURNING *
	)
	INSERT INTO pickup_events (tenant_id, id, pickup_id, version, transition, actor_id, before, after, request_digest)
	SELECT tenant_id, gen_random_uuid(), id, version, 'cancel', requested_by, previous_status, status, '' FROM moved`

// An event whose transaction ends late is sent in its place, and no later event before it.
func TestStreamWaitsForLateCommitters(t *testing.T) {
	t.Parallel()
	s := start(t, roomy)
	url := s.listen()
	early, late := s.pickup(), s.pickup()
	st := follow(t, url, s.dispatcher, "")
	tx, err := s.base.Owner().Begin(t.Context())
	s.must(err)
	defer tx.Rollback(t.Context())
	_, err = tx.Exec(t.Context(), insertCancel, strings.TrimPrefix(early, "/v1/pickups/"))
	s.must(err)
	s.do(s.staff, "POST", late+"/submit", nil).want(200) // younger than tx, and committed before it
	events := make(chan event, 2)
	go func() {
		for range 2 {
			e, ok := st.next()
			for ok && !e.isTransition() {
				e, ok = st.next()
			}
			events <- e
		}
	}()
	select {
	case e := <-events:
		t.Fatalf("got %v while an older transaction runs", e)
	case <-time.After(100 * time.Millisecond):
	}
	s.must(tx.Commit(t.Context()))
	if first, second := <-events, <-events; first.name != "cancel" || second.name != "submit" {
		t.Errorf("got %v, then %v", first, second)
	}
}

// A transaction that writes no events delays no stream, however long it runs, in this database or
// another of the server; and if it finally writes an event, it is sent.
func TestStreamTellsEventsBesideLongTransactions(t *testing.T) {
	t.Parallel()
	s, other := start(t), start(t)
	begin := func(s *server) pgx.Tx {
		tx, err := s.base.Owner().Begin(t.Context())
		s.must(err)
		t.Cleanup(func() { tx.Rollback(context.WithoutCancel(t.Context())) })
		_, err = tx.Exec(t.Context(), "UPDATE patients SET phone = phone")
		s.must(err)
		_, err = tx.Exec(t.Context(), "SELECT pg_current_xact_id()")
		s.must(err)
		return tx
	}
	feed := begin(s)
	begin(other)
	streams := []*stream{follow(t, s.listen(), s.dispatcher, ""), follow(t, s.listen(), s.staff, "")}
	begin(s)
	next := func(name string) {
		t.Helper()
		for _, st := range streams { // while all of them are open
			if e := st.transition(); e.name != name {
				t.Errorf("got the event %v", e)
			}
		}
	}
	path := s.pickup()
	s.do(s.staff, "POST", path+"/submit", nil).want(200)
	next("submit")
	_, err := feed.Exec(t.Context(), insertCancel, strings.TrimPrefix(s.pickup(), "/v1/pickups/"))
	s.must(err)
	s.must(feed.Commit(t.Context()))
	next("cancel")
	s.do(s.dispatcher, "POST", path+"/cancel", nil).want(200)
	next("cancel")
}

// HEAD is answered like GET, and ends: it takes no stream's place, and leaves the connection usable.
func TestHeadOfTheStreamEnds(t *testing.T) {
	t.Parallel()
	s := start(t, func(_ *db.Config, o *api.Options) { o.Streams.PerUser = 1 })
	url := s.listen()
	open := follow(t, url, s.hub, "")
	conns := map[string]bool{}
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	defer client.CloseIdleConnections()
	send := func(method, path string) *http.Response {
		t.Helper()
		trace := &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) {
			conns[c.Conn.LocalAddr().String()] = true
		}}
		ctx, cancel := context.WithTimeout(httptrace.WithClientTrace(t.Context(), trace), 20*time.Second)
		defer cancel()
		r, _ := http.NewRequestWithContext(ctx, method, url+path, nil)
		r.Header.Set("Authorization", "Bearer "+s.hub.token)
		response, err := client.Do(r)
		s.must(err)
		defer response.Body.Close()
		if body, err := io.ReadAll(response.Body); err != nil || method == "HEAD" && len(body) > 0 {
			t.Errorf("%s %s: %d bytes, %v", method, path, len(body), err)
		}
		return response
	}
	for range 3 {
		head := send("HEAD", "/v1/pickups/stream")
		if head.StatusCode != 200 {
			t.Errorf("HEAD: %d", head.StatusCode)
		}
		for _, name := range []string{"Content-Type", "Cache-Control", "X-Accel-Buffering"} {
			if got, want := head.Header.Get(name), open.body.Header.Get(name); got != want || got == "" {
				t.Errorf("%s: %q, GET has %q", name, got, want)
			}
		}
		if after := send("GET", "/v1/session"); after.StatusCode != 200 {
			t.Errorf("the next request on the connection: %d", after.StatusCode)
		}
	}
	if len(conns) != 1 {
		t.Errorf("%d connections", len(conns))
	}
	r, _ := http.NewRequestWithContext(t.Context(), "HEAD", url+"/v1/pickups/stream", nil)
	r.Header.Set("Authorization", "Bearer "+s.hub.token)
	r.Header.Set("Last-Event-ID", "99999999999-1")
	if refused, err := client.Do(r); err != nil || refused.StatusCode != 410 {
		t.Errorf("HEAD of a path that GET rejects: %v, %v", refused, err)
	}
}

// The headers tell proxies and browsers not to buffer or cache.
func TestStreamIsOneForProxiesAndParsers(t *testing.T) {
	t.Parallel()
	s := start(t)
	st := follow(t, s.listen(), s.staff, "")
	for name, want := range map[string]string{
		"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no",
	} {
		if got := st.body.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	s.do(s.staff, "POST", s.pickup()+"/submit", nil).want(200)
	if e := st.transition(); e.name != "submit" || e.data["to_status"] != "SUBMITTED" {
		t.Errorf("got the event %v", e)
	}
	if n := s.api.OpenStreams(); n != 1 {
		t.Errorf("%d streams are open", n)
	}
}

// A stream that resumes from far back passes over more events of others than one read looks at: it loses
// none of its own on the way.
func TestStreamPassesOverTheEventsOfOthers(t *testing.T) {
	t.Parallel()
	s := start(t)
	url := s.listen()
	from := follow(t, url, s.staff, "")
	from.cancel()
	others := func() {
		id := s.pickupIn(s.tenant, db.PickupStatusSUBMITTED, s.hidden, uuid.Nil)
		s.exec(`INSERT INTO pickup_events (
				tenant_id, id, pickup_id, version, transition, actor_id, before, after, request_digest)
			SELECT tenant_id, gen_random_uuid(), id, n, 'cancel', requested_by, 'SUBMITTED', 'CANCELED', ''
			FROM pickups, generate_series(1001, 1450) AS n WHERE id = $1`, id)
	}
	others()
	mine := s.pickupIn(s.tenant, db.PickupStatusASSIGNED, s.facility, s.driverID)
	others()
	for _, as := range []*user{s.staff, s.tenant.driver} {
		st := follow(t, url, as, from.last)
		want := []string{"submit", "assign"}
		if as == s.tenant.driver {
			want = want[1:]
		}
		for _, name := range want {
			if e := st.transition(); e.name != name || e.data["pickup_id"] != mine.String() {
				t.Errorf("%s: got the event %v, want %s", as.role, e, name)
			}
		}
		st.cancel()
	}
}

func TestStreamShowsEachRoleItsOwn(t *testing.T) {
	t.Parallel()
	s := start(t)
	url := s.listen()
	streams := map[*user]*stream{}
	for _, as := range []*user{s.admin, s.dispatcher, s.staff, s.stranger,
		s.tenant.driver, s.rival, s.hub, s.foreign.dispatcher} {
		streams[as] = follow(t, url, as, "")
	}
	s.pickupIn(s.foreign, db.PickupStatusSUBMITTED, s.foreign.facility, uuid.Nil)
	s.pickupIn(s.tenant, db.PickupStatusSUBMITTED, s.hidden, uuid.Nil)
	id := s.pickupIn(s.tenant, db.PickupStatusASSIGNED, s.facility, s.driverID)
	s.do(s.dispatcher, "POST", "/v1/pickups/"+id.String()+"/release", nil).want(200)
	s.pickupIn(s.tenant, db.PickupStatusCOLLECTED, s.hidden, s.rivalID)
	for as, want := range map[*user]string{
		s.admin:      "submit submit assign release submit assign collect",
		s.dispatcher: "submit submit assign release submit assign collect",
		s.staff:      "submit assign release", s.stranger: "",
		s.tenant.driver: "assign release", s.rival: "assign collect", s.hub: "collect", s.foreign.dispatcher: "submit",
	} {
		names := []string{}
		for range strings.Fields(want) {
			names = append(names, streams[as].transition().name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s gets %s, want %s", as.role, got, want)
		}
	}
	// No more events: all streams end with what they received.
	time.Sleep(30 * time.Millisecond)
	s.api.EndStreams()
	for as, st := range streams {
		for e, ok := st.next(); ok; e, ok = st.next() {
			if e.isTransition() {
				t.Errorf("%s also gets %v", as.role, e)
			}
		}
	}
}

// A draining server goes on with its streams, until no load balancer brings anybody here: only then do they end, and
// their clients connect again at once.
func TestStreamsMoveWhenTheServerHasDrained(t *testing.T) {
	t.Parallel()
	s := start(t, roomy)
	st := follow(t, s.listen(), s.dispatcher, "")
	if st.retry != 1000 {
		t.Errorf("retry: %d", st.retry)
	}
	s.api.Drain()
	s.do(nil, "GET", "/readyz", nil).refused(503, "unavailable")
	s.do(s.dispatcher, "POST", s.pickup()+"/submit", nil).want(200)
	if e := st.transition(); e.name != "submit" {
		t.Errorf("told of %v", e)
	}
	s.api.EndStreams()
	if e, ok := st.next(); ok {
		t.Errorf("told of %v", e)
	}
	if err := st.lines.Err(); err != nil || st.retry < 0 || st.retry > 250 {
		t.Errorf("retry: %d, %v", st.retry, err)
	}
}

func TestStreamEndsWithItsSession(t *testing.T) {
	t.Parallel()
	s := start(t)
	st := follow(t, s.listen(), s.staff, "")
	s.do(s.staff, "DELETE", "/v1/session", nil).want(204)
	for _, ok := st.next(); ok; _, ok = st.next() {
	}
	if err := st.lines.Err(); err != nil { // for example the client's own limit
		t.Errorf("the stream was not ended by the server: %v", err)
	}
}

// A driver who opens all streams that they can takes no place of another user or tenant.
func TestStreamsOfOneUserLeaveThoseOfOthersTheirPlaces(t *testing.T) {
	t.Parallel()
	s := start(t, func(_ *db.Config, o *api.Options) {
		o.StreamPoll, o.Streams = time.Hour, api.Limits{Whole: 7, PerTenant: 5}
	})
	url := s.listen()
	refused := func(as *user, status int, code, says string) {
		t.Helper()
		a := s.do(as, "GET", "/v1/pickups/stream", nil).refused(status, code)
		if !strings.Contains(a.str("detail"), says) || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %s", as.role, a)
		}
	}
	// A tenant has that many streams, whoever opens them.
	var open []*stream
	for range 4 {
		open = append(open, follow(t, url, s.tenant.driver, ""))
	}
	open = append(open, follow(t, url, s.hub, ""))
	refused(s.hub, 429, "concurrency_limit", "5 concurrent event streams per tenant.")
	// Another tenant's streams open as long as the server has places.
	for range 2 {
		follow(t, url, s.foreign.dispatcher, "")
	}
	refused(s.foreign.dispatcher, 503, "overloaded", "")
	refused(s.hub, 429, "concurrency_limit", "")
	open[0].cancel()
	s.until("a place is free again", func() bool {
		r := request(t, s.hub, "GET", "/v1/pickups/stream", nil)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		w := httptest.NewRecorder()
		s.api.ServeHTTP(w, r.WithContext(ctx))
		return w.Code == 200
	})
}

func TestOneDriverHasEightStreams(t *testing.T) {
	t.Parallel()
	s := start(t)
	url := s.listen()
	for range 8 {
		follow(t, url, s.tenant.driver, "")
	}
	a := s.do(s.tenant.driver, "GET", "/v1/pickups/stream", nil).refused(429, "concurrency_limit")
	if !strings.Contains(a.str("detail"), "8 concurrent event streams per user.") {
		t.Error(a)
	}
	for _, as := range []*user{s.rival, s.hub, s.foreign.dispatcher} {
		follow(t, url, as, "")
	}
}

func TestStreamRefusesWhatIsNotItsOwn(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, id := range []string{"x", "1", "1-", "-1", "1-2-3", "01-2", "1-02", "+1-2", "1-2 ", " 1-2",
		"1 - 2", "99999999999999999999-1", "1-99999999999999999999", "1-9223372036854775808",
		"0123456789ab-1", "0123456789ab-1-2-3", "0123456789AB-1-2", "0123456789abc-1-2", "0123456789ab-01-2",
		"1-2;DROP TABLE users", strings.Repeat("9", 5000)} {
		a := s.do(s.staff, "GET", "/v1/pickups/stream", nil, "Last-Event-ID", id).want(422)
		if a.str("field") != "Last-Event-ID" || len(id) > 10 && strings.Contains(string(a.body), id) {
			t.Errorf("%q: got %s", id, a)
		}
	}
}

// A position of another history, or one that this history has not reached, is answered with what to do.
func TestStreamRefusesPositionsOfAnotherHistory(t *testing.T) {
	t.Parallel()
	s := start(t)
	st := follow(t, s.listen(), s.staff, "")
	here, _, _ := strings.Cut(st.last, "-")
	for _, id := range []string{"1-2", "18446744073709551615-1", // of former versions
		"0123456789ab-1-2", here + "-9999999999-1", here + "-18446744073709551615-0"} {
		a := s.do(s.staff, "GET", "/v1/pickups/stream", nil, "Last-Event-ID", id)
		a.refused(410, "stream_restarted", "Last-Event-ID")
	}
	s.do(s.staff, "POST", s.pickup()+"/submit", nil).want(200)
	if e := follow(t, s.listen(), s.staff, st.last).transition(); e.name != "submit" {
		t.Errorf("after the last id of this history: %v", e)
	}
}

// A stream ends with its history even if none of its statements fails.
func TestStreamEndsWithItsHistory(t *testing.T) {
	t.Parallel()
	s := start(t)
	url := s.listen()
	for range 2 {
		st := follow(t, url, s.staff, "")
		s.exec("DELETE FROM event_histories")
		for e, ok := st.next(); ok; e, ok = st.next() {
			t.Errorf("told %v", e)
		}
		s.do(s.staff, "GET", "/v1/pickups/stream", nil, "Last-Event-ID", st.last).refused(410, "stream_restarted")
	}
}

func TestEventsOfAPickupArePaged(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := s.pickup()
	s.do(s.staff, "POST", path+"/submit", nil).want(200)
	for range 4 {
		s.do(s.dispatcher, "POST", path+"/assign", object{"driver_id": s.driverID}).want(200)
		s.do(s.dispatcher, "POST", path+"/release", nil).want(200)
	}
	all := s.do(s.staff, "GET", path+"/events", nil).ids()
	if got := s.pages(s.staff, path+"/events", 2, nil); !slices.Equal(got, all) || len(all) != 9 {
		t.Errorf("paged %v, want %v", got, all)
	}
	// In another history the versions after the cursor say something else.
	first := s.do(s.staff, "GET", path+"/events?limit=2", nil).want(200)
	next := path + "/events?cursor=" + first.str("next_cursor")
	s.do(s.staff, "GET", next, nil).want(200)
	s.exec("DELETE FROM event_histories")
	s.do(s.staff, "GET", next, nil).refused(410, "stream_restarted")
	again := s.do(s.staff, "GET", path+"/events?limit=2", nil).want(200)
	s.do(s.staff, "GET", path+"/events?cursor="+again.str("next_cursor"), nil).want(200)
}

// pages reads a list to its end, and returns the ids; between is called after each page.
func (s *server) pages(as *user, path string, limit int, between func()) []string {
	s.t.Helper()
	var ids []string
	for cursor := ""; ; {
		a := s.do(as, "GET", fmt.Sprintf("%s?limit=%d%s", path, limit, cursor), nil).want(200)
		got := a.ids()
		ids = append(ids, got...)
		next := a.str("next_cursor")
		if next == "" {
			if _, present := a.object()["next_cursor"]; present {
				s.t.Errorf("%s: an empty next_cursor", path)
			}
			return ids
		}
		if len(got) != limit {
			s.t.Errorf("%s: a page of %d rows has a next page", path, len(got))
		}
		cursor = "&cursor=" + next
		if between != nil {
			between()
		}
	}
}

func TestListsHaveNoGapWhileOthersInsert(t *testing.T) {
	t.Parallel()
	s := start(t)
	var want []string
	for range 5 {
		got := s.do(s.staff, "POST", "/v1/pickups/batch", object{"items": s.batch(50)}).want(201)
		want = append(want, got.ids()...)
	}
	// Many rows of one moment: the id decides.
	s.exec("UPDATE pickups SET created_at = date_trunc('second', created_at) - interval '1 minute'")
	got := s.pages(s.staff, "/v1/pickups", 7, func() { s.pickup() })
	slices.Sort(want)
	sorted := slices.Clone(got)
	slices.Sort(sorted)
	if !slices.Equal(sorted, want) {
		t.Errorf("read %d rows, want %d", len(got), len(want))
	}
	// Exactly full parts, and one beyond.
	s.exec("UPDATE pickups SET facility_id = $1", s.hidden)
	for range 4 {
		s.pickup()
	}
	for _, limit := range []int{1, 2, 4, 5, 200} {
		if n := len(s.pages(s.staff, "/v1/pickups", limit, nil)); n != 4 {
			t.Errorf("limit %d: %d rows, want 4", limit, n)
		}
	}
	if n := len(s.do(s.admin, "GET", "/v1/pickups", nil).ids()); n != 50 {
		t.Errorf("%d rows without a limit, want 50", n)
	}
}

func TestEveryListIsPaged(t *testing.T) {
	t.Parallel()
	s := start(t)
	for i := range 5 {
		id := newID()
		u := s.newUser(s.tenant, db.UserRoleStaff)
		s.newPhone(s.tenant, s.staff.id.String())
		s.newDriver(s.tenant)
		s.pickup()
		s.do(s.admin, "POST", "/v1/facilities",
			object{"id": id, "name": "F", "address": "A", "latitude": 1, "longitude": i}).want(201)
		s.do(s.admin, "POST", "/v1/groups", object{"name": "G"}).want(201)
		s.do(s.admin, "POST", "/v1/accounts", object{"name": "A", "currency": "USD"}).want(201)
		s.do(s.admin, "POST", "/v1/accounts/"+s.account.String()+"/charges", object{"id": newID(), "amount_cents": 1}).
			want(201)
		s.do(s.admin, "PUT", "/v1/groups/"+s.group.String()+"/members/"+u.id.String(), nil).want(204)
		s.do(s.admin, "PUT", "/v1/groups/"+s.group.String()+"/facilities/"+id.String(), nil).want(204)
	}
	cursors := map[string]string{}
	lists := []string{"/v1/users", "/v1/users/" + s.staff.id.String() + "/phone-numbers",
		"/v1/facilities", "/v1/groups", "/v1/flags", "/v1/accounts",
		"/v1/groups/" + s.group.String() + "/members", "/v1/groups/" + s.group.String() + "/facilities",
		"/v1/accounts/" + s.account.String() + "/entries", "/v1/drivers", "/v1/pickups"}
	for _, path := range lists {
		whole := s.do(s.admin, "GET", path, nil).want(200)
		n := 0
		for cursor := "?limit=1"; cursor != ""; n++ {
			a := s.do(s.admin, "GET", path+cursor, nil).want(200)
			if got, want := fmt.Sprint(a.items()[0]), fmt.Sprint(whole.items()[n]); got != want {
				t.Errorf("%s, page %d: %s, want %s", path, n, got, want)
			}
			if cursor = ""; a.str("next_cursor") != "" {
				cursor = "?limit=1&cursor=" + a.str("next_cursor")
				cursors[path] = a.str("next_cursor")
			}
		}
		if n != len(whole.items()) || n < 2 {
			t.Errorf("%s: %d pages, %d rows", path, n, len(whole.items()))
		}
	}
	for _, path := range lists {
		for other, cursor := range cursors {
			if other != path {
				s.do(s.admin, "GET", path+"?cursor="+cursor, nil).refused(422, "validation_failed", "cursor")
			}
		}
		own := cursors[path]
		for _, bad := range []string{"x", "AAAA", "%00", own[:4], "A" + own, own + "=",
			strings.ToUpper(own) + "a", strings.Repeat("A", 4000)} {
			s.do(s.admin, "GET", path+"?cursor="+bad, nil).refused(422, "validation_failed", "cursor")
		}
	}
}
