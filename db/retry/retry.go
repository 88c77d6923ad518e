// Package retry repeats what failed, or found nothing, and may succeed a moment later. It is
// the only such loop of this module, beside the wait for a locked row in package batch: a
// bounded number of attempts, exponential backoff with jitter, and an end when the context ends.
//
// It decides nothing about what is safe to repeat: an attempt that returns ErrRetry says that
// it was not applied (the server refused it and rolled back, or no row matched), or that
// it is idempotent.
package retry

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// MaxAttempts is the usual number of attempts.
const MaxAttempts = 7

// ErrRetry is the error of an attempt that is to be repeated. One that only wraps it is not:
// what was given up further down is not taken up again further up.
var ErrRetry = errors.New("try again")

// Do calls try with the number of the attempt, from 0, until it returns anything but ErrRetry,
// and returns that; after maxAttempts, ErrRetry. It returns the context's error if ctx ends
// while it waits for the next attempt. The waits are those of a request: 4 ms at first.
func Do(ctx context.Context, maxAttempts int, try func(attempt int) error) error {
	return Loop{MaxAttempts: maxAttempts, First: 4 * time.Millisecond}.Do(ctx, try)
}

// Loop is how often and how long to wait between attempts.
type Loop struct {
	MaxAttempts int
	First       time.Duration       // before the second attempt; twice as long after each
	Longest     time.Duration       // none is longer; 0: no limit
	Waits       func(time.Duration) // if not nil, is called before each wait
}

// Do calls try as the function Do does.
func (l Loop) Do(ctx context.Context, try func(attempt int) error) error {
	for attempt := 0; ; attempt++ {
		err := try(attempt)
		if err != ErrRetry || attempt+1 >= l.MaxAttempts {
			return err
		}
		wait := l.backoff(attempt)
		if l.Waits != nil {
			l.Waits(wait)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// backoff returns how long to wait after an attempt: twice as long after each, less up to half of it at
// random, so that those who failed together do not return together.
func (l Loop) backoff(attempt int) time.Duration {
	wait := l.First
	for range attempt {
		if wait *= 2; l.Longest > 0 && wait >= l.Longest {
			wait = l.Longest
			break
		}
	}
	return wait/2 + rand.N(wait/2)
}
