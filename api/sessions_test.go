package api_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"waybill/api"
	"waybill/db"
	"waybill/db/dbtest"
)

func (s *server) login(email, password string) *answer {
	s.t.Helper()
	return s.loginFrom("192.0.2.1", s.slug, email, password)
}

// loginFrom logs in from another address.
func (s *server) loginFrom(source, tenant, email, password string) *answer {
	s.t.Helper()
	r := request(s.t, nil, "POST", "/v1/sessions", object{"tenant": tenant, "email": email, "password": password})
	r.RemoteAddr = source + ":1234"
	return s.serve(r)
}

// waitOver ends the wait of every user at every source.
func (s *server) waitOver() { s.exec("UPDATE login_attempts SET next_at = now()") }

func TestLoginOpensASession(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.login(strings.ToUpper(s.staff.email), password).want(201)
	as := &user{token: a.str("token")}
	session := s.do(as, "GET", "/v1/session", nil).want(200).object()
	if session["tenant_id"] != s.tenant.id.String() || session["user"].(object)["id"] != s.staff.id.String() ||
		session["driver_id"] != nil {
		t.Errorf("session: %v", session)
	}
	if strings.Contains(string(a.body), "$2a$") {
		t.Error("the answer contains a hash")
	}
	driver := &user{token: s.login(s.tenant.driver.email, password).want(201).str("token")}
	if id := s.do(driver, "GET", "/v1/session", nil).want(200).str("driver_id"); id != s.driverID.String() {
		t.Errorf("driver_id %q", id)
	}
	s.do(as, "DELETE", "/v1/session", nil).want(204)
	s.do(as, "GET", "/v1/session", nil).refused(401, "unauthenticated")
	s.do(as, "DELETE", "/v1/session", nil).refused(401, "unauthenticated")
	s.do(s.staff, "GET", "/v1/session", nil).want(200) // another session of theirs
}

func TestFailedLoginsTellNothingApart(t *testing.T) {
	t.Parallel()
	s := start(t)
	off := s.newUser(s.tenant, db.UserRoleStaff)
	s.do(s.admin, "POST", "/v1/users/"+off.id.String()+"/deactivate", nil).want(200)
	var first *answer
	for _, body := range []object{
		{"tenant": s.slug, "email": s.staff.email, "password": "wrong password"},
		{"tenant": s.slug, "email": "nobody@example.com", "password": password},
		{"tenant": s.slug, "email": off.email, "password": password},
		{"tenant": s.foreign.slug, "email": s.staff.email, "password": password},
		{"tenant": "no-such-tenant", "email": s.staff.email, "password": password},
		{"tenant": s.slug, "email": s.staff.email, "password": strings.Repeat("x", 73)},
	} {
		a := s.do(nil, "POST", "/v1/sessions", body).refused(401, "unauthenticated")
		if first == nil {
			first = a
		}
		if string(withoutID(a)) != string(withoutID(first)) || fmt.Sprint(shape(a)) != fmt.Sprint(shape(first)) {
			t.Errorf("%v returns %s, the first %s", body, a, first)
		}
	}
}

