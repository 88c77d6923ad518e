package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"waybill/db"
	"waybill/db/dbtest"
	"waybill/db/localpg"
)

// wrongStart is a start of serve that fails, and what its message contains.
type wrongStart struct {
	env  []string
	args []string
	says []string
}

// wrongSettings are wrong besides the database, which is a good one.
var wrongSettings = map[string]wrongStart{
	"an address that is no": {nil, []string{"--addr", "nowhere"}, []string{"cannot listen", "nowhere"}},
	"an empty address": {[]string{"WAYBILL_ADDR="}, []string{},
		[]string{"--addr (WAYBILL_ADDR) is empty"}},
	"an unknown flag": {nil, []string{"--port", "80"},
		[]string{"unknown flag -port; see: waybill serve -h"}},
	"a word too many": {nil, []string{"now"},
		[]string{`unexpected argument: "now"; see: waybill serve -h`}},
	"a time that is none": {nil, []string{"--drain", "soon"}, []string{"-drain"}},
	"a variable not a time": {[]string{"WAYBILL_LOCK_TIMEOUT=soon"}, nil,
		[]string{"WAYBILL_LOCK_TIMEOUT is not a duration"}},
	"a variable no number": {[]string{"WAYBILL_MAX_CONNS=many"}, nil,
		[]string{"WAYBILL_MAX_CONNS is not a number"}},
	"a flag no number": {nil, []string{"--max-conns", "many"},
		[]string{"-max-conns", "not a number"}},
	"a variable no choice": {[]string{"WAYBILL_COMBINE=maybe"}, nil,
		[]string{"WAYBILL_COMBINE is not true or false"}},
	"a flag no choice": {nil, []string{"--combine=maybe"}, []string{"-combine"}},
	"no connections": {nil, []string{"--max-conns", "0"},
		[]string{"--max-conns (WAYBILL_MAX_CONNS) must be at least 1"}},
	"limits inside out": {nil, []string{"--lock-timeout", "6s"},
		[]string{"timeouts must increase"}},
	"no stream for a user": {nil, []string{"--streams-per-user", "0"},
		[]string{"--streams-per-user <= --streams-per-tenant <= --streams"}},
	"a tenant above all": {[]string{"WAYBILL_STREAMS=100"}, nil,
		[]string{"--streams-per-user <= --streams-per-tenant <= --streams"}},
	"no feed for a user": {nil, []string{"--feeds-per-user", "0"},
		[]string{"--feeds-per-user <= --feeds-per-tenant <= --feeds"}},
	"no room for a batch": {[]string{"WAYBILL_BODY_MEMORY=15"}, nil,
		[]string{"--body-memory (WAYBILL_BODY_MEMORY) must be at least 16 MiB"}},
	"no memory but for bodies": {[]string{"WAYBILL_MEMORY_LIMIT=31"}, nil,
		[]string{"--memory-limit (WAYBILL_MEMORY_LIMIT) must be 0, or at least --body-memory"}},
	"a user above all": {[]string{"WAYBILL_CONNS_PER_USER=17"}, nil,
		[]string{"--conns-per-user <= --conns-per-tenant <= --max-conns"}},
	"no list of proxies": {[]string{"WAYBILL_TRUSTED_PROXIES=10.0.0.0/33"}, nil,
		[]string{"--trusted-proxies (WAYBILL_TRUSTED_PROXIES) must be a list"}},
	"a feed never idle": {nil, []string{"--feed-idle", "0"},
		[]string{"--feed-idle (WAYBILL_FEED_IDLE) must be positive"}},
	"a feed idle for ever": {[]string{"WAYBILL_FEED_TIMEOUT=20s"}, nil,
		[]string{"at most --feed-timeout (WAYBILL_FEED_TIMEOUT)"}},
	"an unknown statement mode": {[]string{"WAYBILL_STATEMENT_MODE=simple"}, nil,
		[]string{"--statement-mode (WAYBILL_STATEMENT_MODE) must be prepare or describe"}},
	"an unknown level": {[]string{"WAYBILL_LOG_LEVEL=loud"}, nil,
		[]string{"--log-level (WAYBILL_LOG_LEVEL)"}},
	"an unknown log": {nil, []string{"--log", "xml"},
		[]string{"--log (WAYBILL_LOG) must be text or json"}},
	"a cost too high": {[]string{"WAYBILL_BCRYPT_COST=31"}, nil,
		[]string{"--bcrypt-cost (WAYBILL_BCRYPT_COST) must be between 4 and 16"}},
}

