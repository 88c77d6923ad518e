package api

import (
	"cmp"
	"fmt"
	"sync"

	"waybill/db"
)

// Limits bound the concurrent uses of something: in the process, per tenant, and per user of a tenant.
type Limits struct{ Whole, PerTenant, PerUser int }

// withDefaults returns the limits with zeros replaced by those of otherwise.
func (l Limits) withDefaults(otherwise Limits) Limits {
	return Limits{cmp.Or(l.Whole, otherwise.Whole), cmp.Or(l.PerTenant, otherwise.PerTenant),
		cmp.Or(l.PerUser, otherwise.PerUser)}
}

// shares limits the concurrent uses of something: in the whole process, per tenant, and per user of a
// tenant. No user can take all places of a tenant, and no tenant all of the process. K identifies
// tenants and users: a uuid.UUID, or a string for a slug or a source address. It only remembers current
// holders.
type shares[K comparable] struct {
	what string // in the plural, for messages: "streams"
	most Limits

	mu      sync.Mutex
	taken   int
	tenants map[K]int
	users   map[userOf[K]]int
}

// userOf is a user of a tenant: user ids are unique only within a tenant.
type userOf[K comparable] struct{ tenant, user K }

// newShares returns shares of something named in the plural.
func newShares[K comparable](what string, most Limits) *shares[K] {
	return &shares[K]{what: what, most: most, tenants: map[K]int{}, users: map[userOf[K]]int{}}
}

// take acquires a place without waiting. It returns an idempotent release function. If the caller's own
// share is used up it returns concurrencyLimit (429), whatever the others use; if all places are taken
// it returns Overloaded (503).
func (s *shares[K]) take(tenant, user K) (release func(), err error) {
	who := userOf[K]{tenant, user}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.users[who] >= s.most.PerUser:
		return nil, problem(concurrencyLimit, "",
			fmt.Sprintf("The limit is %d concurrent %s per user.", s.most.PerUser, s.what))
	case s.tenants[tenant] >= s.most.PerTenant:
		return nil, problem(concurrencyLimit, "",
			fmt.Sprintf("The limit is %d concurrent %s per tenant.", s.most.PerTenant, s.what))
	case s.taken >= s.most.Whole:
		return nil, problem(db.Overloaded, "", fmt.Sprintf("The server has reached its limit of concurrent "+
			"%s.", s.what))
	}
	s.taken++
	s.tenants[tenant]++
	s.users[who]++
	return sync.OnceFunc(func() { s.giveBack(who) }), nil
}

// inUse returns the number of taken places.
func (s *shares[K]) inUse() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken
}

func (s *shares[K]) giveBack(who userOf[K]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	decrement(s.tenants, who.tenant)
	decrement(s.users, who)
}

// decrement removes holders that reach zero.
func decrement[K comparable](held map[K]int, who K) {
	if held[who]--; held[who] == 0 {
		delete(held, who)
	}
}
