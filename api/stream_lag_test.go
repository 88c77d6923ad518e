package api

import (
	"testing"
	"time"

	"waybill/db"
)

func TestTheLagIsTheAgeOfTheOldestUndeliveredEvent(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	after := func(seconds int) time.Time { return begin.Add(time.Duration(seconds) * time.Second) }
	l := streamLag{caughtUp: begin}
	for i, look := range []struct{ delivered, newest, caughtUp int }{
		1: {10, 10, 1}, // no transaction is running
		2: {12, 15, 1}, // a slow transaction started at 12
		3: {12, 20, 1},
		4: {12, 20, 1},
		5: {16, 30, 2}, // events up to time 2 can be sent, those up to 3 not yet
		6: {20, 31, 4},
		7: {40, 40, 7},
	} {
		if i == 0 {
			continue
		}
		l.saw(after(i), db.StreamHorizon{Sendable: uint64(look.delivered), Newest: uint64(look.newest)})
		if got := l.caughtUp.Sub(begin) / time.Second; int(got) != look.caughtUp {
			t.Errorf("after look %d it is as of %d, want %d", i, got, look.caughtUp)
		}
	}
}

// A transaction that runs for a day costs no more memory than one that runs for a minute.
func TestTheLagOfASlowWriterTakesBoundedMemory(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	l := streamLag{caughtUp: begin}
	const looks = 100_000
	for i := range looks {
		l.saw(begin.Add(time.Duration(i)*time.Second), db.StreamHorizon{Sendable: 0, Newest: uint64(1 + i)})
		if len(l.open) > mostSightings {
			t.Fatalf("%d observations", len(l.open))
		}
	}
	if l.caughtUp != begin {
		t.Errorf("as of %v", l.caughtUp.Sub(begin))
	}
	l.saw(begin.Add(looks*time.Second), db.StreamHorizon{Sendable: looks + 1, Newest: looks + 2})
	if behind := looks*time.Second - l.caughtUp.Sub(begin); behind <= 0 || behind > looks*time.Second/10 {
		t.Errorf("a lag of %v", behind)
	}
}
