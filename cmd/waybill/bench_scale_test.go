package main

import (
	"encoding/json"
	"strings"
	"testing"

	"waybill/cmd/waybill/bench"
	"waybill/db/dbtest"
)

// scaleLine is a line of bench scale --json.
type scaleLine struct {
	Operation, Viewer, Which string
	Sizes                    []struct {
		Pickups, Requests int
		P50               float64 `json:"p50_ms"`
		P99               float64 `json:"p99_ms"`
		Pages             *float64
		Error             string
	}
	Ratio *float64
	Pages *float64 `json:"pages_ratio"`
}

// scaleLines runs the benchmark, and checks the content of each line for a number of sizes.
func scaleLines(t *testing.T, databaseURL string, sizes int, args ...string) []scaleLine {
	t.Helper()
	args = append([]string{"bench", "scale", "--json", "--facilities", "60", "--seconds", "0.01", "--rounds", "1"},
		args...)
	code, out, errors := ended(t, "", []string{"DATABASE_URL=" + databaseURL}, args...)
	if code != 0 || errors != "" {
		t.Fatalf("exit code %d: %s%s", code, out, errors)
	}
	var all []scaleLine
	for text := range strings.Lines(out) {
		var l scaleLine
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if len(l.Sizes) != sizes || (l.Ratio != nil) != (sizes > 1) {
			t.Errorf("want %d sizes: %s", sizes, text)
		}
		for _, s := range l.Sizes {
			if s.Error != "" || s.Requests < 1 || s.P50 <= 0 || s.P99 < s.P50 || s.Pages != nil && *s.Pages <= 0 {
				t.Errorf("%s", text)
			}
		}
		all = append(all, l)
	}
	return all
}

func TestScaleBenchPrintsALineForEachOperationAndRole(t *testing.T) {
	t.Parallel()
	dbtest.Thorough(t, "what a benchmark prints of each operation")
	lines := map[[3]string]bool{}
	for _, l := range scaleLines(t, "", 2, "--sizes", "4000,8000") {
		lines[[3]string{l.Operation, l.Viewer, l.Which}] = true
		if l.Pages == nil {
			t.Errorf("%s by %s: pages were not counted", l.Operation, l.Viewer)
		}
	}
	want := 0
	for _, r := range bench.ScaleReads() {
		want += len(r.Viewers)
		for _, viewer := range r.Viewers {
			if !lines[[3]string{r.Operation, bench.ScaleViewer(viewer), r.Which}] {
				t.Errorf("%s by %s, %s: no line", r.Operation, bench.ScaleViewer(viewer), r.Which)
			}
		}
	}
	for _, write := range []string{"create-pickup", "submit-pickup", "cancel-pickup", "charge-account",
		"sync-appointments"} {
		found := false
		for l := range lines {
			found = found || l[0] == write
		}
		if !found {
			t.Errorf("%s: no line", write)
		}
	}
	if len(lines) != want+6 {
		t.Errorf("%d lines differ, of %d", len(lines), want+6)
	}
}

func TestScaleBenchFillsAnEmptyDatabaseOnce(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	lines := scaleLines(t, d.OwnerURL, 1, "--sizes", "400", "--only", "^(get-session, admin|create)")
	if len(lines) != 2 || lines[0].Operation != "get-session" || lines[1].Operation != "create-pickup" {
		t.Errorf("got %+v", lines)
	}
	var n int
	if err := d.Owner().QueryRow(t.Context(), "SELECT count(*) FROM pickups").Scan(&n); err != nil || n < 400 {
		t.Errorf("%d pickups, %v", n, err)
	}
	for args, want := range map[string]string{
		"--sizes 400":             "the database has tenants",
		"--sizes 400,500":         "one database has one size",
		"--sizes 199":             "at least 200",
		"--sizes 300,300":         "the sizes must differ",
		"--rounds 0":              "must be positive",
		"--sizes 400 --limit 1us": "the limit of 1µs was reached",
	} {
		code, out, errors := ended(t, "", []string{"DATABASE_URL=" + d.OwnerURL},
			append([]string{"bench", "scale"}, strings.Fields(args)...)...)
		if code != 1 || out != "" {
			t.Errorf("%s: exit code %d: %s", args, code, out)
		}
		has(t, errors, want)
	}
}
