package api_test

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"waybill/api"
	"waybill/db"
)

func TestPanicIsOneAnswerAndTheServerGoesOn(t *testing.T) {
	t.Parallel()
	a, err := api.New(t.Context(), nil, api.Options{}) // without a store, whatever needs one panics
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, api: a}
	as := &user{token: string(db.NewToken(newID()))}
	for range 3 {
		s.do(as, "GET", "/v1/session", nil).refused(500, "internal", "")
		s.do(as, "POST", "/v1/pickups", object{}).refused(500, "internal", "")
		s.do(nil, "GET", "/livez", nil).want(200)
	}
}

// locked locks the row of staff until the test ends, or the returned function is called.
func (s *server) locked() (release func()) { return s.lockedRow(s.staff) }

func (s *server) lockedRow(u *user) (release func()) {
	tx, err := s.base.Owner().Begin(context.Background())
	s.must(err)
	_, err = tx.Exec(context.Background(), "SELECT FROM users WHERE id = $1 FOR UPDATE", u.id)
	s.must(err)
	release = func() { tx.Rollback(context.Background()) }
	s.t.Cleanup(release)
	return release
}

func (s *server) rename() *answer {
	return s.do(s.admin, "PATCH", "/v1/users/"+s.staff.id.String(), object{"name": "New"}, "If-Match", `"1"`)
}

func (s *server) waiting() int {
	return scan[int](
		s, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
}

func (s *server) until(what string, is func() bool) {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if is() {
			return
		}
	}
	s.t.Errorf("not true within a minute: %s", what)
}

func TestClientThatGoesAwayCancelsItsQuery(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.locked()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r := request(t, s.admin, "PATCH", "/v1/users/"+s.staff.id.String(), object{"name": "New"}, "If-Match", `"1"`)
		s.api.ServeHTTP(httptest.NewRecorder(), r.WithContext(ctx))
	}()
	s.until("the query waits", func() bool { return s.waiting() == 1 })
	cancel()
	s.until("the query is gone", func() bool { return s.waiting() == 0 })
	<-done
	if n := s.store.Stat().AcquiredConns(); n != 0 {
		t.Errorf("%d connections are in use", n)
	}
}

func TestFullPoolIsAnAnswerNotAQueue(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *db.Config, _ *api.Options) { c.MaxConns, c.AcquireTimeout = 1, 0 })
	release := s.locked()
	first := make(chan *answer, 1)
	go func() { first <- s.rename() }()
	s.until("the only connection is taken", func() bool { return s.waiting() == 1 })
	begin := time.Now()
	s.do(s.hub, "GET", "/v1/session", nil).refused(503, "overloaded", "")
	t.Logf("a full pool answered after %v, of 250 ms that it may take on a quiet machine", time.Since(begin))
	if s.waiting() != 1 {
		t.Error("a connection was free: nothing was tested")
	}
	s.do(nil, "GET", "/livez", nil).want(200)
	release()
	(<-first).want(200)
	s.do(s.hub, "GET", "/v1/session", nil).want(200)
}

func TestWaitsHaveLimits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		set    func(*db.Config, *api.Options)
		status int
		code   string
	}{
		"lock": {func(c *db.Config, _ *api.Options) { c.LockTimeout = 100 * time.Millisecond }, 503, "overloaded"},
		"statement": {func(c *db.Config, _ *api.Options) { c.StatementTimeout = 200 * time.Millisecond },
			504, "timeout"},
		"handler": {func(_ *db.Config, o *api.Options) { o.HandlerTimeout = 200 * time.Millisecond }, 504, "timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, c.set)
			release := s.locked()
			s.rename().refused(c.status, c.code)
			release()
			s.until("it is served", func() bool { return s.rename().status == 200 })
		})
	}
}

func TestLostDatabaseIsUnavailable(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.do(s.admin, "GET", "/v1/session", nil).want(200)
	s.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> " +
		"pg_backend_pid()")
	for range 20 { // each idle connection may be found broken once
		if a := s.do(s.admin, "GET", "/v1/session", nil); a.status != 200 {
			a.refused(503, "unavailable", "")
		}
	}
	s.do(s.admin, "GET", "/v1/session", nil).want(200)
}
