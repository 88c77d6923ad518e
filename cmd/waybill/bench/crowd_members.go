package bench

import (
	"context"
	"maps"
	"strconv"
	"sync"
	"time"
)

// crowdRun is a running crowd.
type crowdRun struct {
	phase crowdPhase
	ended chan struct{} // closed when members must stop
	cut   context.CancelFunc
	all   sync.WaitGroup

	mu      sync.Mutex
	begun   int
	got     map[string]int // answers by status; "broken" without a status
	changed chan struct{}  // closed at the next answer
}

// startCrowd starts all members.
func startCrowd(ctx context.Context, p crowdPhase) *crowdRun {
	g := &crowdRun{phase: p, ended: make(chan struct{}), got: map[string]int{}, changed: make(chan struct{})}
	ctx, g.cut = context.WithCancel(ctx)
	for range p.members {
		g.all.Go(func() { g.member(ctx) })
	}
	return g
}

// member acts repeatedly until the end.
func (g *crowdRun) member(ctx context.Context) {
	for {
		wait := g.actOnce(ctx)
		if g.phase.once {
			return
		}
		select {
		case <-g.ended:
			return
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// actOnce returns the delay before the next request.
func (g *crowdRun) actOnce(ctx context.Context) (wait time.Duration) {
	g.mu.Lock()
	g.begun++
	g.mu.Unlock()
	answers := 0
	err := g.phase.act(ctx, func(status int) { answers++; g.count(strconv.Itoa(status)) })
	if answers == 0 && err != nil && ctx.Err() == nil {
		g.count("broken")
	}
	if g.phase.holds || err != nil {
		return time.Second
	}
	return 0
}

func (g *crowdRun) count(what string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.got[what]++
	close(g.changed)
	g.changed = make(chan struct{})
}

// maxRampUp is how long a crowd may take to reach its limit.
const maxRampUp = 20 * time.Second

// ready waits until the crowd reaches its limit; if it has none, until each member may have had an
// answer.
func (g *crowdRun) ready(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, maxRampUp)
	defer cancel()
	g.wait(ctx, func() bool {
		return g.got["429"] > 0 || !g.phase.limited && (g.phase.once || g.answers() >= g.phase.members)
	})
}

// wait waits until the condition holds, or ctx ends.
func (g *crowdRun) wait(ctx context.Context, isSo func() bool) {
	for {
		g.mu.Lock()
		done, changed := isSo(), g.changed
		g.mu.Unlock()
		if done {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

func (g *crowdRun) answers() (n int) {
	for _, times := range g.got {
		n += times
	}
	return n
}

// isOver reports whether the measurement has lasted long enough.
func (g *crowdRun) isOver() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.phase.once || g.answers() >= g.phase.members
}

// soFar returns the answers so far, and the number of open requests.
func (g *crowdRun) soFar() (got map[string]int, waiting int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.got), g.begun - g.answers()
}

// stop stops the crowd. Open streams are cut off; other requests may finish, since the server would
// log them as canceled.
func (g *crowdRun) stop() {
	close(g.ended)
	if g.phase.holds {
		g.cut()
	}
	g.all.Wait()
	g.cut()
}
