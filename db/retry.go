package db

import (
	"context"

	"waybill/db/retry"
)

// errRetry is the error of a write that lost, and by a fresh read would win now.
var errRetry = retry.ErrRetry

// retryWrite calls try, and again as long as it returns errRetry: after a statement that
// certainly did nothing, because no row matched or the server refused it, or of which a
// repeat does nothing more. An outcome that is not known is the batcher's to find out, and
// no errRetry. It returns Overloaded after the last attempt, and Timeout if ctx ended before.
func retryWrite(ctx context.Context, try func(attempt int) error) error {
	err := retry.Do(ctx, retry.MaxAttempts, try)
	switch {
	case err == errRetry:
		return refuse(Overloaded, "")
	case err != nil && err == ctx.Err():
		return Explain(err)
	}
	return err
}
