//go:build !race

// Clusters are processes, which share no memory with a test.

package main

import (
	"encoding/json"
	"testing"
)

// No client reads anything older than what it has read and written, while standbys are late, stop and take over. Where
// reads go to replicas whatever they have replayed, the check finds it. Nothing depends on how fast the machine is:
// what is late in the control stays so until the clients are done. Long forks are counted, and fail nothing:
// TestALongForkIsNotExcluded.
func TestClientsOfReplicasReadNothingStale(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string][]string{"replicas": nil, "control": {"--control"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, out, errors := ended(t, "", nil,
				append([]string{"prove", "replicas", "--json", "--reads", "4000", "--seed", "7"}, flags...)...)
			var r map[string]any
			if err := json.Unmarshal([]byte(out), &r); err != nil {
				t.Fatalf("%v: %s%s", err, out, errors)
			}
			if code != 0 || r["reads"].(float64) < 3000 || r["seed"] != 7.0 || r["other_anomalies"] != 0.0 ||
				(r["stale"] == 0.0) == (name == "control") {
				t.Errorf("exit code %d: %s%s", code, out, errors)
			}
			if r["long_forks"] != 0.0 {
				t.Logf("long forks, which are not excluded: %s", out)
			}
		})
	}
}