func TestFailedLoginsSlowDown(t *testing.T) {
	t.Parallel()
	s := start(t)
	for range 4 {
		s.login(s.staff.email, "wrong").refused(401, "unauthenticated")
	}
	retryAfter := func() int {
		a := s.login(s.staff.email, password).refused(429, "rate_limited") // the right one too
		n, err := strconv.Atoi(a.header.Get("Retry-After"))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, want := range []int{1, 2, 4, 8} {
		if got := retryAfter(); got != want {
			t.Errorf("Retry-After %d, want %d", got, want)
		}
		s.waitOver()
		s.login(s.staff.email, "wrong").refused(401, "unauthenticated")
	}
	s.login(s.hub.email, password).want(201) // no other user waits
	s.waitOver()
	s.login(s.staff.email, password).want(201)
	for range 4 { // a success sets it back
		s.login(s.staff.email, "wrong").refused(401, "unauthenticated")
	}
}

func TestParallelGuessesAreCounted(t *testing.T) {
	t.Parallel()
	s := start(t, roomy)
	guess := func(int) *answer { return s.login(s.staff.email, "wrong") }
	// Four are free, then one after each wait: how many of the waits, the clock decides.
	got := tally(atOnce(24, guess))
	if counted := scan[int](s, "SELECT sum(failures) FROM login_attempts"); got["401"] != counted || counted < 4 ||
		got["429"] != 24-counted {
		t.Errorf("got %v, and %d are counted", got, counted)
	}
	s.exec("UPDATE login_attempts SET failures = 9, next_at = now()")
	s.exec("DELETE FROM login_buckets")
	if got := tally(atOnce(24, guess)); got["401"] != 1 || got["429"] != 23 { // the next is in a minute
		t.Errorf("got %v, want one try and 23 refusals", got)
	}
}

func TestGoodLoginsAtOnceAllSucceed(t *testing.T) {
	t.Parallel()
	s := start(t, roomy)
	for round := range 3 {
		answers := atOnce(32, func(int) *answer { return s.login(s.staff.email, password) })
		if got := tally(answers); got["201"] != 32 {
			t.Errorf("round %d: %v", round, got)
		}
	}
}

// Many tries for one user, of which the first hangs in the database, leave the slots
// to the others.
func TestTriesForOneUserDoNotKeepOthersOut(t *testing.T) {
	t.Parallel()
	s := start(t, roomy)
	release := s.locked() // the row of staff
	var tries sync.WaitGroup
	for range max(16, runtime.GOMAXPROCS(0)) { // no fewer than there are slots
		tries.Go(func() { s.login(s.staff.email, password) })
	}
	s.until("a try hangs", func() bool { return s.waiting() > 0 })
	// One of three other users may share the staff user's queue, one of 64.
	others := make(chan int, 3)
	for _, u := range []*user{s.hub, s.tenant.driver, s.rival} {
		tries.Go(func() { others <- s.login(u.email, password).status })
	}
	if status := <-others; status != 201 {
		t.Errorf("another user's login returns %d", status)
	}
	if s.waiting() == 0 {
		t.Error("no login was waiting: nothing was tested")
	}
	release()
	tries.Wait()
}

func TestPasswordChangedMeanwhileIsAConflict(t *testing.T) {
	t.Parallel()
	s := start(t)
	release := s.lockedTable("login_attempts") // the check of the admin's password hangs
	done := make(chan *answer, 1)
	go func() {
		done <- s.do(s.admin, "PUT", "/v1/users/"+s.hub.id.String()+"/password",
			object{"current_password": password, "new_password": "another horse"})
	}()
	s.until("the check hangs", func() bool { return s.waiting() == 1 })
	s.exec("UPDATE users SET password_hash = '$2a$04$another', password_epoch = password_epoch + 1 WHERE id = $1",
		s.hub.id)
	release()
	(<-done).refused(409, "password_changed", "")
}

// lockedTable blocks all writes of a table.
func (s *server) lockedTable(name string) (release func()) {
	tx, err := s.base.Owner().Begin(context.Background())
	s.must(err)
	_, err = tx.Exec(context.Background(), "LOCK TABLE "+name+" IN SHARE MODE")
	s.must(err)
	release = func() { tx.Rollback(context.Background()) }
	s.t.Cleanup(release)
	return release
}

func TestSessionsExpire(t *testing.T) {
	t.Parallel()
	s := start(t, func(_ *db.Config, o *api.Options) {
		o.Lifetimes = db.Lifetimes{Absolute: time.Hour, Idle: 10 * time.Minute}
	})
	as := &user{token: s.login(s.staff.email, password).want(201).str("token")}
	alive := func() *answer { return s.do(as, "GET", "/v1/session", nil) }
	ends, err := time.Parse(time.RFC3339Nano, alive().want(200).str("expires_at"))
	if err != nil || time.Until(ends) > time.Hour || time.Until(ends) < 59*time.Minute {
		t.Errorf("expires_at %v, %v", ends, err)
	}
	age := func(interval string) {
		s.exec("UPDATE sessions SET last_seen_at = now() - $1::text::interval", interval)
	}
	age("9 minutes")
	alive().want(200) // and moves last_seen_at
	if idle := scan[float64](s, "SELECT extract(epoch FROM now() - min(last_seen_at))::float8 FROM sessions WHERE "+
		"user_id = $1 AND token_hash IN (SELECT token_hash FROM sessions ORDER BY last_seen_at DESC LIMIT 1)",
		s.staff.id); idle > 60 {
		t.Errorf("last seen %v s ago", idle)
	}
	age("50 seconds")
	before := scan[time.Time](s, "SELECT max(last_seen_at) FROM sessions")
	alive().want(200)
	if after := scan[time.Time](s, "SELECT max(last_seen_at) FROM sessions"); !after.Equal(before) {
		t.Error("a read within the minute wrote")
	}
	age("11 minutes")
	alive().refused(401, "unauthenticated")
	age("0")
	alive().want(200)
	s.exec("UPDATE sessions SET expires_at = now()")
	alive().refused(401, "unauthenticated")
}

func TestDeactivationEndsSessionsAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := "/v1/users/" + s.staff.id.String() + "/deactivate"
	if s.do(s.admin, "POST", path, nil).want(200).str("active") != "false" {
		t.Error("the session is still active")
	}
	s.do(s.staff, "GET", "/v1/session", nil).refused(401, "unauthenticated")
	s.login(s.staff.email, password).refused(401, "unauthenticated")
	again := s.do(s.admin, "POST", path, nil).want(200)
	if again.str("version") != "2" {
		t.Errorf("a second revocation: %s", again)
	}
}

func TestChangedPasswordEndsSessionsAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t)
	second := &user{token: s.login(s.staff.email, password).want(201).str("token")}
	path := "/v1/users/" + s.staff.id.String() + "/password"
	change := func(as *user, current, next string) *answer {
		return s.do(as, "PUT", path, object{"current_password": current, "new_password": next})
	}
	change(s.staff, "wrong password", "another horse").refused(422, "validation_failed", "current_password")
	change(s.staff, password, "short").refused(422, "validation_failed", "new_password")
	change(s.staff, password, strings.Repeat("ä", 37)).refused(422, "validation_failed", "new_password")
	change(s.hub, password, "another horse").refused(404, "not_found")
	change(s.staff, password, "another horse").want(200)
	for _, as := range []*user{s.staff, second} {
		s.do(as, "GET", "/v1/session", nil).refused(401, "unauthenticated")
	}
	s.login(s.staff.email, password).refused(401, "unauthenticated")
	third := &user{token: s.login(s.staff.email, "another horse").want(201).str("token")}
	change(s.admin, "another horse", "a third horse").refused(422, "validation_failed", "current_password")
	change(s.admin, password, "a third horse").want(200)
	s.do(third, "GET", "/v1/session", nil).refused(401, "unauthenticated")
	s.do(s.admin, "GET", "/v1/session", nil).want(200)
}

func TestLeavingAGroupTakesEffectOnTheNextRequest(t *testing.T) {
	t.Parallel()
	s := start(t)
	pickup := s.pickup()
	facility := "/v1/facilities/" + s.facility.String()
	member := "/v1/groups/" + s.group.String() + "/members/" + s.staff.id.String()
	s.do(s.admin, "DELETE", member, nil).want(204)
	s.do(s.staff, "GET", facility, nil).refused(404, "not_found")
	s.do(s.staff, "GET", pickup, nil).refused(404, "not_found")
	s.do(s.staff, "POST", pickup+"/submit", nil).refused(404, "not_found")
	s.do(s.staff, "POST", "/v1/pickups", s.newPickup()).refused(422, "facility_not_found", "facility_id")
	s.do(s.admin, "DELETE", member, nil).refused(404, "not_found")
	s.do(s.admin, "PUT", member, nil).want(204)
	s.do(s.admin, "PUT", member, nil).want(204)
	s.do(s.staff, "GET", pickup, nil).want(200)
}

// A login storm does not starve other requests. The figures are only printed, since they depend on the
// machine.
func TestLoginStormLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "a latency, and logins at once are in the tests above")
	s := start(t, roomy, func(_ *db.Config, o *api.Options) { o.PasswordCost = 8 })
	s.exec("UPDATE users SET password_hash = $1",
		"$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy") // of another password
	stop := make(chan struct{})
	var storm sync.WaitGroup
	for range 48 {
		storm.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					s.login("nobody@example.com", "wrong") // 401, or 503 with a full queue
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	var took []time.Duration
	for range 60 {
		begin := time.Now()
		s.do(s.staff, "GET", "/v1/session", nil).want(200)
		took = append(took, time.Since(begin))
	}
	close(stop)
	storm.Wait()
	slices.Sort(took)
	t.Logf("get-session beside 48 callers who log in: p50 %v, p99 %v", took[len(took)/2], took[len(took)*99/100])
}

func TestTokensAreNotStored(t *testing.T) {
	t.Parallel()
	s := start(t)
	token := s.login(s.staff.email, password).want(201).str("token")
	if n := scan[int](s, "SELECT count(*) FROM sessions AS s WHERE s::text LIKE '%' || $1 || '%'", token); n != 0 {
		t.Error("the table contains the token")
	}
	w := httptest.NewRecorder()
	s.api.ServeHTTP(w, request(t, &user{token: token}, "GET", "/v1/session", nil))
	if strings.Contains(w.Body.String(), token) {
		t.Error("get-session returns the token")
	}
}
