package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"waybill/cmd/waybill/bench"
	"waybill/db/dbtest"
	"waybill/db/localpg"
)

func TestLoginStormPrintsOneLine(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t, invariants)
	code, out, errors := ended(t, "", []string{"DATABASE_URL=" + d.OwnerURL},
		"bench", "login-storm", "--json", "--duration", "200ms", "--rounds", "2", "--rate", "50",
		"--callers", "3", "--guessers", "2", "--bcrypt-cost", "4")
	type latency struct {
		Count, Failed int
		P50           float64 `json:"p50_ms"`
		P99           float64 `json:"p99_ms"`
	}
	var r struct {
		Benchmark    string
		Alone, Storm latency
		Rounds       []struct{}
		Ratio        float64 `json:"p99_ratio"`
		Logins       struct{ Opened, Other int }
		Guesses      struct{ Wrong, Other int }
	}
	if err := json.Unmarshal([]byte(out), &r); code != 0 || err != nil || strings.Count(out, "\n") != 1 ||
		errors != "" {
		t.Fatalf("exit code %d, %v: %s%s", code, err, out, errors)
	}
	if r.Benchmark != "login-storm" || len(r.Rounds) != 2 || r.Ratio <= 0 || r.Logins.Opened < 3 ||
		r.Logins.Other != 0 || r.Guesses.Wrong == 0 || r.Guesses.Other != 0 {
		t.Errorf("%s", out)
	}
	for _, part := range []latency{r.Alone, r.Storm} {
		if part.Count != 20 || part.Failed != 0 || part.P50 <= 0 || part.P99 < part.P50 {
			t.Errorf("%+v in %s", part, out)
		}
	}
}

func TestHTTPBenchPrintsALineForEachWork(t *testing.T) {
	t.Parallel()
	dbtest.Thorough(t, "what a benchmark prints of each work")
	d := dbtest.New(t, invariants)
	env := []string{"DATABASE_URL=" + d.OwnerURL}
	code, out, errors := ended(t, "", env, "bench", "http", "--json", "--seconds", "0.05", "--rounds",
		"1", "--callers", "2", "--accounts", "3", "--pickups", "100")
	if code != 0 {
		t.Fatalf("exit code %d: %s%s", code, out, errors)
	}
	var of []string
	for line := range strings.Lines(out) {
		r := struct {
			Work             string
			Callers          int
			PerSecond        float64 `json:"per_second"`
			OneByOne         float64 `json:"one_by_one_per_second"`
			Ratio            float64
			Scalar           float64 `json:"scalar_per_second"`
			ScalarRatio      float64 `json:"scalar_ratio"`
			P50              float64 `json:"p50_ms"`
			P99              float64 `json:"p99_ms"`
			Operations       int
			Unexpected       int
			Compared, Rounds any
		}{Unexpected: -1}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		of = append(of, fmt.Sprint(r.Work, " ", r.Callers))
		_, missing := localpg.FindProgram("pgbench")
		// Nobody writes the whole way of a pickup as one statement, and the mix has no yardstick.
		single := r.Work != "mix"
		scalar := single && r.Work != "lifecycle"
		if missing == nil && (r.Scalar > 0 != scalar || r.ScalarRatio > 0 != scalar || r.OneByOne > 0 != single ||
			r.Ratio > 0 != single) {
			t.Error(line)
		}
		if r.PerSecond <= 0 || r.P50 <= 0 || r.P99 < r.P50 ||
			r.Operations < 1 || r.Unexpected != 0 || r.Compared != nil {
			t.Error(line)
		}
	}
	const want = "get 2, create 2, charge-spread 2, charge-hot 2, transition 2, submit 2, lifecycle 2, mix 2"
	if got := strings.Join(of, ", "); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	nothingIsHalfDone(t, d)
}

// nothingIsHalfDone checks that pickups submitted by pgbench have the same effects as over HTTP.
func nothingIsHalfDone(t *testing.T, d *dbtest.DB) {
	t.Helper()
	for what, query := range map[string]string{
		"a submit without its text and charge": `SELECT count(*) FROM pickup_events AS e
			LEFT JOIN messages AS m ON m.tenant_id = e.tenant_id AND m.event_id = e.id AND m.status = 'QUEUED'
			LEFT JOIN ledger_entries AS l ON l.tenant_id = e.tenant_id AND l.pickup_id = e.pickup_id
			WHERE e.transition = 'submit' AND (m.id IS NULL OR l.id IS NULL)`,
		"a text without its job": `SELECT (SELECT count(*) FROM messages) - (SELECT count(*) FROM river_job)`,
		"a cancel with anything to it": `SELECT count(*) FROM pickups
			WHERE status = 'CANCELED' AND refunded_cents > 0`,
		"a pickup off the happy path": `SELECT count(*) FROM pickups
			WHERE status NOT IN ('DRAFT', 'CANCELED', 'SUBMITTED',
			'DELIVERED')`,
	} {
		var n int
		if err := d.Owner().QueryRow(t.Context(), query).Scan(&n); err != nil || n != 0 {
			t.Errorf("%d times %s: %v", n, what, err)
		}
	}
}

