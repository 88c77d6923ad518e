package bench

import (
	"testing"
	"time"
)

func TestTheReportedLoadHasItsSpikes(t *testing.T) {
	t.Parallel()
	s := soak{rate: 2_000, spikeRate: 10_000, duration: 10 * time.Minute, spike: 10 * time.Second, spikes: 3}
	for at, want := range map[time.Duration]int64{
		0:                               0,
		time.Second:                     2_000,
		150 * time.Second:               300_000, // the first begins
		155 * time.Second:               350_000,
		160 * time.Second:               400_000, // and ends
		10 * time.Minute:                1_440_000,
		time.Hour:                       1_440_000,
		10*time.Minute - 10*time.Second: 1_420_000,
	} {
		if got := s.intended(at); got != want {
			t.Errorf("after %v: %d, want %d", at, got, want)
		}
	}
}
