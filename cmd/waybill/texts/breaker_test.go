package texts

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const maxWait = 5 * time.Second

// fail opens the breaker, or keeps it open.
func fail(t *testing.T, b *Breaker, times int) {
	t.Helper()
	for range times {
		if !b.Enter(t.Context(), time.Hour) {
			t.Fatal("no caller may try")
		}
		b.Failed(0)
	}
}

func TestAFewFailuresInARowOpenIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBreaker(WallClock)
		fail(t, b, failuresToOpen-1)
		b.Succeeded()
		fail(t, b, failuresToOpen-1)
		if b.Open() {
			t.Error("open after failures that were not consecutive")
		}
		fail(t, b, 1)
		if !b.Open() {
			t.Error("the breaker is still closed")
		}
		if b.Enter(t.Context(), 10*time.Millisecond) {
			t.Error("a caller may send while the breaker is open")
		}
	})
}

func TestWhileItIsOpenOneTriesAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBreaker(WallClock)
		fail(t, b, failuresToOpen)
		var trying, most, tries atomic.Int32
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		var senders sync.WaitGroup
		for range 32 {
			senders.Go(func() {
				for ctx.Err() == nil {
					if !b.Enter(ctx, maxWait) {
						continue
					}
					tries.Add(1)
					most.Store(max(most.Load(), trying.Add(1)))
					time.Sleep(50 * time.Millisecond)
					trying.Add(-1)
					b.Failed(0)
				}
			})
		}
		senders.Wait() // a trial may be running as the hour ends
		if most.Load() != 1 {
			t.Errorf("%d concurrent tries", most.Load())
		}
		// Pauses of 15 to 30 s, after the first few.
		if n := tries.Load(); n < 120 || n > 260 {
			t.Errorf("%d tries in an hour", n)
		}
	})
}

func TestOneSuccessLetsAllIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBreaker(WallClock)
		fail(t, b, failuresToOpen+10)
		var in atomic.Int32
		for range 32 {
			go func() {
				for !b.Enter(t.Context(), maxWait) {
				}
				in.Add(1)
				b.Succeeded()
			}()
		}
		start := time.Now()
		for in.Load() < 32 {
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(start); took > longestPause+time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestACanceledProbeIsHandedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBreaker(WallClock)
		fail(t, b, failuresToOpen)
		time.Sleep(2 * firstPause)
		if !b.Enter(t.Context(), 0) {
			t.Fatal("the try is not handed out")
		}
		b.Canceled()
		if !b.Enter(t.Context(), 0) {
			t.Error("the try is lost when its caller leaves")
		}
	})
}

func TestACanceledCallerDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBreaker(WallClock)
		fail(t, b, failuresToOpen)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		start := time.Now()
		if b.Enter(ctx, time.Hour) || time.Since(start) > 0 {
			t.Error("the caller waited")
		}
	})
}

// Retry-After is respected by all senders, from the first answer.
func TestRetryAfterIsRespectedByAllSenders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBreaker(WallClock)
		for _, asked := range []time.Duration{7 * time.Second, time.Hour} {
			start := time.Now()
			if !b.Enter(t.Context(), 0) {
				t.Fatal("no caller may send")
			}
			b.Failed(asked)
			if wait := b.Wait(); !b.Open() || wait < asked || wait > asked+longestPause {
				t.Errorf("Retry-After %v: open %v, for %v", asked, b.Open(), wait)
			}
			b.Failed(0) // from a request that was already running
			b.Failed(asked / 2)
			if !b.Enter(t.Context(), 2*time.Hour) {
				t.Fatal("no caller may try")
			}
			if waited := time.Since(start); waited < asked || waited > asked+longestPause {
				t.Errorf("Retry-After %v, no request for %v", asked, waited)
			}
			b.Succeeded()
			if b.Open() || b.Wait() != 0 {
				t.Error("the breaker is still open after a success")
			}
		}
		b.Failed(7 * time.Second)
		b.Failed(time.Hour) // a later answer with a longer delay
		if wait := b.Wait(); wait < time.Hour {
			t.Errorf("%v of an hour", wait)
		}
	})
}
