package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"waybill/cmd/waybill/prove"
	"waybill/db"
	"waybill/db/dbtest"
)

// behindPgBouncer runs a PgBouncer in front of the fixture's database, whose login has the settings that waybill pooler
// prints.
func (w *fixture) behindPgBouncer(t testing.TB, settings map[string]string, args ...string) *dbtest.PgBouncer {
	t.Helper()
	p := w.db.PgBouncer(settings)
	code, page, errors := ended(t, "", nil, append([]string{"pooler", "--database", w.db.Name()}, args...)...)
	if code != 0 {
		t.Fatal(errors)
	}
	psql := exec.Command(needPsql(t), "-X", w.db.AppURL)
	psql.Stdin = strings.NewReader(page)
	if out, err := psql.CombinedOutput(); err != nil {
		t.Fatalf("psql: %v\n%s", err, out)
	}
	return p
}

// pooled serves the fixture through a pooler, workers included, and returns where its metrics are.
func (w *fixture) pooled(t testing.TB, p *dbtest.PgBouncer, args ...string) (s serving, metrics string) {
	t.Helper()
	admin := freeAddress(t)
	gateway := []string{"--workers", "4", "--gateway-url", "http://127.0.0.1:1",
		"--gateway-secret", "whsec_YSBzZWNyZXQgb2YgdHdlbnR5LWZvdXIgYg=="}
	return serve(t, p.AppURL, append(append(gateway, "--admin-addr", admin, "--pooler"), args...)...),
		"http://" + admin + "/metrics"
}

var (
	submits      = regexp.MustCompile(`(?m)^waybill_request_seconds_count\{.*"submit-pickup".*status="200"`)
	serverErrors = regexp.MustCompile(`(?m)^waybill_request_seconds_count\{.*status="5\d\d".*$`)
)

// rotating is a pool in which two statements of a connection seldom meet the same session of the server.
var rotating = map[string]string{"pool_mode": "transaction", "default_pool_size": "6", "server_round_robin": "1"}

// Through PgBouncer nothing is lost or doubled, and no request fails; the workers run too.
func TestEveryStoryHoldsThroughPgBouncer(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "another program's connections")
	for mode, settings := range map[string]map[string]string{
		"session":     {"pool_mode": "session", "default_pool_size": "40"},
		"transaction": rotating,
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := newFixture(t)
			s, metrics := w.pooled(t, w.behindPgBouncer(t, settings), "--workers", "4")
			reported := 0
			if err := prove.Run(t.Context(), w.options(s.url), func(r prove.Result) {
				if reported++; !r.Held {
					t.Errorf("%s did not hold: %s", r.Story, r.Figure)
				}
			}); err != nil || reported != len(prove.Names()) {
				t.Errorf("%d of %d stories were reported: %v", reported, len(prove.Names()), err)
			}
			_, page := text(t, "GET", metrics, "", "")
			if !submits.MatchString(page) {
				t.Error("no submit is in the metrics")
			}
			if failed := serverErrors.FindAllString(page, -1); failed != nil {
				t.Errorf("requests failed:\n%s", strings.Join(failed, "\n"))
			}
			s.stop(syscall.SIGTERM)
			hasNot(t, s.errors.String(), "level=ERROR")
		})
	}
}

// The control: in this pool, statements that are prepared once per connection fail. Statements in the mode describe
// would not be proved by a pool that always gives a connection the same session.
func TestPreparedStatementsFailThroughATransactionPool(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "another program's connections")
	w := newFixture(t)
	p := w.behindPgBouncer(t, rotating)
	c := db.Config{URL: p.AppURL, Pooler: true, StatementMode: db.Prepare}
	failed := false
	for range 20 {
		store, err := db.Open(t.Context(), c)
		if err != nil {
			failed = true
			break
		}
		for range 20 {
			if _, err := store.ListTransitions(t.Context()); err != nil {
				failed = true
				if code := db.CodeOf(db.Explain(err)); code != db.Overloaded {
					t.Errorf("a prepared statement that a pooler lost or kept is %s: %v", code, err)
				}
			}
		}
		store.Close()
	}
	if !failed {
		t.Error("the pool always gives a connection the same session")
	}
}

