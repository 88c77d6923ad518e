package api

import (
	"context"
	"hash/maphash"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/crypto/bcrypt"

	"waybill/db"
)

// passwords hashes and compares in few slots, so that a login storm leaves the other
// requests a processor; who finds the queue full is told to come back.
type passwords struct {
	cost  int
	slots chan struct{}
	queue chan struct{}
	// One of them is held while a user's password is verified: their next one waits.
	users [64]chan struct{}
	seed  maphash.Seed
	// Compared against where there is no user, so that it takes the same time. Made in
	// the background: it takes longer than all the rest of the start.
	decoy func() []byte
}

// maxPassword is what bcrypt looks at: it ignores what follows, so longer is refused.
const maxPassword = 72

// decoys has one of each cost: any number of servers in a process can share it.
var decoys sync.Map

func newPasswords(cost int) *passwords {
	slots := max(1, runtime.GOMAXPROCS(0)-1)
	made, _ := decoys.LoadOrStore(cost, sync.OnceValue(func() []byte {
		hash, err := bcrypt.GenerateFromPassword([]byte("no user has this one"), cost)
		if err != nil {
			panic(err) // only a cost out of range
		}
		return hash
	}))
	decoy := made.(func() []byte)
	go decoy()
	p := &passwords{
		cost: cost, slots: make(chan struct{}, slots), queue: make(chan struct{}, 32*slots),
		seed: maphash.MakeSeed(), decoy: decoy,
	}
	for i := range p.users {
		p.users[i] = make(chan struct{}, 1)
	}
	return p
}

// enter takes a place in the queue, and gives the function that leaves it.
func (p *passwords) enter() (leave func(), err error) {
	select {
	case p.queue <- struct{}{}:
		return func() { <-p.queue }, nil
	default:
		busy := problem(db.Overloaded, "", "Too many logins at once.")
		busy.retryAfter = 2 * time.Second
		return nil, busy
	}
}

// turn takes a place in the queue and waits until it is the user's next try. Who
// waits, or asks the database meanwhile, has no slot: others can hash.
func (p *passwords) turn(ctx context.Context, tenantID uuid.UUID, email string) (leave func(), err error) {
	leaveQueue, err := p.enter()
	if err != nil {
		return nil, err
	}
	leaveTurn, err := hold(ctx, p.users[maphash.String(p.seed, tenantID.String()+strings.ToLower(email))%uint64(len(p.users))])
	if err != nil {
		leaveQueue()
		return nil, err
	}
	return func() { leaveTurn(); leaveQueue() }, nil
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
	leave, err := hold(ctx, p.slots)
	if err != nil {
		return "", err
	}
	defer leave()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), p.cost)
	return string(hash), err
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
		against = p.decoy()
	}
	leave, err := hold(ctx, p.slots)
	if err != nil {
		return false, err
	}
	defer leave()
	same := bcrypt.CompareHashAndPassword(against, []byte(password)) == nil
	return same && hash != "" && len(password) <= maxPassword, nil
}
