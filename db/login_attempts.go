package db

import (
	"context"
	"time"

	"waybill/db/retry"
)

// GetLoginAttempt returns the state of the attempts under a key: whether a user has logged in from there, and
// how long the next attempt must wait, 0 for not at all.
func (s *Store) GetLoginAttempt(ctx context.Context, key []byte) (known bool, wait time.Duration, err error) {
	row, err := s.q.GetLoginAttempt(ctx, key)
	if NoRow(err) {
		return false, 0, nil
	}
	return row.Known, max(row.Wait, 0), err
}

// CountLoginAttempt counts an attempt under the key, or returns how long it must wait. If a fresh read shows
// that it need not wait any more, because a login succeeded in between, it is counted nevertheless. It is counted also
// where the transaction of the context is rolled back: a dry run, and a batch that is refused, are guesses like others.
func (s *Store) CountLoginAttempt(ctx context.Context, key []byte) (wait time.Duration, err error) {
	ctx = apart(ctx)
	return countLogin(ctx, func() error {
		_, err := s.q.CountLoginAttempt(ctx, key)
		return err
	}, func() (time.Duration, error) {
		_, wait, err := s.GetLoginAttempt(ctx, key)
		return wait, err
	})
}

// TakeLoginToken takes a token from a bucket, or returns the time until the next token if the bucket is
// empty. It reads the bucket first, so that callers who ignore the limit do not queue for the row's lock.
func (s *Store) TakeLoginToken(ctx context.Context, p TakeLoginTokenParams) (wait time.Duration, err error) {
	read := func() (time.Duration, error) {
		wait, err := s.q.GetLoginTokenWait(ctx, GetLoginTokenWaitParams{Key: p.Key, Drained: p.Drained})
		if NoRow(err) {
			return 0, nil
		}
		return max(wait, 0), err
	}
	if wait, err := read(); err != nil || wait > 0 {
		return wait, err
	}
	return countLogin(ctx, func() error {
		_, err := s.q.TakeLoginToken(ctx, p)
		return err
	}, read)
}

// countLogin counts, and retries if no row matched although a fresh read shows no reason to wait.
func countLogin(
	ctx context.Context, count func() error, read func() (time.Duration, error),
) (wait time.Duration, err error) {
	err = retry.Do(ctx, retry.MaxAttempts, func(int) error {
		wait = 0
		err := count()
		if !NoRow(err) {
			return err
		}
		if wait, err = read(); err == nil && wait == 0 {
			return errRetry
		}
		return err
	})
	if err == errRetry {
		return time.Second, nil
	}
	return wait, err
}

// RememberLogin records a successful login under a key, and deletes the failures before it.
func (s *Store) RememberLogin(ctx context.Context, p RememberLoginParams) error {
	_, err := s.q.RememberLogin(ctx, p)
	return err
}

// ReturnLoginToken returns a token to its bucket after a correct password. It does nothing if the bucket is
// full and was deleted.
func (s *Store) ReturnLoginToken(ctx context.Context, p ReturnLoginTokenParams) error {
	_, err := s.q.ReturnLoginToken(ctx, p)
	return err
}

// ForgetLoginAttempts deletes the attempts under a key, if any, as CountLoginAttempt counted them.
func (s *Store) ForgetLoginAttempts(ctx context.Context, key []byte) error {
	_, err := s.q.ForgetLoginAttempts(apart(ctx), key)
	return err
}

// SweepLogins deletes a few rows that have expired, more than a login adds.
func (s *Store) SweepLogins(ctx context.Context) error {
	if _, err := s.q.SweepLoginAttempts(ctx); err != nil {
		return err
	}
	_, err := s.q.SweepLoginBuckets(ctx)
	return err
}
