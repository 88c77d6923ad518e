package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"waybill/cmd/waybill/bench"
	"waybill/db/dbtest"
)

func TestLoginStormPrintsOneLine(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t, invariants)
	code, out, errors := ended(t, "", []string{"DATABASE_URL=" + d.OwnerURL},
		"bench", "login-storm", "--json", "--duration", "200ms", "--rounds", "2", "--rate", "50", "--callers", "3", "--bcrypt-cost", "4")
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
	}
	if err := json.Unmarshal([]byte(out), &r); code != 0 || err != nil || strings.Count(out, "\n") != 1 || errors != "" {
		t.Fatalf("exit code %d, %v: %s%s", code, err, out, errors)
	}
	if r.Benchmark != "login-storm" || len(r.Rounds) != 2 || r.Ratio <= 0 || r.Logins.Opened < 3 || r.Logins.Other != 0 {
		t.Errorf("%s", out)
	}
	for _, part := range []latency{r.Alone, r.Storm} {
		if part.Count != 20 || part.Failed != 0 || part.P50 <= 0 || part.P99 < part.P50 {
			t.Errorf("%+v in %s", part, out)
		}
	}
}

func TestInterruptedBenchStopsWhatItStarted(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t, invariants)
	p := start(t, []string{"DATABASE_URL=" + d.OwnerURL}, "bench", "login-storm", "--duration", "1h", "--bcrypt-cost", "4", "--rate", "5")
	eventually(t, "it measures", func() bool { return strings.Contains(p.out.String(), "rounds") })
	p.signal(os.Interrupt)
	if code := p.wait(); code != 1 {
		t.Errorf("exit code %d", code)
	}
	has(t, p.errors.String(), "waybill: interrupted: nothing was measured")
	// No server of it has a connection any more: it was stopped in order.
	var n int
	err := d.Owner().QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'waybill'`).Scan(&n)
	if err != nil || n != 0 {
		t.Errorf("%d connections are left: %v", n, err)
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
		"bench nonsense":                   `there is no benchmark "nonsense"; see: waybill bench help`,
		"bench login-storm --nonsense":     "see: waybill bench login-storm -h",
		"bench login-storm --rate 0":       "--rate, --duration, --rounds and --callers must be positive",
		"bench login-storm --callers many": "see: waybill bench login-storm -h",
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
