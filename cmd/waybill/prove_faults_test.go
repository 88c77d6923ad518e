//go:build !race

// Clusters are processes, which share no memory with a test.

package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestFaultsLoseNothingButTheControl(t *testing.T) {
	t.Parallel()
	const chosen = "killed-backends,failover-without-standby,failover-asynchronous,promoted-replica"
	code, out, errors := ended(t, "", nil, "prove", "faults", "--short", "--json", "--callers", "6", "--seed", "7",
		"--fault", chosen)
	if code != 0 {
		t.Errorf("exit code %d: %s", code, errors)
	}
	var faults []string
	for line := range strings.Lines(out) {
		var r map[string]any
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		for _, name := range []string{"acknowledged", "lost", "doubled", "server_errors", "unavailable_s", "control",
			"seed", "reads", "replica_reads", "stale_reads"} {
			if r[name] == nil {
				t.Errorf("no %s in %s", name, line)
			}
		}
		if (r["lost"] != 0.0) != (r["control"] == true) || r["doubled"] != 0.0 || r["stale_reads"] != 0.0 ||
			r["seed"] != 7.0 || (r["replica_reads"] != 0.0) != strings.HasSuffix(r["fault"].(string), "-replica") {
			t.Error(line)
		}
		faults = append(faults, r["fault"].(string))
	}
	if got := strings.Join(faults, ","); got != chosen {
		t.Errorf("faults %s, want %s", got, chosen)
	}
}

func TestAnUnknownFaultIsRefused(t *testing.T) {
	t.Parallel()
	code, _, errors := ended(t, "", nil, "prove", "faults", "--fault", "locusts")
	if code != 1 || !strings.Contains(errors, `unknown fault "locusts"; the faults are: no-fault, `) {
		t.Errorf("exit code %d: %s", code, errors)
	}
}