// The stream's wakeups need no session of their own.
func TestTheStreamRunsThroughATransactionPool(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "another program's connections")
	w := newFixture(t)
	s, _ := w.pooled(t, w.behindPgBouncer(t, rotating))
	stream, err := call(t.Context(), http.DefaultClient, "GET", s.url+"/v1/pickups/stream",
		w.tokens[db.UserRoleDispatcher], "")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	lines := bufio.NewScanner(stream.Body)
	if !lines.Scan() {
		t.Fatal(lines.Err())
	}
	k := &killing{fixture: w, t: t, url: s.url, up: make(chan struct{})}
	caller := k.senders(1)[0]
	const n = 5
	for range n {
		caller.create()
		caller.move("submit")
	}
	reported := 0
	for reported < n && lines.Scan() {
		if lines.Text() == "event: submit" {
			reported++
		}
	}
	if reported != n {
		t.Errorf("%d of %d events: %v", reported, n, lines.Err())
	}
}

// Nothing is lost or doubled when the pooler's connections to the server break in the middle: the pooler says so in an
// error of its own, which is not taken for the server's. Nor when the pooler itself is killed.
func TestNothingIsLostOrDoubledWhenAPoolersSessionsAreKilled(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "another program's connections")
	w := newFixture(t)
	p := w.behindPgBouncer(t, rotating)
	s, metrics := w.pooled(t, p)
	k := &killing{fixture: w, t: t, url: s.url, up: make(chan struct{})}
	opening := k.balance()
	senders := k.senders(12)
	var alive sync.WaitGroup
	for _, s := range senders {
		alive.Go(s.live)
	}
	killed := int64(0)
	for i := range dbtest.Rounds(100) {
		k.awaitAnswer()
		time.Sleep(time.Duration(rand.IntN(50)) * time.Millisecond)
		killed += k.count(`SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE datname = current_database() AND usename = 'waybill_app' AND application_name = 'waybill'
			AND state <> 'idle'`)
		if i%5 == 0 {
			if err := p.Crash(); err != nil {
				t.Fatal(err)
			}
		}
	}
	k.over.Store(true)
	alive.Wait()
	k.account(senders, opening)
	_, page := text(t, "GET", metrics, "", "")
	if killed == 0 {
		t.Error("no session was killed in the middle: nothing was tested")
	}
	for _, failed := range serverErrors.FindAllString(page, -1) {
		if !strings.Contains(failed, `status="503"`) {
			t.Error(failed)
		}
	}
}

// The other commands work through it, and leave nothing that a later one stumbles over.
func TestTheCommandsRunThroughATransactionPool(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "commands that do one thing after the other")
	w := newFixture(t)
	limits := []string{"--statement-timeout", "7s", "--lock-timeout", "2s"}
	p := w.behindPgBouncer(t, rotating, limits...)
	owner, app := []string{"DATABASE_URL=" + p.OwnerURL}, []string{"DATABASE_URL=" + p.AppURL, "WAYBILL_POOLER=true"}
	for i := range 3 {
		for _, c := range []struct {
			env  []string
			args []string
		}{
			{owner, []string{"migrate", "up"}},
			{owner, []string{"migrate", "status"}},
			{owner, []string{"tenant", "--slug", fmt.Sprint("pooled-", i), "--name", "P", "--admin-email",
				"ada@acme.example", "--bcrypt-cost", "4"}},
			{owner, []string{"tenant", "admin", "--slug", fmt.Sprint("pooled-", i), "--email", "bob@acme.example",
				"--bcrypt-cost", "4"}},
			{app, append([]string{"jobs"}, limits...)},
		} {
			if code, _, errors := ended(t, "correct horse", c.env, c.args...); code != 0 {
				t.Errorf("%v: %s", c.args, errors)
			}
		}
	}
	// Other limits than the role's are noticed.
	code, _, errors := ended(t, "", app, "jobs")
	if code != 1 || strings.Count(errors, "\n") != 1 {
		t.Errorf("exit code %d: %s", code, errors)
	}
	has(t, errors, "statement_timeout is 7000 and must be 5000", "lock_timeout is 2000 and must be 3000",
		"waybill pooler")
}

func TestPoolerRefuses(t *testing.T) {
	t.Parallel()
	for says, args := range map[string][]string{
		"only lower-case letters": {"--database", `x"; DROP`},
		"may contain only":        {"--login", "a b"},
		"timeouts must increase":  {"--lock-timeout", "6s"},
	} {
		if code, out, errors := ended(t, "", nil, append([]string{"pooler"}, args...)...); code != 1 || out != "" ||
			!strings.Contains(errors, says) {
			t.Errorf("%v: %d %s%s", args, code, out, errors)
		}
	}
	_, page, _ := ended(t, "", nil, "pooler", "--database", "courier", "--login", "acme")
	has(t, page, "ALTER ROLE acme IN DATABASE courier SET role = 'waybill_app';",
		"ALTER ROLE acme IN DATABASE courier SET statement_timeout = '5000';")
}
