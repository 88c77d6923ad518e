//go:build linux && !race

package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestBenchReplicasTellsWhatAReadCostsThePrimary(t *testing.T) {
	t.Parallel()
	code, out, errors := ended(t, "", nil, "bench", "replicas", "--json", "--duration", "500ms", "--callers", "4",
		"--rounds", "1")
	if code != 0 || errors != "" {
		t.Fatalf("exit code %d: %s%s", code, out, errors)
	}
	type use struct {
		PerSecond float64  `json:"per_second"`
		Primary   *float64 `json:"primary_us"` // 0 if a slow machine had no hundredth of a second for it
	}
	lines := 0
	for line := range strings.Lines(out) {
		var r struct {
			Benchmark, Operation string
			Alone, Replica       use
			Ratio                *float64 `json:"primary_ratio"`
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil || r.Benchmark != "replicas" || r.Operation == "" ||
			r.Alone.PerSecond == 0 || r.Replica.PerSecond == 0 || r.Alone.Primary == nil || r.Ratio == nil {
			t.Errorf("%v: %s", err, line)
		}
		lines++
	}
	if lines < 3 {
		t.Errorf("%d lines", lines)
	}
	code, _, errors = ended(t, "", []string{"DATABASE_URL=postgres://localhost/x"}, "bench", "replicas")
	if code != 1 || !strings.Contains(errors, "unset DATABASE_URL") {
		t.Errorf("with a database of others: exit code %d: %s", code, errors)
	}
}
