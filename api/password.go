package api

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/bcrypt"

	"waybill/db"
)

// passwords hashes and compares in few slots, and with a low priority, so that a login
// storm leaves the other requests a processor. Callers whose wait would be too long are
// told to come back; the others' turns are fair.
type passwords struct {
	cost    int
	slots   int
	turns   *turns
	logins  *door        // of those who have no session yet
	members *door        // of those who have one: no storm of logins takes their places
	took    atomic.Int64 // nanoseconds of a hash, lately
	highest atomic.Int64 // cost of a hash that was compared with
	// One of them is held while a password is verified: the next try of one user from one
	// source waits.
	tries [64]chan struct{}

	compareHash func(hash, password []byte) error // bcrypt's; tests count its rounds
}

// maxQueueWait is how long an admitted caller waits for a slot, about: by the time that
// hashes took lately. It is decided at the door, and not by waiting so long, since a try
// counts as a wrong password until it was looked at.
const maxQueueWait = 3 * time.Second

// maxQueue is how many are admitted for each slot, however fast the hashes are.
const maxQueue = 64

// inlineCost is a cost whose hash takes less than the 10 ms that any goroutine may keep a
// processor: not worth a thread, and its time tells more of the moment than of the next.
const inlineCost = 6

// maxPassword is what bcrypt looks at: it ignores what follows, so longer is refused.
const maxPassword = 72

func newPasswords(cost int) *passwords {
	slots := max(1, runtime.GOMAXPROCS(0)-1)
	p := &passwords{cost: cost, slots: slots, turns: newTurns(slots), logins: newDoor(),
		members: newDoor(), compareHash: bcrypt.CompareHashAndPassword}
	p.took.Store(int64(50 * time.Microsecond << cost)) // a guess, until one is measured
	for i := range p.tries {
		p.tries[i] = make(chan struct{}, 1)
	}
	return p
}

// enter admits a login to the queue, and returns the function that leaves it.
func (p *passwords) enter(c caller) (leave func(), err error) { return p.admit(p.logins, c) }

// enterAs admits a user who has a session.
func (p *passwords) enterAs(v db.Viewer) (leave func(), err error) {
	return p.admit(p.members, asCaller(v))
}

// asCaller returns the caller that a user with a session is, wherever they come from.
func asCaller(v db.Viewer) caller { return caller{"user " + v.UserID.String(), v.TenantID.String()} }

func (p *passwords) admit(d *door, c caller) (leave func(), err error) {
	leave, ok := d.enter(c, p.places())
	if !ok {
		busy := problem(db.Overloaded, "", "Too many logins at once.")
		busy.retryAfter = 2*time.Second + rand.N(2*time.Second) // not all at once
		return nil, busy
	}
	return leave, nil
}

// places are maxQueue for each slot, fewer where so many hashes take longer than
// maxQueueWait.
func (p *passwords) places() int {
	return min(maxQueue, max(1, int(int64(maxQueueWait)/max(1, p.took.Load())))) * p.slots
}

// inSlot does the work of a hash when it is the caller's turn.
func (p *passwords) inSlot(ctx context.Context, c caller, work func()) error {
	release, err := p.turns.take(ctx, c)
	if err != nil {
		return err
	}
	defer release()
	if p.cost <= inlineCost {
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

// lockTry waits until it is the next try under a key. Whoever waits, or asks the database
// meanwhile, has no slot: others can hash.
func (p *passwords) lockTry(ctx context.Context, key []byte) (unlock func(), err error) {
	try := p.tries[int(key[0])%len(p.tries)]
	select {
	case try <- struct{}{}:
		return func() { <-try }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// hash makes the hash of a new password, for a user with a session. The field is the one
// that holds the password, for what is wrong with it.
func (p *passwords) hash(ctx context.Context, v db.Viewer, field, password string) (string, error) {
	prepared, wrong := newPassword(password)
	if wrong != "" {
		return "", problem(db.ValidationFailed, field, wrong)
	}
	leaveQueue, err := p.enterAs(v)
	if err != nil {
		return "", err
	}
	defer leaveQueue()
	return p.generate(ctx, asCaller(v), prepared)
}

// generate hashes a prepared password, for a caller in the queue.
func (p *passwords) generate(ctx context.Context, c caller, prepared string) (string, error) {
	var hash []byte
	var err error
	busy := p.inSlot(ctx, c, func() { hash, err = bcrypt.GenerateFromPassword([]byte(prepared), p.cost) })
	return string(hash), cmp.Or(busy, err)
}

// verdict is what comparing a password with a hash found.
type verdict struct {
	same    bool
	outworn bool // the hash is of a lower cost than is made now, or of a password not prepared
}

// compare holds a password against a hash, for a caller in the queue. Whatever the hash,
// it takes the time of the costliest that was seen, and an empty one, which matches
// nothing, too: neither who exists nor whose hash is old can be told by it.
func (p *passwords) compare(ctx context.Context, c caller, hash, password string) (v verdict, err error) {
	forms := formsOf(password)
	against := []byte(hash)
	cost, bad := bcrypt.Cost(against)
	if bad != nil {
		cost, against = p.cost, dummyHash(p.cost)
	}
	target := max(p.cost, int(p.highest.Load()), cost)
	p.highest.Store(int64(target)) // another's at this moment may be lost
	err = p.inSlot(ctx, c, func() {
		for i, form := range forms {
			same := p.compareHash(against, []byte(form)) == nil && len(form) <= maxPassword && bad == nil
			if same && !v.same {
				v = verdict{true, cost < p.cost || i > 0}
			}
			p.equalize(cost, target, form)
		}
	})
	return v, err
}

// equalize does what a hash of the target's cost takes beyond one of the cost: each step
// of the cost doubles it, so that all the steps between them add up to the rest.
func (p *passwords) equalize(cost, target int, password string) {
	for ; cost < target; cost++ {
		_ = p.compareHash(dummyHash(cost), []byte(password))
	}
}

// dummyHash is compared with where there is no user. It is nobody's hash: the time goes by
// the cost, which it has, and the salt.
func dummyHash(cost int) []byte {
	return fmt.Appendf(nil, "$2a$%02d$%s", cost, strings.Repeat("n", 22+31)) // salt and hash
}
