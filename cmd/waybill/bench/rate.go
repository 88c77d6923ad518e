package bench

import (
	"cmp"
	"context"
	"sync"
	"time"
)

// Load is an open-loop load: requests at a fixed rate, whatever happens to earlier ones, so that a slow
// request does not delay the next. Latency counts from the intended start of a request, so that waiting
// behind a stall, even one of the generator, counts (otherwise one slow sample stands for all the
// requests that were not sent: coordinated omission).
type Load struct {
	PerSecond float64
	For       time.Duration

	// sleep waits until a time; nil for the real clock.
	sleep func(ctx context.Context, until time.Time) error
}

// Loaded is the result of a load.
type Loaded struct {
	Latencies Latencies // of all requests, including failed ones, from the intended start
	Late      Latencies // delay of the generator: from the intended to the actual start
	Failed    int
	Err       error // the first failure
}

// Add adds the result of another load, which has ended.
func (l *Loaded) Add(other *Loaded) {
	l.Latencies.Add(&other.Latencies)
	l.Late.Add(&other.Late)
	l.Failed += other.Failed
	l.Err = cmp.Or(l.Err, other.Err)
}

// Run sends the requests and waits for the answers. It fails if ctx ends first.
func (l Load) Run(ctx context.Context, request func(ctx context.Context, i int) error) (*Loaded, error) {
	var (
		loaded  Loaded
		mu      sync.Mutex
		running sync.WaitGroup
		sleep   = l.sleep
	)
	if sleep == nil {
		sleep = sleepUntil
	}
	start := time.Now()
	for i := range int(l.PerSecond * l.For.Seconds()) {
		intended := start.Add(time.Duration(float64(i) / l.PerSecond * float64(time.Second)))
		if sleep(ctx, intended) != nil {
			break
		}
		running.Go(func() {
			loaded.Late.Record(time.Since(intended))
			err := request(ctx, i)
			loaded.Latencies.Record(time.Since(intended))
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				if loaded.Failed++; loaded.Err == nil {
					loaded.Err = err
				}
			}
		})
	}
	running.Wait()
	return &loaded, ctx.Err()
}

func sleepUntil(ctx context.Context, until time.Time) error {
	if wait := time.Until(until); wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}
