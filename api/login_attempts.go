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

// token asks for one.
func (b bucket) token() db.TakeLoginTokenParams {
	return db.TakeLoginTokenParams{Key: b.key, Refill: b.refill, Drained: b.drained()}
}

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
	if err := limited(a.store.CountLoginAttempt(ctx, try.key)); err != nil {
		return err
	}
	return a.store.SweepLogins(ctx)
}

// returnTokens gives back the tokens that a try took.
func (a *server) returnTokens(ctx context.Context, try *loginTry) error {
	for _, b := range try.taken {
		if err := a.store.ReturnLoginToken(ctx, db.ReturnLoginTokenParams{Key: b.key, Refill: b.refill}); err != nil {
			return err
		}
	}
	return nil
}

// loginSucceeded makes the user known at the source, and takes back what the try counted.
func (a *server) loginSucceeded(ctx context.Context, try *loginTry) error {
	if err := a.store.RememberLogin(ctx, db.RememberLoginParams{Key: try.key, KnownFor: knownFor}); err != nil {
		return err
	}
	return a.returnTokens(ctx, try)
}

// limited is the error of an attempt that has to wait: RateLimited, or that of the question.
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
