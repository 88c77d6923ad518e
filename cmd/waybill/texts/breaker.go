package texts

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	failuresToOpen = 5
	firstPause     = time.Second
	longestPause   = 30 * time.Second
)

// Breaker is a circuit breaker for a gateway. It opens after a few consecutive failures: for a pause
// nobody may send; then one sender may try, and depending on the result the breaker closes for all, or
// the pause doubles. A gateway that sends Retry-After is left alone for that long from its first
// answer.
type Breaker struct {
	clock Clock

	mu       sync.Mutex
	failures int // consecutive failures
	pause    time.Duration
	until    time.Time
	open     bool
	trying   bool          // the trial of an open breaker is running
	changed  chan struct{} // closed at the next change
}

// Clock tells the time and waits. Tests use a faster one.
type Clock struct {
	Now   func() time.Time
	After func(time.Duration) <-chan time.Time
}

// WallClock is the real clock.
var WallClock = Clock{time.Now, time.After}

// NewBreaker returns a closed breaker.
func NewBreaker(clock Clock) *Breaker {
	return &Breaker{clock: clock, changed: make(chan struct{})}
}

// Open reports whether the gateway is considered down.
func (b *Breaker) Open() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open
}

// Enter waits at most maxWait until the caller may send, and reports whether it may. If so, the caller
// must report the result with Succeeded, Failed or Left.
func (b *Breaker) Enter(ctx context.Context, maxWait time.Duration) bool {
	expired := b.clock.After(maxWait)
	for {
		may, wait, changed := b.try()
		if may {
			return true
		}
		select {
		case <-changed:
		case <-b.clock.After(wait):
		case <-expired:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// Try is Enter for a caller who does not wait. isTrial says that the breaker is open, and that this is the only sender
// that may try.
func (b *Breaker) Try() (may, isTrial bool) {
	may, _, changed := b.try()
	return may, may && changed != nil
}

func (b *Breaker) try() (may bool, wait time.Duration, changed <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open {
		return true, 0, nil
	}
	if wait = b.until.Sub(b.clock.Now()); wait <= 0 && !b.trying {
		b.trying = true
		return true, 0, b.changed
	}
	return false, max(wait, firstPause/10), b.changed
}

// Succeeded closes the breaker: the gateway answers.
func (b *Breaker) Succeeded() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.open, b.trying, b.pause = 0, false, false, 0
	b.change()
}

// Failed counts a failure, which may open the breaker or keep it open. retryAfter is the gateway's
// Retry-After, or 0.
func (b *Breaker) Failed(retryAfter time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures++
	asked := b.clock.Now().Add(retryAfter)
	switch {
	case b.open && !b.trying: // sent before it opened
		if retryAfter > 0 && asked.After(b.until) {
			b.until = asked
			b.change()
		}
		return
	case !b.open && b.failures < failuresToOpen && retryAfter == 0:
		return
	}
	b.pause = min(max(firstPause, 2*b.pause), longestPause)
	b.open, b.trying = true, false
	// Jitter: other processes found it down at the same moment.
	b.until = b.clock.Now().Add(b.pause/2 + rand.N(b.pause/2))
	if retryAfter > 0 && asked.After(b.until) {
		b.until = asked.Add(rand.N(firstPause))
	}
	b.change()
}

// Wait returns how long nobody may send, 0 if sending is allowed.
func (b *Breaker) Wait() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open {
		return 0
	}
	return max(0, b.until.Sub(b.clock.Now()))
}

// Canceled reports that the sender was canceled without a result.
func (b *Breaker) Canceled() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trying = false
	b.change()
}

func (b *Breaker) change() {
	close(b.changed)
	b.changed = make(chan struct{})
}
