package bench

import (
	"cmp"
	"context"
	"sync"
	"time"
)

// Load is requests at a fixed rate, whatever becomes of those before: one that is slow
// does not make the next one start later. Latency counts from when a request was to
// start, so that what waits behind a stall, in the generator too, has waited (else the
// one slow sample stands for all those that were not sent: coordinated omission).
type Load struct {
	PerSecond float64
	For       time.Duration

	// sleep waits until then; nil: the clock's.
	sleep func(ctx context.Context, until time.Time) error
}

// Loaded is what came of it.
type Loaded struct {
	Latencies Latencies // of each request, failed ones too, from its intended start
	Late      Latencies // of the generator: how long after its intended start each one started
	Failed    int
	Err       error // the first failure
}

// Add takes over what came of another load, which has ended.
func (l *Loaded) Add(other *Loaded) {
	l.Latencies.Add(&other.Latencies)
	l.Late.Add(&other.Late)
	l.Failed += other.Failed
	l.Err = cmp.Or(l.Err, other.Err)
}

// Run makes the requests and waits for the answers. It fails if ctx ends before.
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
