package db

import (
	"context"
	"time"

	"waybill/db/retry"
)

// eventLockTimeout is the lock timeout of a statement that writes events. The statement locks several rows,
// so its transaction may have an id while it waits, and no tenant's stream advances beyond that id before the
// transaction ends (GetStreamHorizon): one locked row, such as an account's, would delay all streams. So the
// statement gives up early and is retried.
const eventLockTimeout = 500 * time.Millisecond

// lockWaits are the lock timeouts of the attempts of a statement that writes events. The zero value is one
// attempt with the session's lock timeout.
type lockWaits struct {
	each  time.Duration
	tries int
}

// lockWaitsFor returns waits whose sum is total, the lock timeout of other statements.
func lockWaitsFor(total time.Duration) lockWaits {
	each := min(total, eventLockTimeout)
	return lockWaits{each, int((total + each - 1) / each)}
}

// inShortWaits sends a statement and retries it with the same arguments after a lock timeout, which rolled it
// back. It returns the error of the last attempt.
func inShortWaits[R any](
	ctx context.Context, w lockWaits, send func(context.Context) ([]R, error),
) (rows []R, err error) {
	if w.tries == 0 {
		return send(ctx)
	}
	_ = retry.Do(ctx, w.tries, func(int) error {
		if rows, err = send(withLockTimeout(ctx, w.each)); isLockTimeout(err) {
			return errRetry
		}
		return nil
	})
	return rows, err
}

// withLockTimeout returns a context whose statements wait no longer for each lock.
func withLockTimeout(ctx context.Context, d time.Duration) context.Context {
	var c confirmation
	if known := confirmationIn(ctx); known != nil {
		c = *known
	}
	c.lockTimeout = milliseconds(d)
	return withConfirmation(ctx, c)
}
