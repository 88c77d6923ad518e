package batch

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestRejectedBatchFailsTheOffendersAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{fails: func(asks []int) error {
			if slices.Contains(asks, 13) || slices.Contains(asks, 14) {
				return errRejected
			}
			return nil
		}}
		answers, errs := together(f.batcher(1), upTo(40)...)
		for i := range answers {
			if offender := i == 13 || i == 14; offender != errors.Is(errs[i], errRejected) ||
				!offender && answers[i] != -i {
				t.Errorf("%d got %d, %v", i, answers[i], errs[i])
			}
		}
	})
}

// brief is how long a statement waits for a lock.
const brief = 50 * time.Millisecond

// holding is the configuration where another session holds the row of the thirties, while held.
func (f *flushes) holding(held *atomic.Bool) Config[int, int, int] {
	needs := func(ask int) bool { return held.Load() && ask/10 == 3 }
	config, lane := f.config(2), make(chan struct{}, 1)
	config.Flush = func(ctx context.Context, asks []int) ([]int, error) {
		if slices.ContainsFunc(asks, needs) {
			time.Sleep(brief)
			return nil, errLockTimeout
		}
		return f.flush(ctx, asks)
	}
	config.FlushWaiting = config.Flush
	config.FlushSkipping = func(ctx context.Context, asks []int) ([]int, error) {
		answers, err := f.flush(ctx, asks)
		for i := range answers {
			if needs(asks[i]) {
				answers[i] = 0
			}
		}
		return answers, err
	}
	config.LockWait = time.Minute
	config.Lane = func(context.Context, int) (func(), error) { lane <- struct{}{}; return func() { <-lane }, nil }
	return config
}

// Another session holds a row: of the requests of a batch, only those that need the row are not answered at
// its second try, and wait in the lane, one after the other. Those that come meanwhile pass the row at the
// first try, and nobody is put in quarantine.
func TestHeldRowKeepsOnlyThoseWhoNeedIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{}
		var held atomic.Bool
		held.Store(true)
		b := New(f.holding(&held))
		var answered atomic.Int64
		var all sync.WaitGroup
		ask := func(ask int) {
			all.Go(func() {
				answer, err := b.Do(t.Context(), ask)
				if err == nil && answer == 0 { // left out: as the Store does
					answer, err = b.DoWaiting(t.Context(), ask)
				}
				if answered.Add(1); answer != -ask || err != nil {
					t.Errorf("%d got %d, %v", ask, answer, err)
				}
			})
			synctest.Wait()
		}
		for _, i := range []int{50, 11, 31, 21, 32, 12} { // the first goes alone
			ask(i)
		}
		time.Sleep(brief + 10*time.Millisecond)
		for i := range 5 {
			before := f.sent()
			ask(60 + i)
			time.Sleep(200 * time.Millisecond)
			if f.sent() != before+1 {
				t.Errorf("%d, which comes later, took %d statements", 60+i, f.sent()-before)
			}
		}
		if n := answered.Load(); n != 9 { // all but the two
			t.Errorf("while the row is held, %d are answered", n)
		}
		held.Store(false)
		all.Wait()
		if len(b.quarantine) > 0 {
			t.Errorf("%d are in quarantine", len(b.quarantine))
		}
		time.Sleep(heldFor)
		if b.rowsAreHeld() || !b.idle() {
			t.Error("at the end, rows are taken or noted as held")
		}
	})
}

// Where no form skips the row, the halves find who needs it: it alone is not answered, and the others wait as
// often as there are halves.
func TestLockTimeoutHalvesTheBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{}
		b := f.batcher(1)
		b.config.Flush = func(ctx context.Context, asks []int) ([]int, error) {
			if slices.Contains(asks, 30) {
				time.Sleep(brief)
				return nil, errLockTimeout
			}
			return f.flush(ctx, asks)
		}
		go b.Do(t.Context(), 100) // the first goes alone
		synctest.Wait()
		start := time.Now()
		_, errs := together(b, upTo(64)...)
		for i, err := range errs {
			if (i == 30) != (err == errLockTimeout) || i != 30 && err != nil {
				t.Errorf("%d got %v", i, err)
			}
		}
		if took := time.Since(start); took > 7*brief+10*time.Millisecond {
			t.Errorf("the last was answered after %v", took)
		}
		if len(b.quarantine) > 0 {
			t.Errorf("%d are in quarantine", len(b.quarantine))
		}
	})
}

// Who waits for a locked row waits as long as the setting says, also behind others in the lane, and no
// longer than its context.
func TestWaitForALockedRowEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{fails: func([]int) error { return errLockTimeout }}
		config := f.config(2)
		config.LockWait = time.Second
		b := New(config)
		start := time.Now()
		if _, err := b.Do(t.Context(), 1); err != errLockTimeout || time.Since(start) < time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		start = time.Now()
		if _, err := b.DoWaiting(ctx, 1); err == nil || time.Since(start) > 20*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// However long each half takes to be rejected, there is one deadline.
func TestSplitBatchHasOneDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{}
		b := f.batcher(1)
		b.config.Flush = func(ctx context.Context, asks []int) ([]int, error) {
			select {
			case <-time.After(3 * time.Second):
				return nil, errRejected
			case <-ctx.Done():
				return nil, errUnavailable
			}
		}
		start := time.Now()
		_, errs := together(b, upTo(64)...)
		for i, err := range errs {
			if err == nil {
				t.Errorf("%d has an answer", i)
			}
		}
		if took := time.Since(start); took > 3*time.Second+batchTimeout {
			t.Errorf("the last was answered after %v", took)
		}
	})
}
