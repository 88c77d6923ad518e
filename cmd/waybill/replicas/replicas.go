// Package replicas has clients append to lists and read them, over a cluster whose standbys serve reads, come late,
// stop and take over, and checks the history of what they were answered (package listappend). A list is the name of
// an account: an edit appends to it with If-Match, so that each append knows all before it.
package replicas

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"waybill/cmd/waybill/listappend"
)

// Options select the load.
type Options struct {
	Reads   int // at least so many
	Clients int
	Seed    uint64 // of the clients' choices, and of what happens to the standbys
	Control bool   // serve reads whatever the replicas have replayed, which must be found
}

// Result is what was found in the histories.
type Result struct {
	Reads     int              `json:"reads"`
	Appends   int              `json:"appends"`
	Rounds    int              `json:"rounds"`
	Outcomes  map[string]int64 `json:"outcomes"` // of the reads that replicas might have served
	Stale     int              `json:"stale"`
	LongForks int              `json:"long_forks"` // which are not excluded between a replica and the primary
	Others    int              `json:"other_anomalies"`
	Failed    int              `json:"failed"` // answers 5xx
	Control   bool             `json:"control"`
	Seed      uint64           `json:"seed"`
	Seconds   float64          `json:"seconds"`
}

// Held reports whether the result is as it must be: replicas served, and no client read anything that is too old; and
// the control did. Long forks are counted: nobody is promised that there are none.
func (r Result) Held() bool {
	if r.Control {
		return r.Stale > 0
	}
	return r.Stale == 0 && r.Others == 0 && r.isServed()
}

// isServed reports whether replicas served enough of the reads to say something about them.
func (r Result) isServed() bool { return r.Outcomes["replica"] >= int64(r.Reads/10) }

// mostExtra is how many times the reads there may be until replicas have served enough: on a busy machine, they are
// behind more often.
const mostExtra = 5

// Run has rounds of clients until there were enough reads. In the last one a standby takes over.
func Run(ctx context.Context, o Options, tell func(format string, args ...any)) (r Result, err error) {
	r = Result{Control: o.Control, Seed: o.Seed}
	c := &cluster{Options: o, rand: rand.New(rand.NewPCG(o.Seed, 0))}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := c.open(ctx); err != nil {
		return r, err
	}
	begun := time.Now()
	told := begun
	for isLast := false; !isLast; r.Rounds++ {
		_, r.Outcomes = c.store.Replicas()
		isLast = r.Reads >= o.Reads-readsPerRound(o.Clients) && (r.isServed() || r.Reads >= mostExtra*o.Reads)
		if err := c.round(ctx, &r, isLast); err != nil {
			return r, fmt.Errorf("round %d: %w", r.Rounds, err)
		}
		if time.Since(told) > 10*time.Second {
			told = time.Now()
			tell("%d reads, %d appends, %d stale, %d long forks\n", r.Reads, r.Appends, r.Stale, r.LongForks)
		}
	}
	_, r.Outcomes = c.store.Replicas()
	r.Seconds = time.Since(begun).Seconds()
	return r, ctx.Err()
}

// round has one tenant's clients work on lists of its own, and checks them.
func (c *cluster) round(ctx context.Context, r *Result, isLast bool) error {
	t, err := c.newTenant(ctx)
	if err != nil {
		return err
	}
	if c.Control {
		if err := c.halt(ctx, c.standbys[1]); err != nil {
			return err
		}
	}
	stop := make(chan struct{})
	disturbed := make(chan error, 1)
	go func() { disturbed <- c.disturb(ctx, stop, isLast) }()
	l := newLoad(c, t)
	err = l.run(ctx)
	close(stop)
	if err := errors.Join(err, <-disturbed); err != nil {
		return err
	}
	end, err := c.lists(ctx, t)
	if err != nil {
		return err
	}
	r.Reads += l.reads
	r.Appends += l.appends
	r.Failed += l.failed
	for _, a := range listappend.Check(l.history(), l.unknown, end) {
		switch a.Kind {
		case listappend.Stale:
			r.Stale++
		case listappend.LongFork:
			r.LongForks++
		default:
			r.Others++
		}
	}
	return nil
}
