// Package quota shares a limited resource among tenants and their users, so that none of them can take
// all of it.
package quota

import (
	"context"
	"errors"
	"sync"

	"github.com/google/uuid"
)

// Limits bound the amount held at once: in total, per tenant, and per user of a tenant.
type Limits struct{ Whole, PerTenant, PerUser int64 }

// The reasons for which [Quota.Take] fails.
var (
	ErrShare = errors.New("the caller holds as much as one user or one tenant may")
	ErrWhole = errors.New("all of it is held")
)

// The maximum number of waiters, per user and in total: each arrival and release scans all of them.
// Further ones are refused at once, so that no caller slows down the others.
const (
	maxWaitingPerUser = 256
	maxWaiting        = 1024
)

// Quota is a limited amount of a resource. Callers who cannot have theirs at once wait; what is
// released goes to the tenant that holds least, within it to the user who holds least, and among equals
// in order of arrival. It only remembers current holders and waiters.
type Quota struct {
	limits Limits

	mu      sync.Mutex
	held    int64
	tenants map[uuid.UUID]int64
	users   map[user]int64
	waiting []*waiter    // in order of arrival
	waits   map[user]int // the number of waiters per user
}

type user struct{ tenant, id uuid.UUID }

type waiter struct {
	user
	n       int64
	granted chan struct{}
}

// New returns a quota. Each limit is at least 1, and inner limits are capped by outer ones.
func New(limits Limits) *Quota {
	limits.Whole = max(1, limits.Whole)
	limits.PerTenant = min(max(1, limits.PerTenant), limits.Whole)
	limits.PerUser = min(max(1, limits.PerUser), limits.PerTenant)
	return &Quota{limits: limits, tenants: map[uuid.UUID]int64{}, users: map[user]int64{}, waits: map[user]int{}}
}

// Take waits until the user may have n, or ctx ends: then it returns the reason, as it does at once if
// too many wait. A request for more than a user may ever have is reduced to that. release must be
// called once.
func (q *Quota) Take(ctx context.Context, tenantID, userID uuid.UUID, n int64) (release func(), err error) {
	w := &waiter{user{tenantID, userID}, min(n, q.limits.PerUser), nil}
	switch taken, err := q.takeNow(w); {
	case err != nil:
		return nil, err
	case taken:
		return q.releasing(w), nil
	}
	select {
	case <-w.granted:
		return q.releasing(w), nil
	case <-ctx.Done():
		return q.giveUp(w)
	}
}

// InUse returns the amount in use.
func (q *Quota) InUse() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.held
}

// takeNow takes the amount if nobody has to wait for it, and otherwise adds w to the waiters, if
// allowed.
func (q *Quota) takeNow(w *waiter) (taken bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.fits(w) == nil && !q.passesOver(w):
		q.add(w, 1)
		return true, nil
	case q.waits[w.user] >= maxWaitingPerUser:
		return false, ErrShare
	case len(q.waiting) >= maxWaiting:
		return false, ErrWhole
	}
	w.granted = make(chan struct{})
	q.waiting = append(q.waiting, w)
	q.waits[w.user]++
	return false, nil
}

// leave removes a waiter.
func (q *Quota) leave(i int) {
	who := q.waiting[i].user
	q.waiting = append(q.waiting[:i], q.waiting[i+1:]...)
	if q.waits[who]--; q.waits[who] == 0 {
		delete(q.waits, who)
	}
}

// passesOver reports whether another waiter would be served before w.
func (q *Quota) passesOver(w *waiter) bool {
	for _, other := range q.waiting {
		if q.fits(other) == nil && !q.before(w, other) {
			return true
		}
	}
	return false
}

// giveUp stops waiting, unless the amount was granted concurrently.
func (q *Quota) giveUp(w *waiter) (release func(), err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, other := range q.waiting {
		if other == w {
			q.leave(i)
			if err = q.fits(w); err == nil {
				err = ErrWhole
			}
			q.grant() // a waiter behind it may fit now
			return nil, err
		}
	}
	return q.releasing(w), nil
}

func (q *Quota) releasing(w *waiter) func() {
	return sync.OnceFunc(func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.add(w, -1)
		q.grant()
	})
}

// grant serves as many waiters as possible.
func (q *Quota) grant() {
	for {
		next := -1
		for i, w := range q.waiting {
			if q.fits(w) == nil && (next < 0 || q.before(w, q.waiting[next])) {
				next = i
			}
		}
		if next < 0 {
			return
		}
		w := q.waiting[next]
		q.leave(next)
		q.add(w, 1)
		close(w.granted)
	}
}

// fits returns why w cannot have it now, or nil.
func (q *Quota) fits(w *waiter) error {
	switch {
	case q.users[w.user]+w.n > q.limits.PerUser, q.tenants[w.tenant]+w.n > q.limits.PerTenant:
		return ErrShare
	case q.held+w.n > q.limits.Whole:
		return ErrWhole
	}
	return nil
}

// before reports whether a's tenant holds less than b's, or for the same tenant, a's user.
func (q *Quota) before(a, b *waiter) bool {
	if q.tenants[a.tenant] != q.tenants[b.tenant] {
		return q.tenants[a.tenant] < q.tenants[b.tenant]
	}
	return q.users[a.user] < q.users[b.user]
}

func (q *Quota) add(w *waiter, sign int64) {
	q.held += sign * w.n
	if q.tenants[w.tenant] += sign * w.n; q.tenants[w.tenant] == 0 {
		delete(q.tenants, w.tenant)
	}
	if q.users[w.user] += sign * w.n; q.users[w.user] == 0 {
		delete(q.users, w.user)
	}
}
