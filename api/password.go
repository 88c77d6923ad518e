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
	users [64]sync.Mutex
	seed  maphash.Seed
	// Compared against where there is no user, so that it takes the same time. Made in
	// the background: it takes longer than all the rest of the start.
	decoy func() []byte
}

// maxPassword is what bcrypt looks at: it ignores what follows, so longer is refused.
const maxPassword = 72

func newPasswords(cost int) *passwords {
	slots := max(1, runtime.GOMAXPROCS(0)-1)
	decoy := sync.OnceValue(func() []byte {
		hash, err := bcrypt.GenerateFromPassword([]byte("no user has this one"), cost)
		if err != nil {
			panic(err) // only a cost out of range
		}
		return hash
	})
	go decoy()
	return &passwords{
		cost: cost, slots: make(chan struct{}, slots), queue: make(chan struct{}, 32*slots),
		seed: maphash.MakeSeed(), decoy: decoy,
	}
}

// slot waits for a place to hash, and gives the function that leaves it.
func (p *passwords) slot(ctx context.Context) (leave func(), err error) {
	select {
	case p.queue <- struct{}{}:
	default:
		busy := problem(db.Overloaded, "", "Too many logins at once.")
		busy.retryAfter = 2 * time.Second
		return nil, busy
	}
	select {
	case p.slots <- struct{}{}:
		return func() { <-p.slots; <-p.queue }, nil
	case <-ctx.Done():
		<-p.queue
		return nil, ctx.Err()
	}
}

// slotOf is a slot for one user alone.
func (p *passwords) slotOf(ctx context.Context, tenantID uuid.UUID, email string) (leave func(), err error) {
	leaveSlot, err := p.slot(ctx)
	if err != nil {
		return nil, err
	}
	turn := &p.users[maphash.String(p.seed, tenantID.String()+strings.ToLower(email))%uint64(len(p.users))]
	turn.Lock()
	return func() { turn.Unlock(); leaveSlot() }, nil
}

// hash is bcrypt's, in a slot, of the password that the field holds.
func (p *passwords) hash(ctx context.Context, field, password string) (string, error) {
	if len(password) > maxPassword {
		return "", problem(db.ValidationFailed, field, "A password has at most 72 bytes.")
	}
	leave, err := p.slot(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), p.cost)
	return string(hash), err
}

// matches is bcrypt's, in a slot.
func (p *passwords) matches(ctx context.Context, hash, password string) (bool, error) {
	leave, err := p.slot(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	return p.compare(hash, password), nil
}

// compare is bcrypt's, for who has a slot. An empty hash matches nothing, in the
// time that any other takes.
func (p *passwords) compare(hash, password string) bool {
	against := []byte(hash)
	if hash == "" {
		against = p.decoy()
	}
	return bcrypt.CompareHashAndPassword(against, []byte(password)) == nil && hash != "" && len(password) <= maxPassword
}
