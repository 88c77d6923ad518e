package batch

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"waybill/db/retry"
)

func TestDeadlockIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{}
		f.fails = func([]int) error {
			if len(f.asked) < 3 {
				return errDeadlock
			}
			return nil
		}
		if answers, errs := together(f.batcher(1), 1); answers[0] != -1 || errs[0] != nil {
			t.Errorf("got %v, %v", answers, errs)
		}
	})
}

// A deadlock's victim was rolled back: it alone is sent again. What may have been committed is
// not, and neither is what the server rejected.
func TestOnlyADeadlockIsSentAgain(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		times int
	}{
		"deadlock":     {errDeadlock, 1 + maxDeadlockRetries},
		"unknown":      {errors.New("connection reset by peer"), 1},
		"unavailable":  {errUnavailable, 1},
		"rejected":     {errRejected, 1},
		"lock timeout": {errLockTimeout, 1},
		"revoked":      {errRevoked, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &flushes{fails: func([]int) error { return c.err }}
				f.batcher(1).Do(t.Context(), 1)
				if len(f.asked) != c.times {
					t.Errorf("it was sent %d times; want %d", len(f.asked), c.times)
				}
			})
		})
	}
}

func TestResolveEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("connection reset by peer")
		f := &flushes{fails: func([]int) error { return broken }}
		config, times := f.config(1), 0
		config.Resolve = func(context.Context, int) (int, error) { times++; return 0, broken }
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_, err := New(config).Do(ctx, 1)
		if !errors.Is(err, ErrUnknownOutcome) || times < 1 || times > 3 {
			t.Errorf("%v after %d times; want the outcome unknown at the deadline", err, times)
		}
	})
}

func TestUnknownOutcomeIsResolved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{fails: func(asks []int) error {
			if len(asks) > 1 {
				return errors.New("connection reset by peer")
			}
			return nil
		}}
		answers, errs := together(f.batcher(1), upTo(5)...)
		resolved := 0
		for i, answer := range answers {
			if errs[i] != nil || answer != -i && answer != 1000+i {
				t.Errorf("%d got %d, %v", i, answer, errs[i])
			}
			if answer == 1000+i {
				resolved++
			}
		}
		if resolved != 4 {
			t.Errorf("%d of the 4 that shared a batch were resolved", resolved)
		}
	})
}

// Each request of a batch gets the error at once: the batch is not split, and no caller is put
// in quarantine.
func TestUnavailableServerIsNoCallersFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{fails: func([]int) error { return errUnavailable }}
		b := f.batcher(1)
		_, errs := together(b, upTo(33)...)
		for i, err := range errs {
			if !errors.Is(err, errUnavailable) {
				t.Errorf("%d got %v", i, err)
			}
		}
		// The first goes alone; whoever came meanwhile shares a batch.
		if len(f.asked) != 2 || len(b.quarantine) > 0 {
			t.Errorf("%d batches, %d callers in quarantine", len(f.asked), len(b.quarantine))
		}
	})
}

func TestPanicIsAnErrorOfItsRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{fails: func(asks []int) error {
			if slices.Contains(asks, 2) {
				panic("no such thing")
			}
			return nil
		}}
		b := f.batcher(1)
		_, errs := together(b, 1, 2, 3)
		for i, err := range errs {
			if panicked := new(PanicError); err != nil && !errors.As(err, &panicked) {
				t.Errorf("%d: %v", i, err)
			}
		}
		if _, errs := together(b, 1, 3); errs[0] != nil || errs[1] != nil {
			t.Errorf("afterwards: %v", errs)
		}
	})
}

func TestUnknownOutcomeIsAskedForAgain(t *testing.T) {
	broken := errors.New("connection reset by peer")
	for name, c := range map[string]struct {
		resolves []error // one after the other, the last for ever
		want     error
		times    int
	}{
		"found at last":                     {[]error{broken, broken, nil}, nil, 3},
		"never found":                       {[]error{broken}, ErrUnknownOutcome, retry.MaxAttempts},
		"rejected, so not applied":          {[]error{broken, errRejected}, errRejected, 2},
		"revoked, which says nothing of it": {[]error{errRevoked}, ErrUnknownOutcome, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &flushes{fails: func([]int) error { return broken }}
				config, times := f.config(1), 0
				config.Resolve = func(context.Context, int) (int, error) {
					err := c.resolves[min(times, len(c.resolves)-1)]
					times++
					return 0, err
				}
				if _, err := New(config).Do(t.Context(), 1); !errors.Is(err, c.want) || times != c.times {
					t.Errorf("%v after %d times; want %v after %d", err, times, c.want, c.times)
				}
			})
		})
	}
}