// Each start that fails explains why and what to do in one line, without the password.
func TestServeRefuses(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "a command that does one thing after the other")
	d := dbtest.New(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	behind := emptyDatabase(t, d)
	for _, args := range [][]string{{"migrate", "up"}, {"migrate", "down", "--yes-lose-data"}} {
		if code, _, errors := ended(t, "", []string{"DATABASE_URL=" + behind}, args...); code != 0 {
			t.Fatal(errors)
		}
	}
	good := "DATABASE_URL=" + d.AppURL
	starts := map[string]wrongStart{
		"no database": {nil, nil, []string{"serve needs a database", "DATABASE_URL", "waybill dev"}},
		"a DSN that is none": {[]string{"DATABASE_URL=postgres://u:pa%zz:hunter2@h:bad/db"},
			nil, []string{"is not a PostgreSQL connection string"}},
		"a database not there": {[]string{"DATABASE_URL=postgres://u:hunter2@" + freeAddress(t) + "/db"},
			nil, []string{"cannot use the database", "connection refused"}},
		"a wrong password": {[]string{"DATABASE_URL=" + withPassword(t, d.AppURL)},
			nil, []string{"cannot use the database"}},
		"an empty database": {[]string{"DATABASE_URL=" + emptyDatabase(t, d)}, nil,
			[]string{"the database has no schema", "waybill migrate up"}},
		"a schema too old": {[]string{"DATABASE_URL=" + behind}, nil,
			[]string{"the schema is at version", "this program needs", "waybill migrate up"}},
		"a port in use": {[]string{good}, []string{"--addr", taken.Addr().String()},
			[]string{"cannot listen", taken.Addr().String(), "in use"}},
		"an admin port in use": {[]string{good}, []string{"--admin-addr", taken.Addr().String()},
			[]string{"cannot listen on the admin port"}},
	}
	for name, c := range wrongSettings {
		starts[name] = wrongStart{append([]string{good}, c.env...), c.args, c.says}
	}
	for name, c := range starts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := []string{"serve", "--addr", "127.0.0.1:0", "--admin-addr", ""}
			if slices.Contains(c.env, "WAYBILL_ADDR=") {
				args = []string{"serve"}
			}
			code, out, errors := ended(t, "", c.env, append(args, c.args...)...)
			if code != 1 || out != "" || strings.Count(errors, "\n") != 1 {
				t.Errorf("exit code %d, wrote:\n%s%s", code, out, errors)
			}
			has(t, errors, append(c.says, "waybill: ")...)
			hasNot(t, errors, "hunter2", "pa%zz")
		})
	}
}

func withPassword(t testing.TB, address string) string {
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("nobody_of_this_name", "hunter2")
	return u.String()
}

