package api

import (
	"errors"
	"testing"
	"time"

	"waybill/db"
)

// Who comes when the hashes ahead would take longer than patience is told to come back,
// before anything is counted or asked for.
func TestQueueIsAsLongAsPatience(t *testing.T) {
	t.Parallel()
	for took, want := range map[time.Duration]int{
		0: 32, time.Millisecond: 32, patience / 7: 7, patience: 1, time.Hour: 1,
	} {
		p := &passwords{slots: make(chan struct{}, 2)}
		p.took.Store(int64(took))
		let := 0
		for range 100 {
			_, err := p.enter()
			var refused *Problem
			if err == nil {
				let++
				continue
			}
			if !errors.As(err, &refused) || refused.Code != db.Overloaded {
				t.Fatal(err)
			}
			if after := refused.GetHeaders().Get("Retry-After"); after != "2" && after != "3" && after != "4" {
				t.Errorf("Retry-After %q", after)
			}
		}
		if let != 2*want {
			t.Errorf("when a hash takes %v, %d are let in, want %d", took, let, 2*want)
		}
	}
}

func TestHashesAreMeasuredWhereTheyTakeLong(t *testing.T) {
	t.Parallel()
	for cost, want := range map[int][]time.Duration{cheap: {0, 0}, cheap + 1: {time.Second, 2 * time.Second}} {
		p := &passwords{cost: cost}
		for i, hash := range []time.Duration{time.Second, 5 * time.Second} {
			p.measured(hash)
			if took := time.Duration(p.took.Load()); took != want[i] {
				t.Errorf("cost %d, after a hash of %v: %v, want %v", cost, hash, took, want[i])
			}
		}
	}
}
