package api_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"waybill/api"
	"waybill/db"
)

// dripping is a body with a Content-Length whose rest is sent on demand.
type dripping struct {
	io.Reader
	begun *sync.Once
	read  chan struct{} // closed at the first read
	rest  chan struct{}
}

func (d dripping) Read(p []byte) (int, error) {
	d.begun.Do(func() { close(d.read) })
	<-d.rest
	return d.Reader.Read(p)
}

// drippingBatch is a request for a batch of pickups, some MB long, that is sent when rest is closed.
func (s *server) drippingBatch(as *user, rest chan struct{}, length int) (r *http.Request, read chan struct{}) {
	body := []byte(`{"items":[` + strings.Repeat(" ", length-len(`{"items":[]}`)) + `]}`)
	read = make(chan struct{})
	r = httptest.NewRequestWithContext(s.t.Context(), "POST", "/v1/pickups/batch",
		dripping{bytes.NewReader(body), new(sync.Once), read, rest})
	r.ContentLength = int64(len(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+as.token)
	return r, read
}

// Bodies are read concurrently as far as memory permits: a user has a quarter of it, a tenant half, and
// one user's bodies block neither another tenant nor small bodies.
func TestBodiesAreAdmittedByTheirLength(t *testing.T) {
	t.Parallel()
	s := start(t, func(_ *db.Config, o *api.Options) { o.BodyMemory = api.MinBodyMemory })
	const length = 3 << 20
	rest := make(chan struct{})
	var all sync.WaitGroup
	send := func(as *user) (read chan struct{}, answered chan *answer) {
		r, read := s.drippingBatch(as, rest, length)
		answered = make(chan *answer, 1)
		all.Go(func() {
			w := httptest.NewRecorder()
			s.api.ServeHTTP(w, r)
			answered <- &answer{t, "POST /v1/pickups/batch", w.Code, w.Header(), w.Body.Bytes()}
		})
		return read, answered
	}
	admitted := func(as *user) {
		t.Helper()
		read, answered := send(as)
		select {
		case <-read:
		case a := <-answered:
			t.Fatalf("not admitted: %s", a)
		}
	}
	admitted(s.dispatcher)
	_, refused := send(s.dispatcher)
	(<-refused).refused(429, "concurrency_limit") // nothing of it was read
	admitted(s.staff)
	_, refused = send(s.stranger)
	(<-refused).refused(429, "concurrency_limit") // the tenant's half
	admitted(s.foreign.dispatcher)
	admitted(s.foreign.staff)
	_, refused = send(s.foreign.dispatcher)
	(<-refused).refused(429, "concurrency_limit")
	s.do(s.dispatcher, "POST", "/v1/pickups", s.newPickup()).want(201)
	close(rest)
	all.Wait()
	rest = make(chan struct{})
	admitted(s.dispatcher) // all is given back
	close(rest)
	all.Wait()
}

// Unauthenticated clients cannot take that memory: their bodies are small.
func TestALoginIsSmall(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.do(nil, "POST", "/v1/sessions", object{"tenant": s.slug, "email": s.staff.email,
		"password": strings.Repeat("x", 17<<10)}).refused(413, "body_too_large")
}

// One user's feeds leave places for the other users of the tenant, and for other tenants.
func TestFeedsOfOneUserLeavePlacesForOthers(t *testing.T) {
	t.Parallel()
	s := start(t, roomy)
	s.shows(s.tenant, s.facility, s.staff, s.admin, s.dispatcher)
	s.shows(s.foreign, s.foreign.facility, s.foreign.staff)
	feed := func(as *user, facility any, body io.Reader) *http.Request {
		r := httptest.NewRequestWithContext(t.Context(), "POST",
			fmt.Sprintf("/v1/facilities/%s/appointments/sync?allow_empty=true&as_of=%s", facility,
				time.Now().UTC().Format(time.RFC3339Nano)), body)
		r.Header.Set("Content-Type", "application/x-ndjson")
		r.Header.Set("Authorization", "Bearer "+as.token)
		return r
	}
	rest := make(chan struct{})
	var all sync.WaitGroup
	drip := func(as *user) {
		d := dripping{strings.NewReader(""), new(sync.Once), make(chan struct{}), rest}
		all.Go(func() { s.api.ServeHTTP(httptest.NewRecorder(), feed(as, s.facility, d)) })
		<-d.read
	}
	drip(s.staff)
	drip(s.staff)
	s.serve(feed(s.staff, s.facility, strings.NewReader(""))).refused(429, "concurrency_limit")
	drip(s.admin)
	drip(s.dispatcher)
	s.serve(feed(s.admin, s.facility, strings.NewReader(""))).refused(429, "concurrency_limit") // the tenant has four
	s.serve(feed(s.foreign.staff, s.foreign.facility, strings.NewReader(""))).want(200)
	close(rest)
	all.Wait()
	s.serve(feed(s.staff, s.facility, strings.NewReader(""))).want(200)
}

// One user's requests, as many as there may be, leave connections for the others.
func TestOneUserLeavesConnectionsForOthers(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *db.Config, _ *api.Options) { c.MaxConns, c.AcquireTimeout = 8, 2*time.Second })
	release := s.locked() // the row of staff
	var attack sync.WaitGroup
	answers := make(chan *answer, 64)
	for range 64 {
		attack.Go(func() {
			answers <- s.do(s.admin, "PATCH", "/v1/users/"+s.staff.id.String(),
				object{"name": "New"}, "If-Match", `"1"`)
		})
	}
	s.until("the user's connections hang", func() bool { return s.waiting() >= 4 })
	for _, as := range []*user{s.foreign.admin, s.foreign.dispatcher, s.dispatcher} {
		s.do(as, "GET", "/v1/users", nil).want(200)
		s.do(as, "GET", "/v1/groups", nil)
		s.do(as, "GET", "/v1/accounts", nil).want(200)
	}
	for range 60 {
		a := <-answers
		a.refused(429, "concurrency_limit")
		if a.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	if n := s.waiting(); n != 4 {
		t.Errorf("%d requests of the user wait in the database, want half of the connections", n)
	}
	release()
	attack.Wait()
	s.do(s.admin, "GET", "/v1/users", nil).want(200)
}
