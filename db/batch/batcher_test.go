package batch

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// What a batcher does with requests, whatever their statement. That each statement answers
// its requests as if they came one by one is tested on the database.

func TestLoneRequestStartsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{}
		start := time.Now()
		answer, err := f.batcher(1).Do(t.Context(), 7)
		if answer != -7 || err != nil || time.Since(start) != time.Millisecond {
			t.Errorf("%d, %v after %v; want -7 after one statement", answer, err, time.Since(start))
		}
	})
}

func TestRequestsGatherWhileABatchIsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{}
		asks := upTo(33)
		answers, errs := together(f.batcher(1), asks...)
		for i := range asks {
			if answers[i] != -i || errs[i] != nil {
				t.Errorf("%d got %d, %v", i, answers[i], errs[i])
			}
		}
		if len(f.asked) != 2 || len(f.asked[1]) != 32 {
			t.Errorf("batches of %v; want one of 1, and one of the 32 that came meanwhile", f.asked)
		}
	})
}

func TestFullQueueRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{}
		b := f.batcher(1)
		b.config.MaxQueue = 10
		_, errs := together(b, upTo(20)...)
		refused := 0
		for _, err := range errs {
			if errors.Is(err, ErrQueueFull) {
				refused++
			} else if err != nil {
				t.Error(err)
			}
		}
		if refused != 9 {
			t.Errorf("%d refused; want 20 but one in flight and ten that wait", refused)
		}
	})
}

func TestCanceledRequestIsDroppedBeforeItsBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{}
		b := f.batcher(1)
		go b.Do(t.Context(), 1)
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error)
		go func() { _, err := b.Do(ctx, 2); gone <- err }()
		synctest.Wait()
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("the canceled request got %v", err)
		}
		together(b, 3)
		for _, asks := range f.asked {
			if slices.Contains(asks, 2) {
				t.Errorf("batches of %v: 2 was canceled", f.asked)
			}
		}
	})
}

func TestCanceledRequestInFlightLeavesTheOthersTheirAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{}
		b := f.batcher(1)
		go b.Do(t.Context(), 1)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Microsecond) // the second batch is in flight by then
		defer cancel()
		gone := make(chan error)
		go func() { _, err := b.Do(ctx, 2); gone <- err }()
		answers, errs := together(b, 3)
		if err := <-gone; !errors.Is(err, context.DeadlineExceeded) || answers[0] != -3 || errs[0] != nil {
			t.Errorf("the canceled request got %v, the other %d, %v", err, answers[0], errs[0])
		}
		if len(f.asked) != 2 || len(f.asked[1]) != 2 {
			t.Errorf("batches of %v; want one of the two", f.asked)
		}
	})
}

// A request without a batch waits for locked rows, in its caller's context; a batch does
// neither.
func TestUnbatchedRequestWaitsForLocks(t *testing.T) {
	type marked struct{}
	f := &flushes{}
	config := f.config(1)
	config.Flush = func(ctx context.Context, asks []int) ([]int, error) { return []int{1}, ctx.Err() }
	config.FlushWaiting = func(ctx context.Context, asks []int) ([]int, error) {
		if ctx.Value(marked{}) != nil {
			t.Error("it has the context of a batch")
		}
		return []int{2}, ctx.Err()
	}
	config.BatchContext = func(ctx context.Context) context.Context { return context.WithValue(ctx, marked{}, true) }
	b := New(config)
	batched, _ := b.Do(t.Context(), 7)
	unbatched, _ := b.DoUnbatched(t.Context(), 7)
	config.Unbatched = true
	never, _ := New(config).Do(t.Context(), 7)
	if batched != 1 || unbatched != 2 || never != 2 {
		t.Errorf("%d, %d and %d; want 1 from Flush, and 2 from FlushWaiting", batched, unbatched, never)
	}
}
