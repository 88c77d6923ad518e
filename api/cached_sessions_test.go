package api_test

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"waybill/api"
	"waybill/db"
	"waybill/db/dbtest"
	"waybill/db/pgproxy"
)

// startBehind is start with a proxy between the server and its database, and one connection,
// so that it soon knows all statements. What the test does with the store goes beside it,
// like that of another process.
func startBehind(t testing.TB) (*server, *pgproxy.Proxy) {
	t.Helper()
	var proxy *pgproxy.Proxy
	s := start(t, func(c *db.Config, _ *api.Options) {
		var err error
		if proxy, err = pgproxy.Start(c.URL); err != nil {
			t.Fatal(err)
		}
		c.URL, c.MaxConns = proxy.URL(), 1
	})
	t.Cleanup(func() { proxy.Close() })
	beside, err := db.Open(t.Context(), db.Config{URL: s.base.SettledURL(), MaxConns: 2, AcquireTimeout: time.Minute})
	s.must(err)
	t.Cleanup(beside.Close)
	s.store = beside
	return s, proxy
}

// manyRoundTrips are the operations that need more than one, with how many.
var manyRoundTrips = map[string]int64{
	"change-password":       5,  // verifies the current one, whose tries are counted
	"reactivate-user":       2,  // of an active user
	"get-account-statement": 3,  // the account, the balance before, and a page of entries
	"write-batch":           5,  // looks the session up, and begins and ends a transaction
	"sync-appointments":     16, // looks the session up, stages what it reads, applies it in a transaction, reports it

	// A list of what belongs to a row: whether the viewer sees that comes first.
	"list-account-entries": 2, "get-account-entry": 2, "list-account-facilities": 2, "list-group-facilities": 2,
	"list-group-members": 2, "list-pickup-messages": 2,
	"list-patient-consents": 2, "list-patient-reads": 2, "list-phone-numbers": 2, "list-pickup-events": 2,
	"list-feeds": 2, "list-webhook-deliveries": 2,
	"redeliver-webhook": 2, // of a delivery that was accepted: why it is not pending
}

// An operation's request whose session is cached has one round trip to the database: a
// Sync on the wire.
func TestARequestIsOneRoundTrip(t *testing.T) {
	t.Parallel()
	s, proxy := startBehind(t)
	s.newUser(s.tenant, db.UserRoleAdmin)
	for _, op := range theDocument().operations {
		if table[op.id].who == "public" || op.id == "stream-pickups" {
			continue
		}
		as := s.whoMay(op.id)
		var trips int64
		for range 3 { // the first ones prepare the statements
			s.exec("UPDATE drivers SET on_duty = true, latitude = 1, longitude = 1, located_at = now() WHERE id = $1",
				s.newDriver(s.tenant)) // a free driver
			c := s.writeCall(op, as)
			s.startSession(as)
			s.do(as, "GET", "/v1/session", nil).want(200)
			before := proxy.RoundTrips()
			a := s.do(as, op.method, c.path, c.body, c.headers...)
			trips = proxy.RoundTrips() - before
			if a.status >= 300 {
				t.Errorf("%s: got %s", op.id, a)
			}
		}
		want := max(1, manyRoundTrips[op.id])
		if trips != want {
			t.Errorf("%s: %d round trips, want %d", op.id, trips, want)
		}
	}
}

// reading are the operations that change nothing, and end by themselves.
func reading() (ops []*described) {
	for _, op := range theDocument().operations {
		if op.method == http.MethodGet && table[op.id].who != "public" && op.id != "stream-pickups" {
			ops = append(ops, op)
		}
	}
	return ops
}

// What a session that is cached may read is decided by the database, on the very next
// request, and on one that is already on its way there: an ended session is 401, and
// another role or driver sees what it would see with a session that was looked up.
func TestACachedSessionReadsByItsAuthorityOfNow(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "what happens in between is SQL")
	for _, e := range ends {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			s, proxy := startBehind(t)
			s.newUser(s.tenant, db.UserRoleAdmin) // the other one may be deactivated
			for _, op := range reading() {
				for _, role := range roles {
					if s.rightsOf(op.id).may(role) == '-' {
						continue
					}
					for _, underWay := range []bool{false, true} {
						s.readsByNow(proxy, op, s.as(role), e, underWay)
					}
				}
			}
		})
	}
}

func (s *server) readsByNow(proxy *pgproxy.Proxy, op *described, as *user, e end, underWay bool) {
	s.t.Helper()
	what := fmt.Sprintf("%s by %s, under way %t", op.id, as.role, underWay)
	c := s.call(op, as.role, "own", s.tenant)
	s.startSession(as)
	read := func() *answer { return s.do(as, op.method, c.path, c.body, c.headers...) }
	if a := read(); a.status != 200 {
		s.t.Errorf("%s: got %s", what, a)
	}
	happened := false
	happen := func() {
		if !happened {
			happened = true
			e.happen(s, as)
		}
	}
	if underWay {
		proxy.Before(happen)
	} else {
		happen()
	}
	a := read()
	proxy.Before(nil)
	if !happened {
		s.t.Errorf("%s: the session did not change", what)
	}
	if e.status == 401 {
		if a.status != 401 || a.code() != e.code {
			s.t.Errorf("%s: got %s, want %d %s", what, a, e.status, e.code)
		}
		s.restore(as)
		return
	}
	s.startSession(as)
	if want := read(); a.status != want.status || withoutSession(a) != withoutSession(want) {
		s.t.Errorf("%s: got %s, want %s", what, a, want)
	}
	s.restore(as)
}

