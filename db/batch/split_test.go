package batch

import (
	"context"
	"errors"
	"slices"
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

// Another session locks a row for long: of the requests of a batch, only those that need
// the row fail, after their second lock timeout, and no caller is put in quarantine. The
// others wait for one lock timeout, and later ones not at all.
func TestLockTimeoutSplitsTheBatchByRow(t *testing.T) {
	const wait = 3 * time.Second
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{}
		b := f.batcher(2)
		b.config.SharedRows = func(ask int) []int { return []int{ask / 10} }
		b.config.Flush = func(ctx context.Context, asks []int) ([]int, error) {
			if slices.ContainsFunc(asks, func(ask int) bool { return ask/10 == 3 }) {
				time.Sleep(wait)
				return nil, errLockTimeout
			}
			return f.flush(ctx, asks)
		}
		type result struct {
			ask   int
			err   error
			after time.Duration
		}
		answers, start := make(chan result, 7), time.Now()
		ask := func(ask int) {
			_, err := b.Do(t.Context(), ask)
			answers <- result{ask, err, time.Since(start)}
		}
		for _, i := range []int{50, 11, 31, 21, 32, 12} { // the first goes alone
			go ask(i)
			synctest.Wait()
		}
		time.Sleep(wait + 10*time.Millisecond)
		go ask(13)
		for range cap(answers) {
			a := <-answers
			switch {
			case a.ask/10 == 3 && (a.err != errLockTimeout || a.after > 2*wait+5*time.Millisecond):
				t.Errorf("%d, of the locked row, got %v after %v", a.ask, a.err, a.after)
			case a.ask/10 != 3 && (a.err != nil || a.after > wait+15*time.Millisecond):
				t.Errorf("%d got %v after %v", a.ask, a.err, a.after)
			}
		}
		if len(b.quarantine) > 0 {
			t.Errorf("%d are in quarantine", len(b.quarantine))
		}
		synctest.Wait()
		if len(b.ownRows)+len(b.sharedRows)+len(b.inFlight) > 0 {
			t.Errorf("at the end, rows %v and %v are taken, %d batches in flight",
				b.ownRows, b.sharedRows, len(b.inFlight))
		}
	})
}

// If it is unknown which requests need the locked row, at most one half of the batch fails.
func TestLockTimeoutWithoutSharedRowsHalvesTheBatch(t *testing.T) {
	const wait = 3 * time.Second
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{}
		b := f.batcher(1)
		b.config.Flush = func(ctx context.Context, asks []int) ([]int, error) {
			if slices.Contains(asks, 30) {
				time.Sleep(wait)
				return nil, errLockTimeout
			}
			return f.flush(ctx, asks)
		}
		go b.Do(t.Context(), 100) // the first goes alone
		synctest.Wait()
		start := time.Now()
		_, errs := together(b, upTo(64)...)
		refused := 0
		for i, err := range errs {
			switch {
			case err == errLockTimeout:
				refused++
			case err != nil || i == 30:
				t.Errorf("%d got %v", i, err)
			}
		}
		if took := time.Since(start); refused == 0 || refused > 32 || took > 2*wait+10*time.Millisecond {
			t.Errorf("%d failed, the last after %v", refused, took)
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
