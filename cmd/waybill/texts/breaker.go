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

// Breaker keeps senders from a gateway that does not answer. After a few failures in a
// row it opens: for a pause, nobody may send; then one may try, and by what becomes of
// that one, the breaker closes for all or the pause is twice as long. A gateway that says
// for how long it wants no requests is left alone for so long from the first time.
type Breaker struct {
	clock Clock

	mu       sync.Mutex
	failures int // in a row
	pause    time.Duration
	until    time.Time
	open     bool
	trying   bool          // one is, while it is open
	changed  chan struct{} // closed at the next change
}

// Clock tells the time and waits. Tests have one that runs faster.
type Clock struct {
	Now   func() time.Time
	After func(time.Duration) <-chan time.Time
}

// WallClock is the usual one.
var WallClock = Clock{time.Now, time.After}

// NewBreaker makes one that is closed.
func NewBreaker(clock Clock) *Breaker {
	return &Breaker{clock: clock, changed: make(chan struct{})}
}

// Open tells whether the gateway is thought to be down.
func (b *Breaker) Open() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open
}

// Enter waits until its caller may send, no longer than patience, and tells whether
// they may. Whoever may must say what came of it, by Succeeded, Failed or Left.
func (b *Breaker) Enter(ctx context.Context, patience time.Duration) bool {
	tired := b.clock.After(patience)
	for {
		may, wait, changed := b.try()
		if may {
			return true
		}
		select {
		case <-changed:
		case <-b.clock.After(wait):
		case <-tired:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

func (b *Breaker) try() (may bool, wait time.Duration, changed <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open {
		return true, 0, nil
	}
	if wait = b.until.Sub(b.clock.Now()); wait <= 0 && !b.trying {
		b.trying = true
		return true, 0, nil
	}
	return false, max(wait, firstPause/10), b.changed
}

// Succeeded closes it: the gateway answers.
func (b *Breaker) Succeeded() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.open, b.trying, b.pause = 0, false, false, 0
	b.change()
}

// Failed counts, and opens it or keeps it open. retryAfter is how long the gateway asks to
// be left alone; 0: it does not say.
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
	// Not in step with other processes that found it down at the same moment.
	b.until = b.clock.Now().Add(b.pause/2 + rand.N(b.pause/2))
	if retryAfter > 0 && asked.After(b.until) {
		b.until = asked.Add(rand.N(firstPause))
	}
	b.change()
}

// Wait tells how long nobody may send, 0 if somebody may.
func (b *Breaker) Wait() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open {
		return 0
	}
	return max(0, b.until.Sub(b.clock.Now()))
}

// Left says that nothing came of it: the sender had to go.
func (b *Breaker) Left() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trying = false
	b.change()
}

func (b *Breaker) change() {
	close(b.changed)
	b.changed = make(chan struct{})
}
