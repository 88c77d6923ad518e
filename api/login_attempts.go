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

// fillTime returns how long an empty bucket takes to be full, less the one token that makes it usable.
func (b bucket) fillTime() time.Duration { return b.refill * time.Duration(b.burst-1) }

// token returns the request for a token.
func (b bucket) token() db.TakeLoginTokenParams {
	return db.TakeLoginTokenParams{Key: b.key, Refill: b.refill, Drained: b.fillTime()}
}

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

// withSource returns the context of a login: of the connections, all logins share a tenant's quota, and
// those of one source a user's.
func withSource(ctx context.Context, source string) context.Context {
	return context.WithValue(ctx, db.CallerKey{}, &db.Viewer{UserID: uuid.NewSHA1(uuid.NameSpaceURL, []byte(source))})
}

// attemptKey returns the digest under which attempts are counted. It covers the submitted values, so that
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
	known, wait, err := a.store.GetLoginAttempt(ctx, try.key)
	if err := limited(wait, err); err != nil {
		return err
	}
	if !known {
		for _, b := range try.buckets {
			if err := limited(a.store.TakeLoginToken(ctx, b.token())); err != nil {
				return errors.Join(err, a.returnTokens(ctx, try))
			}
			try.taken = append(try.taken, b)
		}
	}
	return a.store.SweepLogins(ctx)
}

// countTry counts a login attempt, once. It returns RateLimited if the caller must wait.
func (a *server) countTry(ctx context.Context, try *loginTry) error {
	if try.counted {
		return nil
	}
	if err := limited(a.store.CountLoginAttempt(ctx, try.key)); err != nil {
		return err
	}
	try.counted = true
	return nil
}

// loginSucceeded makes the user known at the source, and reverts what the try counted.
func (a *server) loginSucceeded(ctx context.Context, try *loginTry) error {
	if err := a.store.RememberLogin(ctx, db.RememberLoginParams{Key: try.key, KnownFor: knownFor}); err != nil {
		return err
	}
	return a.returnTokens(ctx, try)
}

// returnTokens returns the tokens that a try took.
func (a *server) returnTokens(ctx context.Context, try *loginTry) error {
	for _, b := range try.taken {
		if err := a.store.ReturnLoginToken(ctx, db.ReturnLoginTokenParams{Key: b.key, Refill: b.refill}); err != nil {
			return err
		}
	}
	return nil
}

// limited returns RateLimited for an attempt that has to wait, or else err.
func limited(wait time.Duration, err error) error {
	if err == nil && wait > 0 {
		return rateLimited(wait)
	}
	return err
}

func rateLimited(wait time.Duration) error {
	limited := problem(db.RateLimited, "", "")
	limited.retryAfter = wait
	return limited
}
