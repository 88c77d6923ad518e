package api

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

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
	for cost, moves := range map[int]bool{cheap: false, cheap + 1: true} {
		p := newPasswords(cost)
		p.took.Store(int64(time.Hour))
		if _, err := p.hash(t.Context(), "password", "correct horse"); err != nil {
			t.Fatal(err)
		}
		if took := time.Duration(p.took.Load()); (took < time.Hour) != moves {
			t.Errorf("cost %d: a hash takes %v now", cost, took)
		}
	}
}

// Who is not there is compared as anybody else: bcrypt takes the decoy for a hash of the
// cost, and goes all the way to find that the password is another.
func TestDecoyIsAHashOfTheCost(t *testing.T) {
	t.Parallel()
	for _, cost := range []int{bcrypt.MinCost, bcrypt.DefaultCost, bcrypt.MaxCost} {
		if got, err := bcrypt.Cost(decoy(cost)); err != nil || got != cost {
			t.Errorf("cost %d: %d, %v", cost, got, err)
		}
	}
	if err := bcrypt.CompareHashAndPassword(decoy(bcrypt.MinCost), []byte("correct horse")); err != bcrypt.ErrMismatchedHashAndPassword {
		t.Error(err)
	}
}
