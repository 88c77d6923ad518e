package bench

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// httpLoad is a load over HTTP by concurrent callers, each of which waits for its answer. With a rate,
// latency counts from the intended start like in Load, but no more requests run at once than there are
// callers.
type httpLoad struct {
	callers []*caller
	operate func(c *caller, n int64) error
	For     time.Duration
	rate    float64       // operations per second; 0 for no limit
	most    int64         // operations; 0 for no limit
	pause   time.Duration // of a caller after each operation, not measured
}

// httpLoaded is the result of a load.
type httpLoaded struct {
	Latencies  Latencies
	took       time.Duration
	done       int64
	unexpected int64
	err        error // the first error
}

func (l *httpLoaded) perSecond() float64 { return float64(l.done) / l.took.Seconds() }

// run ends after the duration, or when all operations are done. Failures are counted.
func (l httpLoad) run(ctx context.Context) (*httpLoaded, error) {
	for _, c := range l.callers {
		if err := c.wire.dial(ctx); err != nil {
			return nil, err
		}
		defer c.wire.close()
	}
	// After a cancellation there is nothing to wait for.
	defer context.AfterFunc(ctx, func() {
		for _, c := range l.callers {
			c.abort()
		}
	})()
	var (
		result  httpLoaded
		next    atomic.Int64
		running sync.WaitGroup
		mu      sync.Mutex
		start   = time.Now()
	)
	for _, c := range l.callers {
		running.Go(func() {
			mine := l.call(ctx, c, &next, start)
			mu.Lock()
			defer mu.Unlock()
			result.add(mine)
		})
	}
	running.Wait()
	result.took = time.Since(start)
	return &result, ctx.Err()
}

// add adds the result of one caller.
func (l *httpLoaded) add(other *httpLoaded) {
	l.Latencies.Add(&other.Latencies)
	l.done += other.done
	l.unexpected += other.unexpected
	if l.err == nil {
		l.err = other.err
	}
}

// call runs one caller.
func (l httpLoad) call(ctx context.Context, c *caller, next *atomic.Int64, start time.Time) *httpLoaded {
	var mine httpLoaded
	end := start.Add(l.For)
	for ctx.Err() == nil {
		n := next.Add(1) - 1
		begin := time.Now()
		if l.rate > 0 {
			begin = start.Add(time.Duration(float64(n) / l.rate * float64(time.Second)))
			if begin.Before(end) && sleepUntil(ctx, begin) != nil {
				break
			}
		}
		if !begin.Before(end) || l.most > 0 && n >= l.most {
			break
		}
		err := l.operate(c, n)
		mine.Latencies.Record(time.Since(begin))
		if l.pause > 0 && sleepUntil(ctx, time.Now().Add(l.pause)) != nil {
			break
		}
		if err == nil {
			mine.done++
			continue
		}
		mine.unexpected++
		if mine.err == nil {
			mine.err = err
		}
		if !errors.Is(err, errStatus) && !c.reconnect(ctx) {
			break
		}
	}
	return &mine
}
