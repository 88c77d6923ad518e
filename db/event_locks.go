package db

import (
	"context"
	"time"

	"waybill/db/retry"
)

// eventLockTimeout bounds each wait for a lock of a statement that writes events. Its transaction may have
// an id by then, as it locks several rows, and until it ends the stream of no tenant goes beyond that id
// (GetStreamHorizon): somebody who holds one row, such as an account's, would hold up all streams for as long
// as a statement may wait. So it gives up, and is sent again.
const eventLockTimeout = 500 * time.Millisecond

// lockWaits are the waits of a statement that writes events. The zero value is one wait, as long as the
// session's setting.
type lockWaits struct {
	each  time.Duration
	tries int
}

// lockWaitsFor returns waits that come to total, the setting of other statements.
func lockWaitsFor(total time.Duration) lockWaits {
	each := min(total, eventLockTimeout)
	return lockWaits{each, int((total + each - 1) / each)}
}

// inShortWaits sends a statement, and again if it waited too long for a lock, with the same arguments: it was
// rolled back. It returns the error of the last try.
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
	return confirmedWith(ctx, func(c *confirmation) { c.lockTimeout = milliseconds(d) })
}
