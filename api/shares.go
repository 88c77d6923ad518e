package api

import (
	"cmp"
	"fmt"
	"sync"

	"waybill/db"
)

// Limits say how many of something may be under way at once: in the process, for each
// tenant, and for each user of a tenant.
type Limits struct{ Whole, PerTenant, PerUser int }

// or gives the limits, those of otherwise in place of zeros.
func (l Limits) or(otherwise Limits) Limits {
	return Limits{cmp.Or(l.Whole, otherwise.Whole), cmp.Or(l.PerTenant, otherwise.PerTenant),
		cmp.Or(l.PerUser, otherwise.PerUser)}
}

// shares bounds how many of something are under way at once: in the whole process, for
// each tenant, and for each user of a tenant. No user can take a tenant's places, and no
// tenant the process's. K names tenants and users: a uuid.UUID, or a string for a slug
// and a source address. It remembers only those who hold a place now.
type shares[K comparable] struct {
	what string // in the plural, for the refusals: "streams"
	most Limits

	mu      sync.Mutex
	taken   int
	tenants map[K]int
	users   map[userOf[K]]int
}

// userOf is a user of a tenant: two tenants may know users of one id.
type userOf[K comparable] struct{ tenant, user K }

// newShares makes the shares of a thing, named in the plural.
func newShares[K comparable](what string, most Limits) *shares[K] {
	return &shares[K]{what: what, most: most, tenants: map[K]int{}, users: map[userOf[K]]int{}}
}

// take takes a place, and returns what gives it back, once, however often it is called.
// It never waits. The caller's own share used up is concurrencyLimit (429), and says so
// whatever the others do; the whole used up is Overloaded (503).
func (s *shares[K]) take(tenant, user K) (release func(), err error) {
	who := userOf[K]{tenant, user}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.users[who] >= s.most.PerUser:
		return nil, problem(concurrencyLimit, "", fmt.Sprintf("A user may have %d %s at once.", s.most.PerUser, s.what))
	case s.tenants[tenant] >= s.most.PerTenant:
		return nil, problem(concurrencyLimit, "",
			fmt.Sprintf("A tenant may have %d %s at once.", s.most.PerTenant, s.what))
	case s.taken >= s.most.Whole:
		return nil, problem(db.Overloaded, "", fmt.Sprintf("The server has as many %s as it takes.", s.what))
	}
	s.taken++
	s.tenants[tenant]++
	s.users[who]++
	return sync.OnceFunc(func() { s.giveBack(who) }), nil
}

// inUse returns how many places are taken.
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

// decrement forgets whoever holds nothing any more.
func decrement[K comparable](held map[K]int, who K) {
	if held[who]--; held[who] == 0 {
		delete(held, who)
	}
}
