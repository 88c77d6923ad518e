package api_test

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"waybill/api"
	"waybill/db"
)

// Many failed logins from one address block no user of the tenant at another address, and no other
// tenant.
func TestOneSourceKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	s := start(t, roomy)
	stop := make(chan struct{})
	var attack sync.WaitGroup
	for i := range 80 * max(1, runtime.GOMAXPROCS(0)-1) { // more than the queue has places
		attack.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default: // 401, then 429; 503 with a full queue
					s.loginFrom("203.0.113.9", s.slug, fmt.Sprintf("user%d-%d@example.com", i, n%3), "wrong password")
					time.Sleep(5 * time.Millisecond)
				}
			}
		})
	}
	for i := range 10 {
		s.loginFrom(fmt.Sprint("198.51.100.", i%5), s.slug, s.staff.email, password).want(201)
		s.loginFrom(fmt.Sprint("198.51.100.", i%5), s.foreign.slug, s.foreign.staff.email, password).want(201)
	}
	close(stop)
	attack.Wait()
}

// The right password from elsewhere is good, whatever is guessed.
func TestGuessesKeepTheUserOutWhereTheyAreMadeAlone(t *testing.T) {
	t.Parallel()
	s := start(t)
	for range 4 {
		s.loginFrom("203.0.113.9", s.slug, s.staff.email, "wrong").refused(401, "unauthenticated")
	}
	s.keepWaiting()
	s.loginFrom("203.0.113.9", s.slug, s.staff.email, password).refused(429, "rate_limited")
	s.loginFrom("198.51.100.1", s.slug, s.staff.email, password).want(201)
	s.loginFrom("203.0.113.9", s.slug, s.staff.email, password).
		refused(429, "rate_limited") // the success was elsewhere
}

// keepWaiting has whoever must wait before the next try wait for an hour more: on a slow machine, the second after
// four failures is over before the next try is made.
func (s *server) keepWaiting() {
	s.t.Helper()
	s.exec("UPDATE login_attempts SET next_at = next_at + interval '1 hour' WHERE next_at > 'epoch'")
}

// A login refused without checking its password is answered with a delay: guessers that retry at once
// would take the processor from the hashes of others.
func TestLoginsThatAreRefusedUnseenWait(t *testing.T) {
	t.Parallel()
	const pause = 200 * time.Millisecond
	s := start(t, func(_ *db.Config, o *api.Options) { o.LoginPause = pause })
	for range 4 {
		s.loginFrom("203.0.113.9", s.slug, s.staff.email, "wrong").refused(401, "unauthenticated")
	}
	s.keepWaiting()
	begun := time.Now()
	s.loginFrom("203.0.113.9", s.slug, s.staff.email, password).refused(429, "rate_limited")
	if took := time.Since(begun); took < pause {
		t.Errorf("refused after %v, want %v or more", took, pause)
	}
}

// Others do not: the server would take an hour to answer.
func TestOtherLoginsDoNotWait(t *testing.T) {
	t.Parallel()
	s := start(t, func(_ *db.Config, o *api.Options) { o.LoginPause = time.Hour })
	s.loginFrom("203.0.113.9", s.slug, s.staff.email, "wrong").refused(401, "unauthenticated")
	s.loginFrom("203.0.113.9", s.slug, s.staff.email, password).want(201)
}

// Trying a few passwords for many users hits a limit of the source, whether or not the users exist.
// Users who have logged in from there before are not affected.
func TestPasswordsSprayedFromOneSourceAreLimited(t *testing.T) {
	t.Parallel()
	s := start(t, roomy)
	const source = "203.0.113.9"
	s.loginFrom(source, s.slug, s.staff.email, password).want(201)
	got := map[string]int{}
	for _, guess := range []string{"first guess", "second guess", "third guess"} {
		for user := range 12 {
			email := fmt.Sprintf("user%d@example.com", user)
			if user%3 == 0 {
				email = (*s.users()[user/3]).email
			}
			got[fmt.Sprint(s.loginFrom(source, s.slug, email, guess).status)]++
		}
	}
	if got["401"] < 20 || got["429"] == 0 || got["401"]+got["429"] != 36 {
		t.Errorf("got %v", got)
	}
	s.loginFrom(source, s.foreign.slug, s.foreign.hub.email, password).refused(429, "rate_limited") // of any tenant
	s.waitOver()
	s.loginFrom(source, s.slug, s.staff.email, password).want(201)
	s.loginFrom("198.51.100.1", s.slug, s.hub.email, password).want(201)
}

