package bench

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// If a server stalls for a second, at 100 requests per second 100 requests arrive meanwhile and wait
// for 1 s to 10 ms. A closed-loop generator would send one of them, and call the others fast.
func TestRequestsBehindAStallHaveWaited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		loaded, err := Load{PerSecond: 100, For: 10 * time.Second}.Run(t.Context(), func(context.Context, int) error {
			if at := time.Since(begin); at >= 2*time.Second && at < 3*time.Second {
				time.Sleep(3*time.Second - at)
			}
			time.Sleep(time.Millisecond)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		// The tenth longest of 100 in the stall is that of p99.
		if got, want := loaded.Latencies.Summary(), (Summary{1000, 1, 901, 1001}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		if took := time.Since(begin); took != 9991*time.Millisecond {
			t.Errorf("it took %v: the rate was exceeded", took)
		}
	})
}

// A generator that oversleeps starts the due requests at once, and their delay counts as latency.
func TestLatenessOfTheGeneratorCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slept := false
		load := Load{PerSecond: 10, For: time.Second, sleep: func(ctx context.Context, until time.Time) error {
			if !slept {
				slept, until = true, until.Add(450*time.Millisecond)
			}
			return sleepUntil(ctx, until)
		}}
		loaded, err := load.Run(t.Context(), func(context.Context, int) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		for name, l := range map[string]*Latencies{"latency": &loaded.Latencies, "late": &loaded.Late} {
			if got, want := l.Summary(), (Summary{10, 0, 450, 450}); got != want {
				t.Errorf("%s %+v, want %+v", name, got, want)
			}
		}
	})
}

func TestLoadCountsFailuresAndEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		odd := errors.New("odd")
		request := func(_ context.Context, i int) error {
			if i%2 == 1 {
				return odd
			}
			return nil
		}
		loaded, err := Load{PerSecond: 10, For: time.Second}.Run(t.Context(), request)
		if err != nil || loaded.Failed != 5 || loaded.Err != odd {
			t.Errorf("%d failed (%v), %v", loaded.Failed, loaded.Err, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 450*time.Millisecond)
		defer cancel()
		begin := time.Now()
		loaded, err = Load{PerSecond: 10, For: time.Hour}.Run(ctx, request)
		if err == nil || time.Since(begin) != 450*time.Millisecond || loaded.Latencies.Summary().Count != 5 {
			t.Errorf("%v after %v, %d requests", err, time.Since(begin), loaded.Latencies.Summary().Count)
		}
	})
}
