package api_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// readOnly sets whether new sessions of the test's database are read-only, from a session
// that never is.
func (s *server) readOnly() (set func(on bool)) {
	s.t.Helper()
	conn, err := s.base.Owner().Acquire(s.t.Context())
	s.must(err)
	s.t.Cleanup(conn.Release)
	name := scan[string](s, "SELECT current_database()")
	return func(on bool) {
		s.t.Helper()
		_, err := conn.Exec(s.t.Context(),
			fmt.Sprintf(`ALTER DATABASE %q SET default_transaction_read_only = %t`, name, on))
		s.must(err)
	}
}

// writes sends requests that write: one with a statement of its own, and others that share statements.
func (s *server) writes(n int) (answers []*answer) {
	s.t.Helper()
	answers = make([]*answer, n)
	var done sync.WaitGroup
	for i := range answers {
		done.Go(func() {
			if i%3 == 0 {
				answers[i] = s.do(s.admin, "POST", "/v1/accounts", object{"name": "Account", "currency": "USD"})
			} else {
				answers[i] = s.do(s.staff, "POST", "/v1/pickups", s.newPickup())
			}
		})
	}
	done.Wait()
	return answers
}

// While sessions are read-only, writes are unavailable and readyz fails. Afterwards everything
// continues, although the pool's sessions started read-only.
func TestReadOnlyDatabaseIsUnavailableUntilItTakesWritesAgain(t *testing.T) {
	t.Parallel()
	s := start(t)
	set := s.readOnly()
	for range 2 { // an operator may do so again
		set(true)
		s.store.Pool().Reset()
		for _, a := range s.writes(24) {
			a.refused(503, "unavailable", "")
			if a.header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		}
		ready := s.do(nil, "GET", "/readyz", nil).refused(503, "unavailable")
		if detail := ready.str("detail"); !strings.Contains(detail, "default_transaction_read_only") {
			t.Errorf("readyz says: %s", detail)
		}
		s.do(nil, "GET", "/livez", nil).want(200)
		set(false)
		s.do(nil, "GET", "/readyz", nil).want(200)
		for _, a := range s.writes(24) {
			a.want(201)
		}
	}
}

// A write that meets a read-only session removes it from the pool: no other request meets it again,
// whether or not readyz is called.
func TestReadOnlySessionRefusesOneWriteAtMost(t *testing.T) {
	t.Parallel()
	s := start(t)
	set := s.readOnly()
	set(true)
	s.store.Pool().Reset()
	s.writes(24)
	for range 24 { // sessions that have only read are still there
		s.do(s.admin, "GET", "/v1/session", nil)
	}
	set(false)
	sessions, refused := int(s.store.Stat().TotalConns()), 0
	for range sessions + 10 {
		if a := s.writes(1)[0]; a.status != 201 {
			a.refused(503, "unavailable", "")
			refused++
		}
	}
	if refused > sessions {
		t.Errorf("%d writes on %d sessions were refused", refused, sessions)
	}
	for _, a := range s.writes(24) {
		a.want(201)
	}
}
