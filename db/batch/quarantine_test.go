package batch

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestOffenderIsQuarantined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{fails: func(asks []int) error {
			if slices.Contains(asks, 13) {
				return errRejected
			}
			return nil
		}}
		b := f.batcher(1)
		go b.Do(t.Context(), 0) // the first is alone in its batch
		synctest.Wait()
		together(b, upTo(40)[1:]...)
		f.asked = nil
		_, errs := together(b, upTo(40)...)
		shared := slices.ContainsFunc(f.asked,
			func(asks []int) bool { return slices.Contains(asks, 13) && len(asks) > 1 })
		if !errors.Is(errs[13], errRejected) || shared || len(f.asked) > 3 {
			t.Errorf("%v in batches of %v; want the offender alone, and the others as if it were not there",
				errs[13], f.asked)
		}
		f.fails = nil
		for range quarantineSize {
			together(b, 13)
		}
		synctest.Wait()
		if len(b.quarantine) != 0 {
			t.Error("still in quarantine after enough good requests")
		}
	})
}

// That a session ended while its request was in flight is no fault of its user's others.
func TestRevokedCallerIsNotQuarantined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{fails: func(asks []int) error {
			if slices.Contains(asks, 13) {
				return errRevoked
			}
			return nil
		}}
		b := f.batcher(1)
		_, errs := together(b, upTo(32)...)
		for ask, err := range errs {
			if (err != nil) != (ask == 13) {
				t.Errorf("%d got %v", ask, err)
			}
		}
		if len(b.quarantine) > 0 {
			t.Errorf("%d are in quarantine", len(b.quarantine))
		}
	})
}

// The server rejects what many callers ask for, and all of them are in quarantine. When it is over, they share
// statements like others.
func TestQuarantineServesNobodyOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{fails: func([]int) error { return errRejected }}
		b := f.batcher(2)
		go b.Do(t.Context(), 100) // the first goes alone
		synctest.Wait()
		together(b, upTo(40)...)
		if len(b.quarantine) < 40 {
			t.Fatalf("%d are in quarantine", len(b.quarantine))
		}
		f.fails, f.asked = nil, nil
		for range 2 {
			for ask, err := range errsOf(together(b, upTo(40)...)) {
				if err != nil {
					t.Errorf("%d got %v", ask, err)
				}
			}
		}
		synctest.Wait()
		if len(f.asked) > 6 {
			t.Errorf("%d statements for twice 40 requests", len(f.asked))
		}
		if !b.idle() {
			t.Error("rows are still taken")
		}
	})
}

func errsOf(_ []int, errs []error) []error { return errs }

// Nobody is quarantined for a fault of the server.
func TestServersFaultQuarantinesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{fails: func([]int) error { return errFailed }}
		b := f.batcher(1)
		for ask, err := range errsOf(together(b, upTo(40)...)) {
			if err != errFailed {
				t.Errorf("%d got %v", ask, err)
			}
		}
		if len(b.quarantine) > 0 {
			t.Errorf("%d are in quarantine", len(b.quarantine))
		}
	})
}

// Requests of one row keep their order in quarantine.
func TestQuarantineKeepsTheOrderOfARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &flushes{}
		config := f.config(2)
		config.OwnRows = func(int) []int { return []int{1} }
		config.Caller = func(int) int { return 13 }
		b := New(config)
		b.startQuarantine(&request[int, int, int]{value: 13})
		var all sync.WaitGroup
		for ask := range 4 {
			all.Go(func() { b.Do(t.Context(), ask) })
			synctest.Wait()
		}
		all.Wait()
		if got := slices.Concat(f.asked...); len(f.asked) != 4 || !slices.Equal(got, upTo(4)) {
			t.Errorf("batches of %v", f.asked)
		}
	})
}

// A lone request of a quarantined caller leaves the way free for the others' batch.
func TestQuarantinedRequestStartsNoBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, release := &flushes{}, make(chan struct{})
		config := f.config(1)
		config.Flush = f.held(release)
		config.Caller = func(ask int) int { return ask }
		b := New(config)
		b.startQuarantine(&request[int, int, int]{value: 100})
		var offender sync.WaitGroup
		offender.Go(func() { b.Do(t.Context(), 100) })
		synctest.Wait()
		start := time.Now()
		if b.Do(t.Context(), 1); time.Since(start) != time.Millisecond {
			t.Errorf("a request beside one in quarantine took %v", time.Since(start))
		}
		close(release)
		offender.Wait()
	})
}
