package bench

import (
	"math"
	"testing"
)

// A report that comes late, or not at all, is no reason to lose the run.
func TestPgbenchRateSurvivesASlowMachine(t *testing.T) {
	t.Parallel()
	const end = "\ntps = 50.5 (without initial connection time)\n"
	for what, test := range map[string]struct {
		out  string
		want float64
	}{
		"in time": {"progress: 1.0 s, 10.0 tps, lat 1\nprogress: 2.0 s, 100.0 tps, lat 1\n" +
			"progress: 3.0 s, 200.0 tps, lat 1" + end, 150},
		"the second is late": {"progress: 1.0 s, 10.0 tps, lat 1\nprogress: 4.0 s, 100.0 tps, lat 1\n" +
			"progress: 5.0 s, 200.0 tps, lat 1" + end, 125},
		"the only one is late": {"progress: 4.2 s, 40.0 tps, lat 1" + end, 50.5},
		"none":                 {end, 50.5},
	} {
		if got, err := pgbenchRate(test.out, 1); err != nil || math.Abs(got-test.want) > 0.001 {
			t.Errorf("%s: %v, %v; want %v", what, got, err, test.want)
		}
	}
	for what, out := range map[string]string{
		"no rate":      "pgbench: error: connection refused",
		"no operation": "progress: 2.0 s, 0.0 tps\ntps = 0.0 (without initial connection time)",
	} {
		if got, err := pgbenchRate(out, 1); err == nil {
			t.Errorf("%s: %v", what, got)
		}
	}
}
