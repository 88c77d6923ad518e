package batch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// unreliable answers requests after a random time, or fails in one of several ways. It
// panics if two requests of one row run at once.
func unreliable() func(context.Context, []int) ([]string, error) {
	var running [100]atomic.Int32
	return func(_ context.Context, asks []int) ([]string, error) {
		answers := make([]string, len(asks))
		for i, a := range asks {
			if running[a].Add(1) != 1 {
				panic("two of one row at once")
			}
			answers[i] = fmt.Sprint(a)
		}
		time.Sleep(time.Duration(rand.N(int64(200 * time.Microsecond))))
		for _, a := range asks {
			running[a].Add(-1)
		}
		switch rand.N(10) {
		case 0:
			return nil, errRejected
		case 1:
			return nil, errors.New("connection reset by peer")
		}
		return answers, nil
	}
}

// TestEachRequestIsAnsweredOnce runs many callers over few rows, with statements that fail
// in several ways, and counts.
func TestEachRequestIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	b := New(Config[int, string, int]{
		Flush:      unreliable(),
		Resolve:    func(_ context.Context, ask int) (string, error) { return fmt.Sprint(ask), nil },
		Classify:   classify,
		OwnRows:    func(ask int) []int { return []int{ask} },
		SharedRows: func(ask int) []int { return []int{ask % 5} },
		Caller:     func(ask int) int { return ask % 7 },
		Limits:     Limits{MaxInFlight: 2, MaxBatch: 16, MaxQueue: 1000},
	})
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for range 100 {
				ask := rand.N(100)
				if got, err := b.Do(context.Background(), ask); err == nil && got != fmt.Sprint(ask) {
					t.Errorf("%d got %q", ask, got)
				} else if err != nil && !errors.Is(err, errRejected) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for range 1000 { // the last batches finish after they answered
		if b.idle() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("left over: %d waiting, %d and %d rows, %d in flight",
		len(b.queue), len(b.ownRows), len(b.sharedRows), len(b.inFlight))
}

// idle tells whether nothing waits, is in flight or is taken.
func (b *Batcher[Q, A, K]) idle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queue)+len(b.ownRows)+len(b.sharedRows)+len(b.inFlight) == 0 && !b.quarantineBusy
}
