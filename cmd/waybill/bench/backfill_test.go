package bench

import "testing"

// One of the two ratios that is too great is enough: the median of the rounds leaves out what is rare.
func TestABackfillThatSlowsRequestsDownIsTold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		median, overall float64
		slow            bool
	}{{1.03, 1.19, false}, {1.03, 1.35, true}, {1.25, 1.1, true}, {0, 0, false}} {
		if err := (&backfillResult{P99Ratio: c.median, Overall: c.overall}).slow(); (err != nil) != c.slow {
			t.Errorf("%.2f in the median, %.2f of all: %v", c.median, c.overall, err)
		}
	}
}