// A successful login to one's own account does not pay for guesses at others.
func TestAGoodLoginDoesNotForgiveOthersGuesses(t *testing.T) {
	t.Parallel()
	s := start(t)
	const source = "203.0.113.9"
	for user := range 40 {
		if s.loginFrom(source, s.slug, fmt.Sprintf("user%d@example.com", user), "guess").status == 429 {
			return
		}
		s.loginFrom(source, s.slug, s.staff.email, password).want(201)
	}
	t.Error("40 guesses were not limited")
}

// Good logins use nothing up: any number of users may log in from one address.
func TestGoodLoginsFromOneSourceAreNotLimited(t *testing.T) {
	t.Parallel()
	s := start(t)
	for range 25 {
		s.login(s.newUser(s.tenant, db.UserRoleStaff).email, password).want(201)
	}
}

// Guesses from many addresses hit a limit too, except at the user's usual address.
func TestGuessesFromManySourcesAreLimited(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.loginFrom("198.51.100.1", s.slug, s.staff.email, password).want(201)
	limited := 0
	for i := range 70 {
		if s.loginFrom(fmt.Sprintf("[2001:db8:0:%x::1]", i), s.slug, s.staff.email, "wrong").status == 429 {
			limited++
		}
	}
	if limited == 0 {
		t.Error("70 guesses from as many addresses were not limited")
	}
	s.loginFrom("198.51.100.2", s.slug, s.staff.email, password).refused(429, "rate_limited")
	s.loginFrom("198.51.100.1", s.slug, s.staff.email, password).want(201)
	s.loginFrom("[2001:db8::1]", s.slug, s.hub.email, password).want(201) // no other user waits
}

// Neither the answer nor the wait reveals whether the user or the tenant exists.
func TestUnknownUsersAreCountedLikeKnownOnes(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, c := range [][2]string{{s.slug, s.staff.email}, {s.slug, "nobody@example.com"},
		{"no-such-tenant", "nobody@example.com"}} {
		for range 4 {
			s.loginFrom("203.0.113.9", c[0], c[1], "wrong").refused(401, "unauthenticated")
		}
		if after := s.loginFrom("203.0.113.9", c[0], c[1], "wrong").refused(429, "rate_limited").
			header.Get("Retry-After"); after != "1" {
			t.Errorf("%v waits %q s", c, after)
		}
	}
}

// The case or Unicode composition of an address gives no additional guesses.
func TestOneUserIsCountedOnceHoweverWritten(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, email := range []string{"MÜLLER@example.com", "müller@EXAMPLE.com",
		"mu\u0308ller@example.com", "MU\u0308LLER@example.com"} {
		s.login(email, "wrong").refused(401, "unauthenticated")
	}
	s.keepWaiting()
	s.login("Müller@example.com", "wrong").refused(429, "rate_limited")
}

// X-Forwarded-For counts only from a trusted proxy.
func TestSourceBehindATrustedProxy(t *testing.T) {
	t.Parallel()
	from := func(s *server, client, password string) *answer {
		return s.do(nil, "POST", "/v1/sessions", object{"tenant": s.slug, "email": s.staff.email, "password": password},
			"X-Forwarded-For", client)
	}
	for trusted, want := range map[string]int{"192.0.2.0/24": 201, "": 429} {
		s := start(t, func(_ *db.Config, o *api.Options) {
			var err error
			if o.TrustedProxies, err = api.ParseProxies(trusted); err != nil {
				t.Fatal(err)
			}
		})
		for range 4 {
			from(s, "203.0.113.9", "wrong").refused(401, "unauthenticated")
		}
		s.keepWaiting()
		from(s, "203.0.113.9", password).refused(429, "rate_limited")
		if got := from(s, "198.51.100.1", password).status; got != want {
			t.Errorf("trusting %q: another client gets %d, want %d", trusted, got, want)
		}
	}
}

// A user with a valid session can change the password, whatever is guessed meanwhile.
func TestPasswordIsChangedWhateverIsGuessed(t *testing.T) {
	t.Parallel()
	s := start(t)
	for range 4 {
		s.login(s.staff.email, "wrong").refused(401, "unauthenticated")
	}
	s.keepWaiting()
	s.login(s.staff.email, password).refused(429, "rate_limited")
	s.do(s.staff, "PUT", "/v1/users/"+s.staff.id.String()+"/password",
		object{"current_password": password, "new_password": "another horse"}).want(200)
}

