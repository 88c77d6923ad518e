package batch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// failed is an error of a known kind; any other is Unknown.
type failed Failure

func (f failed) Error() string { return fmt.Sprintf("failure %d", int(f)) }

var (
	errRejected    error = failed(Rejected)
	errUnavailable error = failed(Unavailable)
	errDeadlock    error = failed(Deadlock)
	errLockTimeout error = failed(LockTimeout)
	errRevoked     error = failed(Revoked)
	errFailed      error = failed(Failed)
)

func classify(err error) Failure {
	var f failed
	errors.As(err, &f)
	return Failure(f)
}

// flushes records the values of each statement, each of which takes a moment.
type flushes struct {
	mu    sync.Mutex
	asked [][]int
	fails func([]int) error
}

func (f *flushes) flush(_ context.Context, asks []int) ([]int, error) {
	f.mu.Lock()
	f.asked = append(f.asked, slices.Clone(asks))
	f.mu.Unlock()
	time.Sleep(time.Millisecond)
	if f.fails != nil {
		if err := f.fails(asks); err != nil {
			return nil, err
		}
	}
	answers := make([]int, len(asks))
	for i, a := range asks {
		answers[i] = -a
	}
	return answers, nil
}

// sent returns the number of statements.
func (f *flushes) sent() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.asked)
}

// config is that of a batcher of numbers. Each number is its own row and, modulo 256, a caller.
func (f *flushes) config(inFlight int) Config[int, int, int] {
	return Config[int, int, int]{
		Flush:    f.flush,
		Resolve:  func(_ context.Context, ask int) (int, error) { return 1000 + ask, nil },
		Classify: classify,
		OwnRows:  func(ask int) []int { return []int{ask} },
		Caller:   func(ask int) int { return ask % 256 },
		Limits:   Limits{MaxInFlight: inFlight, MaxBatch: 64, MaxQueue: 100},
	}
}

func (f *flushes) batcher(inFlight int) *Batcher[int, int, int] { return New(f.config(inFlight)) }

// together sends all requests at once, and returns each one's answer and error.
func together(b *Batcher[int, int, int], asks ...int) ([]int, []error) {
	answers, errs := make([]int, len(asks)), make([]error, len(asks))
	var wg sync.WaitGroup
	for i, ask := range asks {
		wg.Go(func() { answers[i], errs[i] = b.Do(context.Background(), ask) })
	}
	wg.Wait()
	return answers, errs
}

func upTo(n int) (asks []int) {
	for i := range n {
		asks = append(asks, i)
	}
	return asks
}

// held is a flush that waits for release, for requests from 100 on.
func (f *flushes) held(release <-chan struct{}) func(context.Context, []int) ([]int, error) {
	return func(ctx context.Context, asks []int) ([]int, error) {
		if asks[0] >= 100 {
			<-release
		}
		return f.flush(ctx, asks)
	}
}