// emptyDatabase is a database without a schema, on the test's server.
func emptyDatabase(t testing.TB, d *dbtest.DB) (ownerURL string) {
	t.Helper()
	name := "waybill_empty_" + strings.ToLower(rand.Text()[:8])
	if _, err := d.Owner().Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Owner().Exec(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)") })
	u, err := url.Parse(d.OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"help"}, {"-h"}, {"--help"}} {
		code, out, errors := ended(t, "", nil, args...)
		if code != 0 || errors != "" {
			t.Errorf("%v: exit code %d, %s", args, code, errors)
		}
		for _, c := range commands() {
			has(t, out, c.name, c.summary)
		}
	}
	if code, _, _ := ended(t, "", nil); code != 2 {
		t.Errorf("without a command: exit code %d", code)
	}
	if code, _, errors := ended(t, "", nil, "sevre"); code != 1 || !strings.Contains(errors, `"sevre"`) {
		t.Errorf("exit code %d: %s", code, errors)
	}
	for _, c := range commands() {
		// The environment's secrets are not shown.
		code, out, errors := ended(t, "",
			[]string{"DATABASE_URL=postgres://u:hunter2@h/db", "WAYBILL_PASSWORD=hunter3"}, c.name, "-h")
		if code != 0 || errors != "" {
			t.Errorf("%s -h: exit code %d, %s", c.name, code, errors)
		}
		has(t, out, "Usage: waybill "+c.name)
		hasNot(t, out, "hunter")
	}
}

func TestConcurrentRequestsShareStatementsUnlessToldOtherwise(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args     []string
		oneByOne bool
	}{{nil, false}, {[]string{"--combine=true"}, false}, {[]string{"--combine=false"}, true}} {
		var s settings
		flags := flag.NewFlagSet("serve", flag.ContinueOnError)
		env := s.register(flags, defaults{})
		if err := flags.Parse(c.args); err != nil || env.err != nil || s.storeConfig().OneByOne != c.oneByOne {
			t.Errorf("%v: one by one is %t, %v, %v", c.args, s.storeConfig().OneByOne, err, env.err)
		}
	}
}

// Once serve reports that it is ready, it is; how long that takes is BenchmarkServeStarts' concern.
func TestServeIsReadyWhenItSaysSo(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	s := serve(t, w.db.AppURL)
	if status, body := text(t, "GET", s.url+"/readyz", "", ""); status != 200 {
		t.Errorf("readyz: %d %s", status, body)
	}
	s.stop(syscall.SIGTERM)
}

// BenchmarkServeStarts reports the milliseconds until ready, as printed by serve.
func BenchmarkServeStarts(b *testing.B) {
	w := newFixture(b)
	total := 0
	for b.Loop() {
		s := serve(b, w.db.AppURL)
		total += s.ready
		s.stop(syscall.SIGTERM)
	}
	b.ReportMetric(float64(total)/float64(b.N), "ready-ms")
}

func TestAdminPort(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	admin := freeAddress(t)
	s := serve(t, w.db.AppURL, "--admin-addr", admin)
	text(t, "GET", s.url+"/v1/session", w.tokens[db.UserRoleHub], "")
	text(t, "GET", s.url+"/v1/session", "", "")
	text(t, "GET", s.url+"/v1/nothing", "", "")
	text(t, "GET", s.url+"/v1/pickups/stream", "", "") // refused
	w.follow(t, s.url)
	status, metrics := text(t, "GET", "http://"+admin+"/metrics", "", "")
	if status != 200 {
		t.Errorf("metrics: %d", status)
	}
	has(t, metrics,
		`waybill_request_seconds_count{`, `operation="get-session"`, `status="200"`, `status="401"`,
		`waybill_refusals_total{code="unauthenticated"`, `release="`, `host="`,
		`service="waybill"`, "waybill_pool_max", "waybill_pool_acquired", "# TYPE waybill_pool_waited_total counter",
		`waybill_flush_requests_count{`, `waybill_flush_waiting{`, `waybill_flush_refused_total{`,
		`kind="session"`, `kind="transition"`,
		"go_sched_latencies_seconds_bucket", "go_goroutines", "process_resident_memory_bytes")
	hasNot(t, metrics, w.tenantID.String(), "nothing")
	for line := range strings.Lines(metrics) { // how long a stream was followed is no latency
		if strings.Contains(line, `operation="stream-pickups"`) && !strings.HasPrefix(line, "waybill_refusals_total") {
			t.Errorf("a stream's latency: %s", line)
		}
	}
	has(t, metrics, `operation="stream-pickups"`, "# TYPE waybill_event_stream_lag_seconds gauge",
		"waybill_event_stream_lag_seconds{")
	if !regexp.MustCompile(`(?m)^waybill_event_streams\{.*\} 1$`).MatchString(metrics) {
		t.Error("the open stream is not counted")
	}
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap",
		"/debug/pprof/goroutine?debug=1", "/debug/pprof/symbol"} {
		if status, _ := text(t, "GET", "http://"+admin+path, "", ""); status != 200 {
			t.Errorf("%s: %d", path, status)
		}
		// Not where everybody can ask.
		if status, _ := text(t, "GET", s.url+path, "", ""); status != 404 {
			t.Errorf("%s on the public port: %d", path, status)
		}
	}
	if status, _ := text(t, "GET", s.url+"/metrics", "", ""); status != 404 {
		t.Errorf("metrics on the public port: %d", status)
	}
}

