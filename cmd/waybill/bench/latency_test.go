package bench

import (
	"sync"
	"testing"
	"time"
)

func TestPercentilesAreSamples(t *testing.T) {
	t.Parallel()
	var l Latencies
	if got := l.Summary(); got != (Summary{}) {
		t.Errorf("without measurements: %+v", got)
	}
	var all sync.WaitGroup
	for i := range 1000 { // 1 to 1000 ms, in no order
		all.Go(func() { l.Record(time.Duration(i+1) * time.Millisecond) })
	}
	all.Wait()
	if got, want := l.Summary(), (Summary{1000, 500, 990, 1000}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	var one Latencies
	one.Record(1500 * time.Microsecond)
	if got, want := one.Summary(), (Summary{1, 1.5, 1.5, 1.5}); got != want {
		t.Errorf("with one measurement: %+v, want %+v", got, want)
	}
	one.Add(&l)
	if got := one.Summary().Count; got != 1001 {
		t.Errorf("after merging: %d", got)
	}
}