// withoutSession is the answer without what differs by the session.
func withoutSession(a *answer) string {
	o := a.object()
	delete(o, "request_id")
	delete(o, "expires_at")
	return fmt.Sprint(o)
}

// Who is refused before the handler is asked, or is answered without a look at the
// database, is refused by the session as it is now: nothing is told to one that is over.
func TestARevokedCachedSessionReadsNothing(t *testing.T) {
	t.Parallel()
	s := start(t)
	for name, c := range map[string]struct {
		method, path string
		body         any
		headers      []string
		status       int
	}{
		"an unknown parameter": {"GET", "/v1/pickups?nothing=1", nil, nil, 422},
		"a bad parameter":      {"GET", "/v1/pickups?limit=0", nil, nil, 422},
		"a bad id":             {"GET", "/v1/pickups/1", nil, nil, 422},
		"a bad header":         {"GET", "/v1/pickups", nil, []string{"If-Match", `"1"`}, 422},
		"no media type":        {"POST", "/v1/pickups", `{}`, []string{"Content-Type", "text/plain"}, 415},
		"no JSON":              {"POST", "/v1/pickups", `{`, nil, 400},
		"an unknown field":     {"POST", "/v1/pickups", `{"nothing":1}`, nil, 422},
		"a role that may not":  {"GET", "/v1/groups", nil, nil, 403},
		"a handler's own no": {"PATCH", "/v1/users/" + s.staff.id.String(),
			object{"role": "admin"}, []string{"If-Match", `"1"`}, 403},
		"a missing row": {"GET", "/v1/pickups/" + newID().String(), nil, nil, 404},
		"a constraint's no": {"POST", "/v1/users/" + s.staff.id.String() + "/phone-numbers",
			object{"number": "+14155550100"}, nil, 409},
		"a precondition":         {"PATCH", "/v1/users/" + s.staff.id.String(), object{"name": "x"}, nil, 428},
		"a body that is too big": {"POST", "/v1/pickups", bytes.Repeat([]byte(" "), 2<<20), nil, 413},
	} {
		s.startSession(s.staff)
		s.do(s.staff, "GET", "/v1/session", nil).want(200)
		send := func() *answer { return s.do(s.staff, c.method, c.path, c.body, c.headers...) }
		if a := send(); a.status != c.status {
			t.Errorf("%s: got %s, want %d", name, a, c.status)
		}
		s.exec("UPDATE sessions SET revoked_at = now() WHERE user_id = $1", s.staff.id)
		if a := send(); a.status != 401 || a.code() != "unauthenticated" {
			t.Errorf("%s with a revoked session: got %s", name, a)
		}
	}
}

// A role that is given takes effect on the very next request, also where what is cached may
// not call the operation.
func TestACachedRoleRefusesNobody(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.do(s.staff, "GET", "/v1/groups", nil).refused(403, "forbidden")
	s.exec("UPDATE users SET role = 'admin' WHERE id = $1", s.staff.id)
	s.do(s.staff, "GET", "/v1/groups", nil).want(200)
}

// A write whose answer is lost may have been done. It is not done again for a user whose role
// is another by then, although their request would begin anew had it been refused.
func TestACachedSessionsWriteIsDoneOnceThoughItsAnswerIsLost(t *testing.T) {
	t.Parallel()
	s, proxy := startBehind(t)
	always := func(path string) func() string { return func() string { return path } }
	submit := func() string {
		return "/v1/pickups/" + s.pickupIn(s.tenant, db.PickupStatusDRAFT, s.facility, uuid.Nil).String() + "/submit"
	}
	for _, c := range []struct {
		table  string
		path   func() string
		body   any
		by     *user
		role   db.UserRole
		status int
	}{
		{"drivers", always("/v1/drivers"), object{"name": "A name"}, s.admin, db.UserRoleDispatcher, 503},
		{"pickups", always("/v1/pickups"), s.newPickup(), s.dispatcher, db.UserRoleStaff, 503},
		{"pickup_events", submit, nil, s.staff, db.UserRoleDispatcher, 200},
	} {
		s.do(c.by, "GET", "/v1/session", nil).want(200)
		s.do(c.by, "POST", c.path(), c.body) // prepares the statements
		rows := func() int { return scan[int](s, "SELECT count(*) FROM "+c.table) }
		path := c.path()
		before := rows()
		proxy.Cut(func() bool { return rows() == before+1 }, func() {
			s.exec("UPDATE users SET role = $2 WHERE id = $1", c.by.id, c.role)
		})
		if a := s.do(c.by, "POST", path, c.body); a.status != c.status {
			t.Errorf("%s: got %s, want %d", path, a, c.status)
		}
		if n := rows() - before; n != 1 {
			t.Errorf("%s: created %d rows of %s", path, n, c.table)
		}
		s.restore(c.by)
	}
}
