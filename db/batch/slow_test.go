package batch

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// tenantOf has the hundreds of a number as its tenant.
func tenantOf(ask int) int { return ask / 100 }

// slowFor answers requests, in a second if one of them is of the tenant, else in the time given.
func (f *flushes) slowFor(tenant int, others time.Duration) flusher[int, int] {
	return func(ctx context.Context, asks []int) ([]int, error) {
		if slices.ContainsFunc(asks, func(ask int) bool { return tenantOf(ask) == tenant }) {
			time.Sleep(time.Second)
		} else {
			time.Sleep(others)
		}
		return f.flush(ctx, asks)
	}
}

// callers has a caller of each of 8 tenants send requests one after the other, for as long as given, and
// returns how long the slowest request of each took, without the first few.
func callers(b *Batcher[int, int, int], lasting time.Duration) []time.Duration {
	longest := make([]time.Duration, 8)
	var all sync.WaitGroup
	for begun, tenant := time.Now(), 0; tenant < len(longest); tenant++ {
		all.Go(func() {
			for i := 0; time.Since(begun) < lasting; i++ {
				start := time.Now()
				b.Do(context.Background(), 100*tenant+i%100)
				if i > maxSlow {
					longest[tenant] = max(longest[tenant], time.Since(start))
				}
			}
		})
	}
	all.Wait()
	return longest
}

// The statements of one tenant take a second. Others share few batches with it, and none later.
func TestSlowTenantIsServedApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{}
		config := f.config(2)
		config.Tenant, config.OwnRows = tenantOf, nil
		config.Flush = f.slowFor(3, time.Millisecond)
		b := New(config)
		longest := callers(b, 6*time.Second)
		shared := 0
		for _, asks := range f.asked {
			slow := func(ask int) bool { return tenantOf(ask) == 3 }
			if slices.ContainsFunc(asks, slow) && slices.ContainsFunc(asks, func(ask int) bool { return !slow(ask) }) {
				shared++
			}
		}
		if shared > 2*maxSlow {
			t.Errorf("%d batches are shared with the slow tenant", shared)
		}
		for tenant, took := range longest {
			if tenant != 3 && took > 3*slowBatchAfter {
				t.Errorf("a request of tenant %d took %v", tenant, took)
			}
		}
		synctest.Wait()
		if _, ok := b.records[3]; len(b.records) != 1 || !ok || !b.idle() || b.slowInFlight != 0 {
			t.Errorf("in the end, known are %v", b.records)
		}
	})
}

// One that is as quick as others again shares their batches.
func TestTenantThatIsQuickAgainIsNoSuspect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{}
		config := f.config(2)
		config.Tenant, config.OwnRows = tenantOf, nil
		var quick atomic.Bool
		slow := f.slowFor(3, time.Millisecond)
		config.Flush = func(ctx context.Context, asks []int) ([]int, error) {
			if quick.Load() {
				return f.flush(ctx, asks)
			}
			return slow(ctx, asks)
		}
		b := New(config)
		callers(b, 6*time.Second)
		synctest.Wait()
		if len(b.records) != 1 {
			t.Fatalf("known are %v", b.records)
		}
		quick.Store(true)
		callers(b, time.Second)
		synctest.Wait()
		if len(b.records) > 0 {
			t.Errorf("known are %v", b.records)
		}
	})
}

// Where every batch takes long, all share them as before.
func TestNobodyIsSlowWhereEverybodyIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{}
		config := f.config(1)
		config.Tenant, config.OwnRows = tenantOf, nil
		config.Flush = f.slowFor(-1, 200*time.Millisecond)
		b := New(config)
		callers(b, 6*time.Second)
		f.asked = nil
		callers(b, 2*time.Second)
		if len(b.records) > 0 || len(f.asked) > 22 {
			t.Errorf("known are %v, %d statements in two seconds", b.records, len(f.asked))
		}
	})
}