func TestHTTPBenchComparesServersAndKeepsARate(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t, invariants)
	dir := t.TempDir()
	other := filepath.Join(dir, "ready.json")
	startDevBy(t, nil, dir, other, []string{"DATABASE_URL=" + dbtest.New(t, invariants).OwnerURL})
	env := []string{"DATABASE_URL=" + d.OwnerURL}
	code, out, errors := ended(t, "", env, "bench", "http", "--json", "--work", "create", "--callers", "2",
		"--seconds", "0.2", "--rounds", "1", "--rate", "100", "--accounts", "2", "--pickups",
		"100", "--serve", "--combine=false", "--ready-file", other)
	var r struct {
		PerSecond  float64 `json:"per_second"`
		Operations int
		Rate       float64
		OneByOne   *float64 `json:"one_by_one_per_second"`
		Ratio      *float64
		Compared   struct {
			PerSecond float64 `json:"per_second"`
			P99       float64 `json:"p99_ms"`
		}
	}
	if err := json.Unmarshal([]byte(out), &r); code != 0 || err != nil || errors != "" {
		t.Fatalf("exit code %d, %v: %s%s", code, err, out, errors)
	}
	if r.Operations != 20 || r.Rate != 100 || r.PerSecond > 150 || r.OneByOne != nil || r.Ratio != nil ||
		!strings.Contains(out, `"ratio":null`) {
		t.Errorf("%s", out)
	}
	if r.Compared.PerSecond <= 0 || r.Compared.P99 <= 0 {
		t.Errorf("the other server: %s", out)
	}
}

func TestHTTPBenchWithoutPgbenchSaysSoOnceAndHasALineForEachCallers(t *testing.T) {
	t.Parallel()
	dbtest.Thorough(t, "what a benchmark prints")
	d := dbtest.New(t, invariants)
	env := []string{"DATABASE_URL=" + d.OwnerURL, "WAYBILL_PG_BIN=" + t.TempDir(), "PATH="}
	code, out, errors := ended(t, "", env, "bench", "http", "--json", "--seconds", "0.05", "--rounds", "1", "--callers",
		"1,2", "--work", "get", "--accounts", "1", "--pickups", "100")
	if code != 0 || strings.Count(errors, "\n") != 1 ||
		strings.Count(out, `"one_by_one_per_second":null,"ratio":null`) != 2 {
		t.Errorf("exit code %d: %s%s", code, out, errors)
	}
	has(t, out, `"callers":1,`, `"callers":2,`)
	has(t, errors, "pgbench was not found")
}

func TestInterruptedBenchStopsWhatItStarted(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t, invariants)
	p := start(t, []string{"DATABASE_URL=" + d.OwnerURL}, "bench", "login-storm",
		"--duration", "1h", "--bcrypt-cost", "4", "--rate", "5")
	eventually(t, "it measures", func() bool { return strings.Contains(p.out.String(), "rounds") })
	p.signal(os.Interrupt)
	if code := p.wait(); code != 1 {
		t.Errorf("exit code %d", code)
	}
	has(t, p.errors.String(), "waybill: interrupted: nothing was measured")
	// No server of it has a connection any more: it was stopped in order.
	var n int
	err := d.Owner().
		QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
    AND application_name = 'waybill'`).Scan(&n)
	if err != nil || n != 0 {
		t.Errorf("%d connections remain: %v", n, err)
	}
}

func TestBenchSaysWhatItHas(t *testing.T) {
	t.Parallel()
	_, out, _ := ended(t, "", nil, "bench", "help")
	for _, b := range bench.All() {
		has(t, out, b.Name, b.Summary)
	}
	if code, _, _ := ended(t, "", nil, "bench"); code != 2 {
		t.Errorf("without a name: exit code %d", code)
	}
	for args, want := range map[string]string{
		"bench nonsense":                   `unknown benchmark "nonsense"; see: waybill bench help`,
		"bench login-storm --nonsense":     "see: waybill bench login-storm -h",
		"bench login-storm --rate 0":       "--rate, --duration, --rounds and --callers must be positive",
		"bench login-storm --callers many": "see: waybill bench login-storm -h",
		"bench http --callers 1,0":         "the number of callers must be at least 1; see: waybill bench http -h",
		"bench http --work get,put":        `unknown name "put"; see: waybill bench http -h`,
		"bench crowd --phase lists,walls":  `unknown name "walls"; see: waybill bench crowd -h`,
		"bench crowd --streams 0":          "the sizes of the crowd must be positive",
		"bench held --needing 0":           "--duration, --callers and --needing must be positive",
		"bench replicas --callers 0":       "--duration, --callers and --rounds must be positive",
		"bench http --tenants 0":           "--tenants and --processes must be positive",
		"bench http --seconds 0":           "--seconds, --rounds, --accounts and --pickups must be positive",
		"bench http --compare http://x":    "--compare needs --tenant and --token, or --ready-file",
	} {
		code, out, errors := ended(t, "", nil, strings.Fields(args)...)
		if code != 1 || out != "" || strings.Count(errors, "\n") != 1 {
			t.Errorf("%s: exit code %d: %s%s", args, code, out, errors)
		}
		has(t, errors, want)
	}
	_, out, _ = ended(t, "", []string{"DATABASE_URL=postgres://u:hidden@localhost/x"}, "bench", "login-storm", "-h")
	has(t, out, "-json", "-rounds")
	hasNot(t, out, "hidden")
}
