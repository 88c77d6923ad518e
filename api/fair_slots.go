package api

import (
	"cmp"
	"context"
	"sync"
)

// caller identifies on whose behalf a password is hashed: a source address, or a user with a session,
// and the tenant.
type caller struct{ source, tenant string }

// admission admits callers to the queue for a hash. A source gets at most as many places as are free, and a
// tenant three times as many: a single source gets half of them, two get a third each, so that there is
// always a place for a new source.
type admission struct {
	mu      sync.Mutex
	inside  int
	sources map[string]int
	tenants map[string]int
}

func newAdmission() *admission {
	return &admission{sources: map[string]int{}, tenants: map[string]int{}}
}

// enter takes one of the places if the caller may have it.
func (d *admission) enter(c caller, places int) (leave func(), ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	free := places - d.inside
	if free <= 0 || d.sources[c.source] >= free || d.tenants[c.tenant] >= 3*free {
		return nil, false
	}
	d.count(c, 1)
	return sync.OnceFunc(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.count(c, -1)
	}), true
}

func (d *admission) count(c caller, by int) {
	d.inside += by
	add(d.sources, c.source, by)
	add(d.tenants, c.tenant, by)
}

// add removes holders that reach zero.
func add(held map[string]int, name string, by int) {
	if held[name] += by; held[name] == 0 {
		delete(held, name)
	}
}

// fairSlots grants slots fairly: to the source that was served longest ago, within it to the tenant that
// was, and within that in order of arrival.
type fairSlots struct {
	mu      sync.Mutex
	free    int
	waiting []*waiter         // in order of arrival
	served  map[caller]uint64 // the number of the last grant; {source, ""} for any of its tenants
	grants  uint64
}

type waiter struct {
	caller
	granted chan struct{}
}

// maxServed bounds the history: a forgotten source is served first once more.
const maxServed = 1024

func newFairSlots(slots int) *fairSlots { return &fairSlots{free: slots, served: map[caller]uint64{}} }

// take waits for a slot until ctx ends. It returns Overloaded if the time limit of the request passes,
// and Timeout if its client goes away.
func (t *fairSlots) take(ctx context.Context, c caller) (release func(), err error) {
	w := t.join(c)
	select {
	case <-w.granted:
		return t.release, nil
	case <-ctx.Done():
		t.abandon(w)
		return nil, queueWaitError(ctx)
	}
}

func (t *fairSlots) join(c caller) *waiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := &waiter{c, make(chan struct{})}
	t.waiting = append(t.waiting, w)
	t.grant()
	return w
}

// abandon stops waiting, or releases a slot that was granted concurrently.
func (t *fairSlots) abandon(w *waiter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, other := range t.waiting {
		if other == w {
			t.remove(i)
			return
		}
	}
	t.free++
	t.grant()
}

func (t *fairSlots) release() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.free++
	t.grant()
}

func (t *fairSlots) grant() {
	for t.free > 0 && len(t.waiting) > 0 {
		next := 0
		for i := range t.waiting {
			if t.before(t.waiting[i].caller, t.waiting[next].caller) {
				next = i
			}
		}
		w := t.waiting[next]
		t.remove(next)
		t.free--
		t.grants++
		t.served[w.caller], t.served[caller{source: w.source}] = t.grants, t.grants
		close(w.granted)
	}
	if len(t.waiting) == 0 || len(t.served) > maxServed {
		clear(t.served)
	}
}

// before reports whether one caller is served before the other; callers of the same source and tenant are
// equal.
func (t *fairSlots) before(one, other caller) bool {
	return cmp.Or(
		cmp.Compare(t.served[caller{source: one.source}], t.served[caller{source: other.source}]),
		cmp.Compare(t.served[one], t.served[other])) < 0
}

func (t *fairSlots) remove(i int) { t.waiting = append(t.waiting[:i], t.waiting[i+1:]...) }