// No value of a flag is shown on the admin port of serve and work.
func TestTheAdminPortShowsNoFlag(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	const secret = "whsec_aHVudGVyMiBodW50ZXIyIGh1bnRlcjIgaHVudGVyMg=="
	flags := []string{"--workers", "1", "--gateway-url", "http://127.0.0.1:1/hunter2",
		"--gateway-secret", secret, "--database-url", w.db.AppURL}
	for _, command := range [][]string{{"serve", "--addr", "127.0.0.1:0"}, {"work"}} {
		admin := freeAddress(t)
		start(t, nil, slices.Concat(command, flags, []string{"--admin-addr", admin})...)
		eventually(t, command[0]+" serves its metrics", func() bool {
			response, err := http.Get("http://" + admin + "/metrics")
			if err == nil {
				response.Body.Close()
			}
			return err == nil && response.StatusCode == 200
		})
		for path, want := range map[string]int{
			"/metrics": 200, "/debug/pprof/": 200, "/debug/pprof/cmdline": 404,
			"/debug/pprof/goroutine?debug=2": 200, "/debug/vars": 404,
		} {
			status, page := text(t, "GET", "http://"+admin+path, "", "")
			if status != want {
				t.Errorf("%s %s: %d", command[0], path, status)
			}
			hasNot(t, page, "hunter2", secret[6:], w.db.AppURL)
		}
	}
}

// If the database's own log would contain values of rows, serve warns once.
func TestServeWarnsOfALeakyLog(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "a command that does one thing after the other")
	const warning = "would contain patient data"
	log := func(databaseURL string) string {
		s := serve(t, databaseURL)
		text(t, "GET", s.url+"/livez", "", "") // answered only when it has looked
		s.stop(syscall.SIGTERM)
		return s.errors.String()
	}
	if os.Getenv("DATABASE_URL") == "" {
		hasNot(t, log(newFixture(t).db.AppURL), warning)
	}
	server, err := localpg.Start(t.Context(), localpg.Options{Settings: map[string]string{
		"log_error_verbosity": "default", "log_destination": "csvlog", "log_parameter_max_length_on_error": "100",
		"log_min_duration_statement": "1000",
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Stop() })
	if err := db.Migrate(t.Context(), server.URL(localpg.Owner, localpg.Database)); err != nil {
		t.Fatal(err)
	}
	lines := log(server.URL(localpg.App, localpg.Database))
	has(t, lines, "setting=log_error_verbosity set_it_to=terse", `setting=log_destination set_it_to="stderr or syslog"`,
		"setting=log_parameter_max_length_on_error set_it_to=0", "setting=log_parameter_max_length set_it_to=0")
	if n := strings.Count(lines, warning); n != 4 {
		t.Errorf("%d warnings:\n%s", n, lines)
	}
}

