package batch

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestNoTwoBatchesInFlightHaveASharedRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, release := &flushes{}, make(chan struct{})
		b := f.batcher(2)
		b.config.Flush = f.held(release)
		b.config.SharedRows = func(ask int) []int { return []int{ask % 2} }
		var first sync.WaitGroup
		first.Go(func() { b.Do(t.Context(), 100) })
		synctest.Wait()
		for ask := range 10 {
			first.Go(func() { b.Do(t.Context(), ask) })
		}
		time.Sleep(3 * slowBatchAfter)
		synctest.Wait()
		even := func(ask int) bool { return ask%2 == 0 }
		if len(f.asked) != 1 || len(f.asked[0]) != 5 || slices.ContainsFunc(f.asked[0], even) {
			t.Errorf("batches of %v; want one of the odd, while one that shares a row with the even is in flight",
				f.asked)
		}
		close(release)
		first.Wait()
		if len(f.asked) != 3 || len(f.asked[2]) != 5 {
			t.Errorf("batches of %v; want one of all the even in the end", f.asked)
		}
	})
}

func TestRequestsOfOneOwnRowNeverShareABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{}
		var running, most atomic.Int32
		b := f.batcher(3)
		flush := b.config.Flush
		b.config.Flush = func(ctx context.Context, asks []int) ([]int, error) {
			if slices.Contains(asks, 5) {
				most.Store(max(most.Load(), running.Add(1)))
				defer running.Add(-1)
			}
			return flush(ctx, asks)
		}
		together(b, 5, 5, 5, 1, 2, 3, 5)
		seen := 0
		for _, asks := range f.asked {
			n := len(asks) - len(slices.DeleteFunc(slices.Clone(asks), func(a int) bool { return a == 5 }))
			if n > 1 {
				t.Errorf("a batch of %v", asks)
			}
			seen += n
		}
		if seen != 4 || most.Load() != 1 {
			t.Errorf("%d requests of one row, up to %d in flight at once; want 4, one after the other",
				seen, most.Load())
		}
	})
}

// A lone request does not start beside a slow batch whose row it needs, whether for itself
// or shared.
func TestLoneRequestWaitsForItsRows(t *testing.T) {
	for name, c := range map[string]func(*Config[int, int, int]){
		"own row":    func(c *Config[int, int, int]) { c.OwnRows = func(int) []int { return []int{1} } },
		"shared row": func(c *Config[int, int, int]) { c.SharedRows = func(int) []int { return []int{1} } },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, release := &flushes{}, make(chan struct{})
				config := f.config(2)
				c(&config)
				config.Flush = f.held(release)
				b := New(config)
				var all sync.WaitGroup
				all.Go(func() { b.Do(t.Context(), 100) })
				time.Sleep(2 * slowBatchAfter)
				all.Go(func() { b.Do(t.Context(), 1) })
				synctest.Wait()
				if b.Stats().Flushes != 1 {
					t.Error("it started beside the batch that has its row")
				}
				close(release)
				all.Wait()
			})
		})
	}
}

// A request does not overtake an earlier one for the same row: the earlier one waits
// for another row as well.
func TestRequestsOfOneOwnRowKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, release := &flushes{}, make(chan struct{})
		config := f.config(2)
		config.Flush = f.held(release)
		config.OwnRows = func(ask int) []int { return map[int][]int{100: {1}, 1: {1, 2}, 2: {2}}[ask] }
		b := New(config)
		var all sync.WaitGroup
		for _, ask := range []int{100, 1, 2} {
			all.Go(func() { b.Do(t.Context(), ask) })
			synctest.Wait()
		}
		time.Sleep(3 * slowBatchAfter)
		if b.Stats().Flushes != 1 {
			t.Errorf("batches of %v: 2 overtook 1", f.asked)
		}
		close(release)
		all.Wait()
	})
}
