package batch

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestAnotherBatchStartsBesideASlowOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, release := &flushes{}, make(chan struct{})
		b := f.batcher(2)
		b.config.Flush = f.held(release)
		var stuck sync.WaitGroup
		defer stuck.Wait()
		defer close(release)
		stuck.Go(func() { b.Do(t.Context(), 100) })
		synctest.Wait()
		start := time.Now()
		together(b, upTo(parallelBatchMin-1)...)
		if took := time.Since(start); len(f.asked) != 1 || took < slowBatchAfter || took > 2*slowBatchAfter {
			t.Errorf("batches of %v after %v; want one of all as soon as the first is slow", f.asked, took)
		}
		start = time.Now()
		if b.Do(t.Context(), 7); time.Since(start) != time.Millisecond {
			t.Errorf("a lone request beside it took %v", time.Since(start))
		}
		stuck.Go(func() { b.Do(t.Context(), 101) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 10*slowBatchAfter)
		defer cancel()
		if _, err := b.Do(ctx, 8); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a third batch started beside two: %v", err)
		}
	})
}

func TestManyWaitingRequestsStartAParallelBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{}
		together(f.batcher(2), upTo(1+parallelBatchMin+parallelBatchMin-1)...)
		var sizes []int
		for _, asks := range f.asked {
			sizes = append(sizes, len(asks))
		}
		slices.Sort(sizes) // the first two start at one moment
		if !slices.Equal(sizes, []int{1, parallelBatchMin - 1, parallelBatchMin}) {
			t.Errorf("batches of %v; want one of the first, one of the next that waited, and one of the rest", sizes)
		}
	})
}

// Smaller and smaller batches would follow each other: each costs nearly as much as a large one.
func TestAParallelBatchIsNoSmallerThanTheOneInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := (&flushes{}).batcher(2)
		b.start(make([]*request[int, int, int], 3*parallelBatchMin))
		for waiting, may := range map[int]bool{parallelBatchMin: false, 3*parallelBatchMin - 1: false,
			3 * parallelBatchMin: true} {
			b.queue = make([]*request[int, int, int], waiting)
			if b.mayStart() != may {
				t.Errorf("beside %d in flight %d that wait may start: %t", 3*parallelBatchMin, waiting, !may)
			}
		}
		b.inFlight[0].started = time.Now().Add(-slowBatchAfter)
		if b.queue = b.queue[:1]; !b.mayStart() {
			t.Error("beside a slow batch nothing may start")
		}
	})
}
