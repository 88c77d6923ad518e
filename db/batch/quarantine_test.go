package batch

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
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
		go b.Do(t.Context(), 0) // the first comes alone, which costs nobody else
		synctest.Wait()
		together(b, upTo(40)[1:]...)
		f.asked = nil
		_, errs := together(b, upTo(40)...)
		shared := slices.ContainsFunc(f.asked, func(asks []int) bool { return slices.Contains(asks, 13) && len(asks) > 1 })
		if !errors.Is(errs[13], errRejected) || shared || len(f.asked) > 3 {
			t.Errorf("%v in batches of %v; want the offender alone, and the others as if it were not there", errs[13], f.asked)
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
