package api

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"

	"github.com/google/uuid"

	"waybill/db"
)

// Failed logins are limited in three ways, each counted before the password is looked at:
//
//   - A user from a source (loginTry.key): four tries, then each waits twice as long as the
//     one before. That is all that holds for a user who has logged in from there before.
//   - A source, over all users that it does not know: a token bucket, against passwords
//     that are tried on many users.
//   - A user, over all sources that do not know them: a larger one, against guesses from
//     many addresses.
//
// A login that succeeds gives back the tokens that it took, and no others: a good account
// of one's own does not pay for guesses.
const (
	sourceBurst  = 20
	sourceRefill = 30 * time.Second
	userBurst    = 60
	userRefill   = time.Minute
	// knownFor is how long a user is known at a source after a login from there.
	knownFor = 90 * 24 * time.Hour
)

// loginPause is how long the answer waits to a login that is refused without a look at its
// password. Guessers who come again at once, 16 of them some 20,000 times a second, would
// else take the processor from the hashes of others, whose priority is low: these would
// take so long that their queue is full.
const loginPause = 250 * time.Millisecond

// bucket is a token bucket: burst tokens at most, another each refill.
type bucket struct {
	key    []byte
	refill time.Duration
	burst  int
}

// drained is how long an empty bucket takes to be full, but for the one token that it
// lacks to give one.
func (b bucket) drained() time.Duration { return b.refill * time.Duration(b.burst-1) }

// loginTry is one login on its way.
type loginTry struct {
	caller
	key     []byte   // of this user at this source
	buckets []bucket // of the source, and of the user at any
	taken   []bucket // those of them that gave a token
}

func (a *server) newLoginTry(ctx context.Context, given Credentials) *loginTry {
	source, email := a.sourceOf(ctx), db.FoldCase(given.Email)
	return &loginTry{
		caller: caller{source, given.Tenant},
		key:    attemptKey("user at source", given.Tenant, email, source),
		buckets: []bucket{
			{attemptKey("source", source), sourceRefill, sourceBurst},
			{attemptKey("user", given.Tenant, email), userRefill, userBurst},
		},
	}
}

// ofSource is the context of a login: of the connections, all logins have a tenant's share,
// and those of one source a user's.
func ofSource(ctx context.Context, source string) context.Context {
	return context.WithValue(ctx, db.CallerKey{}, &db.Viewer{UserID: uuid.NewSHA1(uuid.NameSpaceURL, []byte(source))})
}

// attemptKey is the digest of what is counted: of what was submitted, so that what does
// not exist is counted alike.
func attemptKey(parts ...string) []byte {
	h := sha256.New()
	for _, part := range parts {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write([]byte(part))
	}
	return h.Sum(nil)
}

// countLogin counts a try to log in. RateLimited, if it has to wait: then the password is
// not looked at, and nothing but perhaps a token of the source is used up.
func (a *server) countLogin(ctx context.Context, try *loginTry) error {
	known, err := a.mayTry(ctx, try.key)
	if err != nil {
		return err
	}
	if !known {
		for _, b := range try.buckets {
			if err := a.takeToken(ctx, b); err != nil {
				return errors.Join(err, a.returnTokens(ctx, try))
			}
			try.taken = append(try.taken, b)
		}
	}
	if err := a.countAttempt(ctx, try.key); err != nil {
		return err
	}
	return a.sweepLogins(ctx)
}

// mayTry tells whether the user is known under the key. RateLimited, if the next try has
// to wait.
func (a *server) mayTry(ctx context.Context, key []byte) (known bool, err error) {
	row, err := a.store.GetLoginAttempt(ctx, key)
	switch {
	case db.NoRow(err):
		return false, nil
	case err != nil:
		return false, err
	case row.Wait > 0:
		return false, rateLimited(row.Wait)
	}
	return row.Known, nil
}

// countAttempt counts a try under the key. RateLimited, if it has to wait. Where by a fresh
// read it need not wait any more, since a login succeeded meanwhile, it is counted after
// all.
func (a *server) countAttempt(ctx context.Context, key []byte) error {
	for range 2 {
		_, err := a.store.CountLoginAttempt(ctx, key)
		if !db.NoRow(err) {
			return err
		}
		if _, err := a.mayTry(ctx, key); err != nil {
			return err
		}
	}
	return rateLimited(time.Second)
}

// takeToken takes a token of a bucket. RateLimited, if it is empty: that is read first, since
// those who go on all the same would else queue for the lock on its row.
func (a *server) takeToken(ctx context.Context, b bucket) error {
	for range 2 {
		wait, err := a.store.GetLoginTokenWait(ctx, db.GetLoginTokenWaitParams{Key: b.key, Drained: b.drained()})
		switch {
		case err != nil && !db.NoRow(err):
			return err
		case err == nil && wait > 0:
			return rateLimited(wait)
		}
		_, err = a.store.TakeLoginToken(ctx,
			db.TakeLoginTokenParams{Key: b.key, Refill: b.refill, Drained: b.drained()})
		if !db.NoRow(err) {
			return err
		}
	}
	return rateLimited(time.Second)
}

// loginSucceeded makes the user known at the source, and takes back what the try counted.
func (a *server) loginSucceeded(ctx context.Context, try *loginTry) error {
	if _, err := a.store.RememberLogin(ctx, db.RememberLoginParams{Key: try.key, KnownFor: knownFor}); err != nil {
		return err
	}
	return a.returnTokens(ctx, try)
}

// returnTokens gives back the tokens that a try took.
func (a *server) returnTokens(ctx context.Context, try *loginTry) error {
	for _, b := range try.taken {
		if _, err := a.store.ReturnLoginToken(ctx,
			db.ReturnLoginTokenParams{Key: b.key, Refill: b.refill}); err != nil {
			return err
		}
	}
	return nil
}

// sweepLogins deletes a few rows that have expired, more than a login adds.
func (a *server) sweepLogins(ctx context.Context) error {
	if _, err := a.store.SweepLoginAttempts(ctx); err != nil {
		return err
	}
	_, err := a.store.SweepLoginBuckets(ctx)
	return err
}

func rateLimited(wait time.Duration) error {
	limited := problem(db.RateLimited, "", "")
	limited.retryAfter = wait
	return limited
}
