package db

import (
	"context"

	"waybill/db/retry"
)

// errRetry is the error of a write that matched no row, but according to a fresh read would match now.
var errRetry = retry.ErrRetry

// retryWrite calls try until it returns another error than errRetry. try returns errRetry only after a
// statement that had no effect, because no row matched or the server rejected it, or that is idempotent;
// unknown outcomes are resolved by the batcher. retryWrite returns Overloaded after the last attempt, and
// Timeout if ctx ended before.
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