// The log contains what was requested and how it ended, never submitted or stored values.
func TestLogHoldsNoContent(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	s := serve(t, w.db.AppURL, "--log-level", "debug", "--log", "json")
	secret := "Zaphod Beeblebrox"
	dispatcher, admin := w.tokens[db.UserRoleDispatcher], w.tokens[db.UserRoleAdmin]
	id := newID()
	status, _ := text(t, "POST", s.url+"/v1/pickups", dispatcher, fmt.Sprintf(
		`{"id":"%s","facility_id":"%s","account_id":"%s","price_cents":1,"pickup_address":"%[4]s",`+
			`"dropoff_address":"%[4]s","note":"%[4]s"}`,
		id, demoID("facility"), demoID("account Research Lab"), secret))
	if status != 201 {
		t.Errorf("create: %d", status)
	}
	for range 2 { // the second one meets the external id
		text(t, "POST", s.url+"/v1/patients", dispatcher, fmt.Sprintf(
			`{"facility_id":"%s","external_id":"%[2]s","given_name":"%[2]s","family_name":"%[2]s",`+
				`"birth_date":"1931-07-13","phone":"+19998765432"}`,
			demoID("facility"), secret))
	}
	if status, body := text(t, "GET", s.url+"/v1/patients", dispatcher,
		""); status != 200 || !strings.Contains(body, secret) {
		t.Errorf("patients: %d %s", status, body)
	}
	text(t, "POST", s.url+"/v1/pickups/"+id.String()+"/cancel", dispatcher, fmt.Sprintf(`{"reason":"%s"}`, secret))
	text(t, "POST", s.url+"/v1/users", admin,
		fmt.Sprintf(`{"email":"staff@demo.example","password":"%[1]s","name":"%[1]s","role":"staff"}`, secret))
	text(t, "POST", s.url+"/v1/users", admin,
		fmt.Sprintf(`{"email":"x","password":"%[1]s","name":"%[1]s","role":"%[1]s"}`, secret))
	text(t, "POST", s.url+"/v1/users", admin, secret)
	text(t, "POST", s.url+"/v1/sessions", "",
		fmt.Sprintf(`{"tenant":"demo","email":"%[1]s","password":"%[1]s"}`, secret))
	text(t, "GET", s.url+"/v1/pickups?note="+url.QueryEscape(secret), dispatcher, "")
	text(t, "GET", s.url+"/v1/"+url.PathEscape(secret), dispatcher, "", "X-Request-Id", secret)
	s.stop(syscall.SIGTERM)
	log := s.errors.String()
	has(t, log, `"operation":"create-pickup"`, `"operation":"cancel-pickup"`,
		`"code":"email_taken"`, `"code":"unauthenticated"`,
		`"status":201`, `"request_id":`, w.tenantID.String())
	has(t, log, `"operation":"create-patient"`, `"code":"external_id_taken"`)
	hasNot(t, log, secret, "Beeblebrox", "1931-07", "+1999", dispatcher, admin, "demo.example", "$2a$")
}

// A word too many may be a URL with a password: no message repeats it.
func TestNoMessageRepeatsASecret(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"postgres://u:hunter2@h/db"}, {"serve", "postgres://u:hunter2@h/db"},
		{"work", "password=hunter2"}, {"jobs", "list", "whsec_hunter2"},
		{"serve", "--database_url=postgres://u:hunter2@h/db"},
		{"migrate", "up", "postgres://u:hunter2@h/db"}, {"tenant", "hunter2@h"},
	} {
		code, out, errors := ended(t, "", []string{"DATABASE_URL=postgres://127.0.0.1:1/none"}, args...)
		if code != 1 {
			t.Errorf("%v: exit code %d", args, code)
		}
		hasNot(t, out+errors, "hunter2")
	}
	if got := withoutPassword("postgres://u:hunter2@h/db", false); got != "postgres://u:xxxxx@h/db" {
		t.Error(got)
	}
	for _, address := range []string{"postgres://h/db?password=hunter2",
		"host=h password=hunter2", "postgres://%zz:hunter2@h"} {
		hasNot(t, withoutPassword(address, false), "hunter2")
	}
}
