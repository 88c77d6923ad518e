package jobs

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// pace sets the size of a backfill's batches, and the pauses between them. A batch's statement takes about as long as
// its target: the commit of a request beside it then has little of the batch to flush with its own. For pauseFactor
// times as long as all of the batch took, the database is left to others. It probes the database by small requests at
// rest and beside the batches, and compares their 99th percentiles: where those beside the batches are longer, the
// target is halved (additive increase, multiplicative decrease).
type pace struct {
	size int

	mu      sync.Mutex
	target  time.Duration // of a batch's statement
	last    time.Duration // of the last batch, with its commit
	atRest  time.Duration // the percentile at rest
	samples []time.Duration
}

const (
	smallestBatch, firstBatch, largestBatch = 10, 100, 5000

	shortestTarget, targetBatch = 200 * time.Microsecond, 2 * time.Millisecond
	targetStep                  = 10 * time.Microsecond // longer, after each batch that slows nobody down
	pauseFactor                 = 4
	longestRest                 = 2 * time.Second

	probes        = 200 // in a percentile: it is not the longest, but the second
	probeInterval = 10 * time.Millisecond
	// Beside the batches, probes may take 1.2 times as long as at rest, and this besides, as they differ anyhow.
	slack = time.Millisecond
)

func newPace() *pace { return &pace{size: firstBatch, target: targetBatch} }

// rest probes the database while no batch runs.
func (p *pace) rest(ctx context.Context, probe func(context.Context) error) error {
	p.mu.Lock()
	p.samples = nil
	p.mu.Unlock()
	for n := 0; n < probes; n++ {
		if err := p.sample(ctx, probe); err != nil {
			return err
		}
		if err := sleep(ctx, probeInterval); err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.atRest, p.samples = percentile99(p.samples), nil
	return nil
}

func (p *pace) sample(ctx context.Context, probe func(context.Context) error) error {
	began := time.Now()
	err := probe(ctx)
	if ctx.Err() == nil {
		p.add(time.Since(began)) // of one that failed, too: it may have waited for as long as it could
	}
	return err
}

// add keeps the newest samples.
func (p *pace) add(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.samples = append(p.samples, d); len(p.samples) > probes {
		p.samples = p.samples[1:]
	}
}

// probing probes the database, as often as at rest, until stop is called.
func (p *pace) probing(ctx context.Context, probe func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var ended sync.WaitGroup
	ended.Go(func() {
		for sleep(ctx, probeInterval) == nil {
			p.sample(ctx, probe) // the batch that runs meanwhile has the error, if it lasts
		}
	})
	return func() {
		cancel()
		ended.Wait()
	}
}

// pause leaves the database to others after a batch.
func (p *pace) pause(ctx context.Context) error {
	p.mu.Lock()
	long := min(pauseFactor*p.last, longestRest)
	p.mu.Unlock()
	return sleep(ctx, long)
}

// took makes the next batch as large as one whose statement takes the target, within a factor of two. This one's took
// statement, and all of it whole.
func (p *pace) took(statement, whole time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = whole
	p.target = min(p.target+targetStep, targetBatch)
	want := int(float64(p.size) * float64(p.target) / float64(max(statement, time.Microsecond)))
	p.size = min(max(want, p.size/2, smallestBatch), 2*p.size, largestBatch)
}

// smaller halves the next batch, and what those after it may take.
func (p *pace) smaller() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.size, p.target = max(p.size/2, smallestBatch), max(p.target/2, shortestTarget)
	p.samples = nil
}

// busy returns why there should be no batch now, or "".
func (p *pace) busy() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.samples) < probes/2 {
		return ""
	}
	now := percentile99(p.samples)
	if now <= p.atRest*6/5+slack {
		return ""
	}
	return fmt.Sprintf("the 99th percentile of small requests is %s beside it, and %s at rest", short(now),
		short(p.atRest))
}

func short(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }

// percentile99 returns the 99th percentile, 0 of nothing.
func percentile99(samples []time.Duration) time.Duration {
	if len(samples) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(samples))
	return sorted[len(sorted)*99/100]
}

// sleep returns the context's error if it ends before.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
