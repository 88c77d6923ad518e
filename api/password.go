package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/bcrypt"

	"waybill/db"
)

// passwords hashes and compares passwords in a few slots with low priority, so that a login storm
// leaves processors for other requests. Waiting callers are served fairly, for as long as their requests
// may take; a caller that finds no place in the queue gets 503.
type passwords struct {
	cost        int
	slots       int
	turns       *fairSlots
	logins      *admission   // callers without a session
	withSession *admission   // callers with a session: a login storm does not take their places
	highest     atomic.Int64 // highest bcrypt cost that was compared with
	// tries holds, by its key, each try that is running, as a channel that is closed at its end: tries of
	// one user from one source are serialized.
	tries sync.Map

	compareHash func(hash, password []byte) error // bcrypt's; tests count its rounds
}

// maxQueue is the number of places in the queue per slot. It does not depend on how fast the hashes are:
// on a slow machine a place is a longer wait, and fewer places would be a refusal at once. One source has
// at most half of them, and its turn comes no more often than that of any other.
const maxQueue = 64

// inlineCost is a cost whose hash takes less than the 10 ms for which any goroutine may keep a
// processor: it is not worth a thread.
const inlineCost = 6

// maxPassword is bcrypt's limit in bytes: it ignores the rest, so longer passwords are refused.
const maxPassword = 72

func newPasswords(cost int) *passwords {
	slots := max(1, runtime.GOMAXPROCS(0)-1)
	return &passwords{cost: cost, slots: slots, turns: newFairSlots(slots), logins: newAdmission(),
		withSession: newAdmission(), compareHash: bcrypt.CompareHashAndPassword}
}

// enter admits a login to the queue. It returns a function that leaves it.
func (p *passwords) enter(c caller) (leave func(), err error) { return p.admit(p.logins, c) }

// enterAs admits a user with a session.
func (p *passwords) enterAs(v db.Viewer) (leave func(), err error) {
	return p.admit(p.withSession, asCaller(v))
}

// asCaller returns the caller for a user with a session, whatever their source.
func asCaller(v db.Viewer) caller { return caller{"user " + v.UserID.String(), v.TenantID.String()} }

func (p *passwords) admit(d *admission, c caller) (leave func(), err error) {
	leave, ok := d.enter(c, maxQueue*p.slots)
	if !ok {
		return nil, tooManyLogins()
	}
	return leave, nil
}

// queueWaitError returns the error of a caller whose request ended before it was admitted: Overloaded if its time limit
// passed, Timeout if its client went away.
func queueWaitError(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return tooManyLogins()
	}
	return &db.Error{Code: db.Timeout}
}

func tooManyLogins() *Problem {
	busy := problem(db.Overloaded, "", "Too many concurrent logins.")
	busy.retryAfter = 2*time.Second + rand.N(2*time.Second) // jitter
	return busy
}

// inSlot runs the work when it is the caller's turn, and first, as a part of the turn, begin: its error
// is returned in place of the work. If the time limit of the request passes before that turn, neither is
// run.
func (p *passwords) inSlot(ctx context.Context, c caller, begin func() error, work func()) error {
	release, err := p.turns.take(ctx, c)
	if err != nil {
		return err
	}
	defer release()
	if err := begin(); err != nil {
		return err
	}
	if p.cost <= inlineCost {
		work()
	} else {
		inBackground(work)
	}
	return nil
}

// uncounted begins a hash that is no try of a password.
func uncounted() error { return nil }

// lockTry waits until no other try under the key is running. A caller that waits, or queries the
// database meanwhile, holds no slot.
func (p *passwords) lockTry(ctx context.Context, key []byte) (unlock func(), err error) {
	for {
		running, isRunning := p.tries.LoadOrStore(string(key), make(chan struct{}))
		if !isRunning {
			return func() {
				p.tries.Delete(string(key))
				close(running.(chan struct{}))
			}, nil
		}
		select {
		case <-running.(chan struct{}):
		case <-ctx.Done():
			return nil, queueWaitError(ctx)
		}
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
	busy := p.inSlot(ctx, c, uncounted, func() { hash, err = bcrypt.GenerateFromPassword([]byte(prepared), p.cost) })
	return string(hash), cmp.Or(busy, err)
}

// verdict is the result of comparing a password with a hash.
type verdict struct {
	same     bool
	outdated bool // the hash has a lower cost than new ones, or is of an unprepared password
}

// compare compares a password with a hash for an admitted caller, after count, which counts the try: not
// before the caller's turn, since one that gives up waiting has tried nothing. It always takes the time of the
// highest cost seen, also for an empty hash, which matches nothing: the time reveals neither whether a
// user exists nor the age of their hash.
func (p *passwords) compare(
	ctx context.Context, c caller, count func() error, hash, password string,
) (v verdict, err error) {
	forms := formsOf(password)
	against := []byte(hash)
	cost, bad := bcrypt.Cost(against)
	if bad != nil {
		cost, against = p.cost, dummyHash(p.cost)
	}
	target := max(p.cost, int(p.highest.Load()), cost)
	p.highest.Store(int64(target)) // a concurrent update may be lost
	err = p.inSlot(ctx, c, count, func() {
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
