package bench

import (
	"context"
	"maps"
	"strconv"
	"sync"
	"time"
)

// gathering is a crowd at work.
type gathering struct {
	phase crowdPhase
	ended chan struct{} // closed when no member is to act again
	cut   context.CancelFunc
	all   sync.WaitGroup

	mu      sync.Mutex
	begun   int
	got     map[string]int // by status, "broken" without one
	changed chan struct{}  // closed at the next answer
}

// gather has all members begin.
func gather(ctx context.Context, p crowdPhase) *gathering {
	g := &gathering{phase: p, ended: make(chan struct{}), got: map[string]int{}, changed: make(chan struct{})}
	ctx, g.cut = context.WithCancel(ctx)
	for range p.members {
		g.all.Go(func() { g.member(ctx) })
	}
	return g
}

// member acts until the end.
func (g *gathering) member(ctx context.Context) {
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

// actOnce gives how long to wait before the next time.
func (g *gathering) actOnce(ctx context.Context) (wait time.Duration) {
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

func (g *gathering) count(what string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.got[what]++
	close(g.changed)
	g.changed = make(chan struct{})
}

// crowdGathers is how long one may take to be one.
const crowdGathers = 20 * time.Second

// ready waits until the crowd meets its limit, or, where it may meet none, until each
// member may have had an answer.
func (g *gathering) ready(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, crowdGathers)
	defer cancel()
	g.wait(ctx, func() bool {
		return g.got["429"] > 0 || !g.phase.limited && (g.phase.once || g.answers() >= g.phase.members)
	})
}

// wait until it is so, or ctx ends.
func (g *gathering) wait(ctx context.Context, isSo func() bool) {
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

func (g *gathering) answers() (n int) {
	for _, times := range g.got {
		n += times
	}
	return n
}

// isOver tells whether it was measured long enough.
func (g *gathering) isOver() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.phase.once || g.answers() >= g.phase.members
}

// soFar is what they got, and how many wait for an answer.
func (g *gathering) soFar() (got map[string]int, waiting int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.got), g.begun - g.answers()
}

// disperse ends it. What it holds is cut off; else the server has to tell of the answers
// that nobody waits for.
func (g *gathering) disperse() {
	close(g.ended)
	if g.phase.holds {
		g.cut()
	}
	g.all.Wait()
	g.cut()
}