// A stolen session cannot be used to guess the password.
func TestOldPasswordIsNotGuessedInASession(t *testing.T) {
	t.Parallel()
	s := start(t)
	second := &user{token: s.login(s.staff.email, password).want(201).str("token")}
	change := func(as *user, current string) *answer {
		return s.do(as, "PUT", "/v1/users/"+s.staff.id.String()+"/password",
			object{"current_password": current, "new_password": "another horse"})
	}
	for range 4 {
		change(s.staff, "a guess").refused(422, "validation_failed", "current_password")
	}
	s.keepWaiting()
	change(s.staff, password).refused(429, "rate_limited")
	change(second, password).want(200)
}

// Guesses that write nothing are counted, too: those of dry runs, and of batches, which a wrong guess refuses.
func TestOldPasswordIsNotGuessedWhereNothingIsWritten(t *testing.T) {
	t.Parallel()
	s := start(t)
	path, body := "/v1/users/"+s.staff.id.String()+"/password", func(current string) object {
		return object{"current_password": current, "new_password": "another horse"}
	}
	for name, guess := range map[string]func(as *user, current string) *answer{
		"a dry run": func(as *user, current string) *answer {
			return s.do(as, "PUT", path+"?dry_run=true", body(current))
		},
		"a batch": func(as *user, current string) *answer {
			return s.do(as, "POST", "/v1/batch", batch(object{"operation": "change-password",
				"path": object{"user_id": s.staff.id}, "body": body(current)}))
		},
	} {
		as := &user{token: s.login(s.staff.email, password).want(201).str("token")}
		for n := range 4 {
			if a := guess(as, "a guess"); a.status != 422 {
				t.Fatalf("%s, guess %d: %s", name, n, a)
			}
		}
		s.keepWaiting()
		if a := guess(as, password); a.status != 429 {
			t.Errorf("%s: the fifth guess is answered %s", name, a)
		}
	}
}

// A good password is no guess: an admin sets the passwords of many.
func TestTriesOfASessionAreForgottenWithTheRightPassword(t *testing.T) {
	t.Parallel()
	s := start(t)
	for range 6 {
		s.do(s.admin, "PUT", "/v1/users/"+s.hub.id.String()+"/password",
			object{"current_password": password, "new_password": "another horse"}).want(200)
	}
}

// Rows of logins do not pile up.
func TestLoginsSweepWhatHasExpired(t *testing.T) {
	t.Parallel()
	s := start(t)
	for i := range 10 {
		s.loginFrom(fmt.Sprint("198.51.100.", i), s.slug, fmt.Sprintf("user%d@example.com", i), "wrong").
			refused(401, "unauthenticated")
	}
	s.exec("UPDATE login_attempts SET expires_at = now() - interval '1 second'")
	s.exec("UPDATE login_buckets SET full_at = now() - interval '1 second'")
	for range 4 {
		s.login("nobody@example.com", "wrong").refused(401, "unauthenticated")
	}
	if n := scan[int](
		s, "SELECT (SELECT count(*) FROM login_attempts) + (SELECT count(*) FROM login_buckets)"); n != 3 {
		t.Errorf("%d rows remain, want those of the last user and source", n)
	}
}

// A hash of a lower cost, or of a password as it was typed, is replaced by the login that
// finds it good, and no session ends by it.
func TestOutwornHashesAreRenewedAtLogin(t *testing.T) {
	t.Parallel()
	s := start(t, func(_ *db.Config, o *api.Options) { o.PasswordCost = bcrypt.MinCost + 1 })
	typed, err := bcrypt.GenerateFromPassword([]byte("pa\u0308sswo\u0308rter"), bcrypt.MinCost+1)
	if err != nil {
		t.Fatal(err)
	}
	s.exec("UPDATE users SET password_hash = $1 WHERE id = $2", string(typed), s.hub.id)
	hash := func(u *user) string {
		return scan[string](s, "SELECT password_hash FROM users WHERE id = $1", u.id)
	}
	s.login(s.staff.email, "wrong").refused(401, "unauthenticated")
	if hash(s.staff) != passwordHash() {
		t.Error("a wrong password renewed the hash")
	}
	for range 2 {
		s.login(s.staff.email, password).want(201)
	}
	if cost, err := bcrypt.Cost([]byte(hash(s.staff))); err != nil || cost != bcrypt.MinCost+1 {
		t.Errorf("the cost is %d, %v", cost, err)
	}
	s.do(s.staff, "GET", "/v1/session", nil).want(200)
	s.login(s.hub.email, "pässwörter").refused(401, "unauthenticated") // not yet
	s.login(s.hub.email, "pa\u0308sswo\u0308rter").want(201)
	s.login(s.hub.email, "pässwörter").want(201)
}

