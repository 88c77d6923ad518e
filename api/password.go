package api

import (
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/crypto/bcrypt"

	"waybill/db"
)

// passwords hashes and compares in few slots, and with a low priority, so that a login
// storm leaves the other requests a processor; who would wait too long for a slot is
// told to come back.
type passwords struct {
	cost  int
	slots chan struct{}
	queue atomic.Int64 // how many wait or hash
	took  atomic.Int64 // nanoseconds of a hash, lately
	// One of them is held while a user's password is verified: their next one waits.
	users [64]chan struct{}
	seed  maphash.Seed
}

// patience is how long who is let in has to wait for a slot, about: by the time that
// hashes took lately. It is decided at the door, and not by waiting so long, since a try
// counts as a wrong password until it was looked at.
const patience = 3 * time.Second

// cheap is a cost whose hash takes less than the 10 ms that any goroutine may keep a
// processor: not worth a thread, and its time tells more of the moment than of the next.
const cheap = 6

// maxPassword is what bcrypt looks at: it ignores what follows, so longer is refused.
const maxPassword = 72

func newPasswords(cost int) *passwords {
	slots := max(1, runtime.GOMAXPROCS(0)-1)
	p := &passwords{cost: cost, slots: make(chan struct{}, slots), seed: maphash.MakeSeed()}
	p.took.Store(int64(50 * time.Microsecond << cost)) // a guess, until one is measured
	for i := range p.users {
		p.users[i] = make(chan struct{}, 1)
	}
	return p
}

// enter takes a place in the queue, and gives the function that leaves it.
func (p *passwords) enter() (leave func(), err error) {
	if p.queue.Add(1) > p.places() {
		p.queue.Add(-1)
		busy := problem(db.Overloaded, "", "Too many logins at once.")
		busy.retryAfter = 2*time.Second + rand.N(2*time.Second) // not all at once
		return nil, busy
	}
	return func() { p.queue.Add(-1) }, nil
}

// places are 32 a slot, fewer where so many hashes take longer than patience.
func (p *passwords) places() int64 {
	slots := int64(cap(p.slots))
	return min(32, max(1, int64(patience)/max(1, p.took.Load()))) * slots
}

// inSlot does the work of a hash when there is a slot.
func (p *passwords) inSlot(ctx context.Context, work func()) error {
	leave, err := hold(ctx, p.slots)
	if err != nil {
		return err
	}
	defer leave()
	if p.cost <= cheap {
		work()
		return nil
	}
	start := time.Now()
	inBackground(work)
	p.measured(time.Since(start))
	return nil
}

// measured moves what hashes took lately toward what this one did.
func (p *passwords) measured(hash time.Duration) {
	last := p.took.Load()
	p.took.Store(last + (int64(hash)-last)/4) // another slot's at this moment may be lost
}

// turn waits, for who is in the queue, until it is the user's next try. Who waits, or
// asks the database meanwhile, has no slot: others can hash.
func (p *passwords) turn(ctx context.Context, tenantID uuid.UUID, email string) (leave func(), err error) {
	return hold(ctx, p.users[maphash.String(p.seed, tenantID.String()+strings.ToLower(email))%uint64(len(p.users))])
}

// hold waits for a place in the channel, as long as the request is wanted.
func hold(ctx context.Context, places chan struct{}) (leave func(), err error) {
	select {
	case places <- struct{}{}:
		return func() { <-places }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// hash is bcrypt's of the password that the field holds.
func (p *passwords) hash(ctx context.Context, field, password string) (string, error) {
	if len(password) > maxPassword {
		return "", problem(db.ValidationFailed, field, "A password has at most 72 bytes.")
	}
	leaveQueue, err := p.enter()
	if err != nil {
		return "", err
	}
	defer leaveQueue()
	var hash []byte
	busy := p.inSlot(ctx, func() { hash, err = bcrypt.GenerateFromPassword([]byte(password), p.cost) })
	return string(hash), cmp.Or(busy, err)
}

// matches is bcrypt's, for who is not in the queue.
func (p *passwords) matches(ctx context.Context, hash, password string) (bool, error) {
	leaveQueue, err := p.enter()
	if err != nil {
		return false, err
	}
	defer leaveQueue()
	return p.compare(ctx, hash, password)
}

// compare is bcrypt's, for who is in the queue. An empty hash matches nothing, in the
// time that any other takes.
func (p *passwords) compare(ctx context.Context, hash, password string) (bool, error) {
	against := []byte(hash)
	if hash == "" {
		against = decoy(p.cost)
	}
	var same bool
	if err := p.inSlot(ctx, func() { same = bcrypt.CompareHashAndPassword(against, []byte(password)) == nil }); err != nil {
		return false, err
	}
	return same && hash != "" && len(password) <= maxPassword, nil
}

// decoy is compared with where there is no user. It is nobody's hash: the time goes by
// the cost, which it has, and the salt.
func decoy(cost int) []byte {
	return fmt.Appendf(nil, "$2a$%02d$%s", cost, strings.Repeat("n", 22+31)) // salt and hash
}
