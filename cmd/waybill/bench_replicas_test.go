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
		PerSecond float64 `json:"per_second"`
		Primary   float64 `json:"primary_us"`
		Standby   float64 `json:"standby_us"`
	}
	lines := 0
	for line := range strings.Lines(out) {
		var r struct {
			Benchmark, Operation string
			Alone, Replica       use
			Ratio                float64 `json:"primary_ratio"`
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil || r.Benchmark != "replicas" || r.Operation == "" ||
			r.Alone.PerSecond == 0 || r.Replica.PerSecond == 0 || r.Alone.Primary == 0 || r.Ratio == 0 {
			t.Errorf("%v: %s", err, line)
		}
		if r.Replica.Standby <= r.Alone.Standby {
			t.Errorf("the replica has no part in its reads: %s", line)
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
