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

// passwords hashes and compares passwords in a few slots with low priority, so that a login storm
// leaves processors for other requests. Callers whose wait would be too long get 503; the others are
// served fairly.
type passwords struct {
	cost    int
	slots   int
	turns   *turns
	logins  *door        // callers without a session
	members *door        // callers with a session: a login storm does not take their places
	took    atomic.Int64 // moving average of a hash in nanoseconds
	highest atomic.Int64 // highest bcrypt cost that was compared with
	// One of these locks is held while a password is verified, so that tries of one user from one
	// source are serialized.
	tries [64]chan struct{}

	compareHash func(hash, password []byte) error // bcrypt's; tests count its rounds
}

// maxQueueWait is the approximate maximum wait of an admitted caller for a slot, by the recent duration
// of hashes. It is enforced at admission and not by a timeout, since a queued try counts as a wrong
// password until it is checked.
const maxQueueWait = 3 * time.Second

// maxQueue is the maximum number of admitted callers per slot, however fast the hashes are.
const maxQueue = 64

// inlineCost is a cost whose hash takes less than the 10 ms for which any goroutine may keep a
// processor: it is not worth a thread, and too short to predict the next one.
const inlineCost = 6

// maxPassword is bcrypt's limit in bytes: it ignores the rest, so longer passwords are refused.
const maxPassword = 72

func newPasswords(cost int) *passwords {
	slots := max(1, runtime.GOMAXPROCS(0)-1)
	p := &passwords{cost: cost, slots: slots, turns: newTurns(slots), logins: newDoor(),
		members: newDoor(), compareHash: bcrypt.CompareHashAndPassword}
	p.took.Store(int64(50 * time.Microsecond << cost)) // an estimate until the first measurement
	for i := range p.tries {
		p.tries[i] = make(chan struct{}, 1)
	}
	return p
}

// enter admits a login to the queue. It returns a function that leaves it.
func (p *passwords) enter(c caller) (leave func(), err error) { return p.admit(p.logins, c) }

// enterAs admits a user with a session.
func (p *passwords) enterAs(v db.Viewer) (leave func(), err error) {
	return p.admit(p.members, asCaller(v))
}

// asCaller returns the caller for a user with a session, whatever their source.
func asCaller(v db.Viewer) caller { return caller{"user " + v.UserID.String(), v.TenantID.String()} }

func (p *passwords) admit(d *door, c caller) (leave func(), err error) {
	leave, ok := d.enter(c, p.places())
	if !ok {
		busy := problem(db.Overloaded, "", "Too many logins at once.")
		busy.retryAfter = 2*time.Second + rand.N(2*time.Second) // jitter
		return nil, busy
	}
	return leave, nil
}

// places returns maxQueue per slot, or less if that many hashes take longer than maxQueueWait.
func (p *passwords) places() int {
	return min(maxQueue, max(1, int(int64(maxQueueWait)/max(1, p.took.Load())))) * p.slots
}

// inSlot runs the work when it is the caller's turn.
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

// measured updates the moving average of the duration of a hash.
func (p *passwords) measured(hash time.Duration) {
	last := p.took.Load()
	p.took.Store(last + (int64(hash)-last)/4) // a concurrent update of another slot may be lost
}

// lockTry waits until no other try under the key is running. A caller that waits, or queries the
// database meanwhile, holds no slot.
func (p *passwords) lockTry(ctx context.Context, key []byte) (unlock func(), err error) {
	try := p.tries[int(key[0])%len(p.tries)]
	select {
	case try <- struct{}{}:
		return func() { <-try }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// hash hashes a new password for a user with a session. field names the member for a validation error.
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

// generate hashes a prepared password for an admitted caller.
func (p *passwords) generate(ctx context.Context, c caller, prepared string) (string, error) {
	var hash []byte
	var err error
	busy := p.inSlot(ctx, c, func() { hash, err = bcrypt.GenerateFromPassword([]byte(prepared), p.cost) })
	return string(hash), cmp.Or(busy, err)
}

// verdict is the result of comparing a password with a hash.
type verdict struct {
	same    bool
	outworn bool // the hash has a lower cost than new ones, or is of an unprepared password
}

// compare compares a password with a hash for an admitted caller. It always takes the time of the
// highest cost seen, also for an empty hash, which matches nothing: the time reveals neither whether a
// user exists nor the age of their hash.
func (p *passwords) compare(ctx context.Context, c caller, hash, password string) (v verdict, err error) {
	forms := formsOf(password)
	against := []byte(hash)
	cost, bad := bcrypt.Cost(against)
	if bad != nil {
		cost, against = p.cost, dummyHash(p.cost)
	}
	target := max(p.cost, int(p.highest.Load()), cost)
	p.highest.Store(int64(target)) // a concurrent update may be lost
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

// equalize takes the additional time of a hash of the target's cost over one of the given cost: each
// cost step doubles the time, so the steps in between add up to the difference.
func (p *passwords) equalize(cost, target int, password string) {
	for ; cost < target; cost++ {
		_ = p.compareHash(dummyHash(cost), []byte(password))
	}
}

// dummyHash returns the hash to compare with for unknown users. It is no user's hash: only its cost and
// salt determine the time.
func dummyHash(cost int) []byte {
	return fmt.Appendf(nil, "$2a$%02d$%s", cost, strings.Repeat("n", 22+31)) // salt and hash
}
