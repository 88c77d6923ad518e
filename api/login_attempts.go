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

// Failed logins are limited in three ways, each counted before the password is checked:
//
//   - A user from one source (loginTry.key): four tries, then each waits twice as long as the
//     one before. This is the only limit for a user who has logged in from there before.
//   - A source, over all users that are not known there: a token bucket, against password
//     spraying.
//   - A user, over all sources where they are not known: a larger bucket, against guesses from
//     many addresses.
//
// A successful login returns the tokens that it took, and no others: logging in to one's own account
// does not pay for guesses.
const (
	sourceBurst  = 20
	sourceRefill = 30 * time.Second
	userBurst    = 60
	userRefill   = time.Minute
	// knownFor is how long a user counts as known at a source after a login from there.
	knownFor = 90 * 24 * time.Hour
)

// loginPause is the delay of the answer to a login that is refused without checking its password.
// Guessers that retry at once, 16 of them some 20,000 times a second, would otherwise take the
// processor from the low-priority hashes of others, whose queue would fill up.
const loginPause = 250 * time.Millisecond

// bucket is a token bucket with at most burst tokens, refilled by one in each interval.
type bucket struct {
	key    []byte
	refill time.Duration
	burst  int
}

// drained returns how long an empty bucket takes to be full, less the one token that makes it usable.
func (b bucket) drained() time.Duration { return b.refill * time.Duration(b.burst-1) }

// loginTry is one login attempt.
type loginTry struct {
	caller
	key     []byte   // of this user at this source
	buckets []bucket // of the source, and of the user from any source
	taken   []bucket // the buckets that a token was taken from
	counted bool     // as a try of the user at the source
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

// ofSource returns the context of a login: of the connections, all logins share a tenant's quota, and
// those of one source a user's.
func ofSource(ctx context.Context, source string) context.Context {
	return context.WithValue(ctx, db.CallerKey{}, &db.Viewer{UserID: uuid.NewSHA1(uuid.NameSpaceURL, []byte(source))})
}

// attemptKey returns the digest under which tries are counted. It covers what was submitted, so that
// unknown users are counted alike.
func attemptKey(parts ...string) []byte {
	h := sha256.New()
	for _, part := range parts {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write([]byte(part))
	}
	return h.Sum(nil)
}

// admitTry takes the tokens of a login attempt. It returns RateLimited if the caller must wait: then the
// password must not be checked, and at most a token of the source is used up.
func (a *server) admitTry(ctx context.Context, try *loginTry) error {
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
	return a.sweepLogins(ctx)
}

// countTry counts a login attempt, once. It returns RateLimited if the caller must wait.
func (a *server) countTry(ctx context.Context, try *loginTry) error {
	if try.counted {
		return nil
	}
	if err := a.countAttempt(ctx, try.key); err != nil {
		return err
	}
	try.counted = true
	return nil
}

// mayTry reports whether the user is known under the key. It returns RateLimited if the next try must
// wait.
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

// countAttempt counts a try under the key. It returns RateLimited if the caller must wait. If a fresh
// read shows no wait any more, because a login succeeded meanwhile, the try is counted after all.
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

// takeToken takes a token from a bucket. It returns RateLimited if the bucket is empty, which it reads
// first: otherwise persistent callers would queue for the lock on its row.
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

// loginSucceeded makes the user known at the source, and reverts what the try counted.
func (a *server) loginSucceeded(ctx context.Context, try *loginTry) error {
	if _, err := a.store.RememberLogin(ctx, db.RememberLoginParams{Key: try.key, KnownFor: knownFor}); err != nil {
		return err
	}
	return a.returnTokens(ctx, try)
}

// returnTokens returns the tokens that a try took.
func (a *server) returnTokens(ctx context.Context, try *loginTry) error {
	for _, b := range try.taken {
		if _, err := a.store.ReturnLoginToken(ctx,
			db.ReturnLoginTokenParams{Key: b.key, Refill: b.refill}); err != nil {
			return err
		}
	}
	return nil
}

// sweepLogins deletes a few expired rows, more than a login adds.
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