// Concurrent logins all succeed, although the first of them renews the hash that the others have
// verified.
func TestGoodLoginsSucceedWhileTheHashIsRenewed(t *testing.T) {
	t.Parallel()
	s := start(t, roomy, func(_ *db.Config, o *api.Options) { o.PasswordCost = bcrypt.MinCost + 1 })
	for range 3 {
		s.exec("UPDATE users SET password_hash = $1 WHERE id = $2", passwordHash(), s.staff.id)
		got := tally(atOnce(16, func(i int) *answer {
			return s.loginFrom(fmt.Sprint("198.51.100.", i), s.slug, s.staff.email, password)
		}))
		if got["201"] != 16 {
			t.Errorf("got %v", got)
		}
	}
}

func TestPasswordsThatAreRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, bad := range []string{"        ", "\u3000\u3000\u3000\u3000\u3000\u3000\u3000\u3000",
		"Password1", "12345678", "correct\u0007horse"} {
		s.do(s.admin, "POST", "/v1/users",
			object{"email": "new@example.com", "name": "New", "role": "staff", "password": bad}).
			refused(422, "validation_failed", "password")
		s.do(s.staff, "PUT", "/v1/users/"+s.staff.id.String()+"/password",
			object{"current_password": password, "new_password": bad}).
			refused(422, "validation_failed", "new_password")
	}
}

// One password, composed or decomposed, as another keyboard types it.
func TestOnePasswordHoweverComposed(t *testing.T) {
	t.Parallel()
	s := start(t)
	const composed, decomposed = "pässwörter", "pa\u0308sswo\u0308rter"
	body := object{"id": newID(), "email": "new@example.com", "name": "New", "role": "staff", "password": decomposed}
	s.do(s.admin, "POST", "/v1/users", body).fresh(201)
	s.do(s.admin, "POST", "/v1/users", with(body, object{"password": composed})).replayed()
	s.login("new@example.com", composed).want(201)
	s.login("new@example.com", decomposed).want(201)
}

// A login whose turn does not come within the timeout of its request counts as no try: the user's next
// ones do not wait, and the source loses no token.
func TestALoginWhoseTurnDoesNotComeIsNoTry(t *testing.T) {
	t.Parallel()
	s := start(t, func(_ *db.Config, o *api.Options) { o.HandlerTimeout = time.Second })
	release := s.api.TakeHashSlots()
	for range 6 { // more than a user's tries that need not wait
		s.loginFrom("203.0.113.9", s.slug, s.staff.email, password).refused(503, "overloaded")
	}
	if n := scan[int](s, "SELECT (SELECT count(*) FROM login_attempts) + (SELECT count(*) FROM login_buckets "+
		"WHERE full_at > now() + interval '1 second')"); n != 0 {
		t.Errorf("%d attempts and tokens are counted", n)
	}
	release()
	s.loginFrom("203.0.113.9", s.slug, s.staff.email, password).want(201)
}

// Neither is a change of the password.
func TestAChangeOfPasswordWhoseTurnDoesNotComeIsNoTry(t *testing.T) {
	t.Parallel()
	s := start(t, func(_ *db.Config, o *api.Options) { o.HandlerTimeout = time.Second })
	release := s.api.TakeHashSlots()
	path := "/v1/users/" + s.staff.id.String() + "/password"
	for range 6 {
		s.do(s.staff, "PUT", path, object{"current_password": password, "new_password": "new " + password}).
			refused(503, "overloaded")
	}
	if n := scan[int](s, "SELECT count(*) FROM login_attempts"); n != 0 {
		t.Errorf("%d attempts are counted", n)
	}
	release()
}

// Whoever waits is served, be it however long, and in turn with the source of the guesses.
func TestALoginWaitsForItsTurn(t *testing.T) {
	t.Parallel()
	s := start(t, roomy, func(_ *db.Config, o *api.Options) { o.HandlerTimeout = 5 * time.Minute })
	release := s.api.TakeHashSlots()
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() { s.loginFrom("203.0.113.9", s.slug, fmt.Sprint("nobody", i, "@x"), "wrong") })
	}
	s.until("the guesses wait", func() bool { return s.api.WaitingForHashes() == 20 })
	for i := range 3 {
		all.Go(func() { s.loginFrom(fmt.Sprint("198.51.100.", i), s.slug, s.staff.email, password).want(201) })
	}
	s.until("the others wait", func() bool { return s.api.WaitingForHashes() == 23 })
	release()
	all.Wait()
}
