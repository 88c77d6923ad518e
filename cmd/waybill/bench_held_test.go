package main

import (
	"encoding/json"
	"strings"
	"testing"

	"waybill/cmd/waybill/bench"
	"waybill/db/dbtest"
)

func TestBenchHeldPrintsALineForEachRow(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t, invariants)
	code, out, errors := ended(t, "", []string{"DATABASE_URL=" + d.OwnerURL},
		"bench", "held", "--json", "--duration", "200ms", "--callers", "8", "--needing", "3")
	if code != 0 || errors != "" {
		t.Fatalf("exit code %d: %s%s", code, out, errors)
	}
	var rows []string
	for line := range strings.Lines(out) {
		var r struct {
			Benchmark, Row string
			Free, Held     bench.Summary
			Ratio          float64 `json:"p99_ratio"`
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil || r.Benchmark != "held" || r.Free.Count == 0 ||
			r.Held.Count == 0 || r.Ratio <= 0 {
			t.Errorf("%v: %s", err, line)
		}
		rows = append(rows, r.Row)
	}
	if got := strings.Join(rows, " "); got != "pickup account slot" {
		t.Errorf("rows: %s", got)
	}
}
