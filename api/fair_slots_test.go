package api

import (
	"context"
	"fmt"
	"slices"
	"testing"
)

// However many places one source requests, and however many sources there are, the next source finds a
// place, and so does the next tenant.
func TestAdmissionLeavesPlacesForOthers(t *testing.T) {
	t.Parallel()
	const places = 64
	for _, sources := range []int{1, 2, 5} {
		d := newAdmission()
		held := map[string]int{}
		for range places {
			for i := range sources {
				c := caller{fmt.Sprint("greedy ", i), "acme"}
				if _, ok := d.enter(c, places); ok {
					held[c.source]++
				}
			}
		}
		if sources == 1 && held["greedy 0"] != places/2 {
			t.Errorf("a lone source holds %d slots, want half of %d", held["greedy 0"], places)
		}
		if sources == 1 {
			if _, ok := d.enter(caller{"another", "acme"}, places); !ok {
				t.Error("another source of the tenant gets no slot")
			}
		}
		if _, ok := d.enter(caller{"another", "rival"}, places); !ok {
			t.Errorf("besides %d sources, another tenant gets no slot: %v", sources, held)
		}
	}
}

func TestAdmissionForgetsFormerCallers(t *testing.T) {
	t.Parallel()
	d := newAdmission()
	for range 3 {
		leave, ok := d.enter(caller{"a", "acme"}, 2)
		if !ok {
			t.Fatal("no slot is free")
		}
		leave()
		leave() // once more changes nothing
	}
	if d.inside != 0 || len(d.sources) != 0 || len(d.tenants) != 0 {
		t.Errorf("counts remain: %d, %v, %v", d.inside, d.sources, d.tenants)
	}
}

// grantsOf makes the callers join, in this order, while the only slot is taken, and returns the order
// in which they get it.
func grantsOf(t *testing.T, callers ...caller) (order []caller) {
	t.Helper()
	turns := newFairSlots(1)
	release, err := turns.take(t.Context(), caller{})
	if err != nil {
		t.Fatal(err)
	}
	var waiting []*waiter
	for _, c := range callers {
		waiting = append(waiting, turns.join(c))
	}
	for range callers {
		release()
		next := slices.IndexFunc(waiting, func(w *waiter) bool {
			select {
			case <-w.granted:
				return true
			default:
				return false
			}
		})
		if next < 0 {
			t.Fatal("nobody got the slot")
		}
		order = append(order, waiting[next].caller)
		waiting = slices.Delete(waiting, next, next+1)
	}
	return order
}

func TestSourcesTakeTurns(t *testing.T) {
	t.Parallel()
	a, b, c := caller{"a", "acme"}, caller{"b", "acme"}, caller{"c", "rival"}
	if got := grantsOf(t, a, a, a, a, b, b, c); !slices.Equal(got, []caller{a, b, c, a, b, a, a}) {
		t.Errorf("%v", got)
	}
}

func TestTenantsOfASourceTakeTurns(t *testing.T) {
	t.Parallel()
	acme, rival, other := caller{"a", "acme"}, caller{"a", "rival"}, caller{"b", "acme"}
	if got := grantsOf(t, acme, acme, acme, rival, other, rival); !slices.Equal(got,
		[]caller{acme, other, rival, acme, rival, acme}) {
		t.Errorf("%v", got)
	}
}

func TestACanceledWaiterLosesNoSlot(t *testing.T) {
	t.Parallel()
	turns := newFairSlots(1)
	release, err := turns.take(t.Context(), caller{"a", "acme"})
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := turns.take(gone, caller{"b", "acme"}); err == nil {
		t.Fatal("acquired an occupied slot")
	}
	w := turns.join(caller{"c", "acme"}) // abandons at the moment of its grant
	release()
	turns.abandon(w)
	if release, err = turns.take(t.Context(), caller{"d", "acme"}); err != nil {
		t.Fatal(err)
	}
	release()
	if turns.free != 1 || len(turns.waiting) != 0 || len(turns.served) != 0 {
		t.Errorf("%d free, %d waiting, %d remembered", turns.free, len(turns.waiting), len(turns.served))
	}
}
