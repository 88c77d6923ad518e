package batch

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"waybill/db/retry"
)

const (
	// maxDeadlockRetries is how often a batch that lost a deadlock is sent again, whole.
	maxDeadlockRetries = 3
	// batchTimeout bounds a batch, however often it is split; longer than the server's
	// own timeout for one statement.
	batchTimeout = 10 * time.Second
)

// serve completes each of the requests, in a batch of their own.
func (b *Batcher[Q, A, K]) serve(requests []*request[Q, A, K]) {
	ctx, cancel := b.contextOf(requests)
	defer cancel()
	b.serveBatch(ctx, requests, fromQueue)
}

// contextOf returns the context of a batch. That of a batch of one is its caller's: if
// they disconnect, the statement is canceled. A disconnect does not cancel a larger one.
func (b *Batcher[Q, A, K]) contextOf(requests []*request[Q, A, K]) (context.Context, context.CancelFunc) {
	if len(requests) > 1 {
		return context.WithTimeout(context.Background(), batchTimeout)
	}
	ctx := requests[0].ctx
	if b.config.BatchContext != nil && !requests[0].waitForLocks {
		ctx = b.config.BatchContext(ctx)
	}
	return ctx, func() {}
}

// serveBatch completes each of the requests, or the parts that it splits them into.
func (b *Batcher[Q, A, K]) serveBatch(ctx context.Context, requests []*request[Q, A, K], from origin) {
	if requests = dropCanceled(requests); len(requests) == 0 {
		return
	}
	answers, err := b.flushUnlessDeadlock(ctx, requests)
	if err == nil {
		for i, r := range requests {
			r.complete(answers[i], nil)
		}
		return
	}
	switch b.classify(err) {
	case Unknown:
		for _, r := range dropCanceled(requests) {
			r.complete(b.resolve(ctx, r.value))
		}
	case Unavailable:
		fail(requests, err)
	case LockTimeout:
		b.splitByRow(ctx, requests, from, err)
	default:
		b.splitOnError(ctx, requests, from, err)
	}
}

// dropCanceled returns the requests whose callers did not go away; the others are dropped.
func dropCanceled[Q, A any, K comparable](requests []*request[Q, A, K]) []*request[Q, A, K] {
	present := make([]*request[Q, A, K], 0, len(requests))
	for _, r := range requests {
		if err := r.ctx.Err(); err != nil {
			r.complete(r.answer, err)
		} else {
			present = append(present, r)
		}
	}
	return present
}

// flushUnlessDeadlock sends the requests' statement, and again if it lost a deadlock.
func (b *Batcher[Q, A, K]) flushUnlessDeadlock(
	ctx context.Context, requests []*request[Q, A, K],
) (answers []A, err error) {
	_ = retry.Do(ctx, 1+maxDeadlockRetries, func(int) error {
		answers, err = b.flush(ctx, requests)
		if err != nil && b.classify(err) == Deadlock { // and rolled back
			return retry.ErrRetry
		}
		return nil
	})
	return answers, err
}

// flush sends the requests' statement once.
func (b *Batcher[Q, A, K]) flush(ctx context.Context, requests []*request[Q, A, K]) ([]A, error) {
	flush := b.config.Flush
	if requests[0].waitForLocks {
		flush = b.config.FlushWaiting
	}
	b.statements.Add(1)
	b.requests.Add(int64(len(requests)))
	values := make([]Q, len(requests))
	for i, r := range requests {
		values[i] = r.value
	}
	return recovered(func() ([]A, error) { return flush(ctx, values) })
}

// resolve finds out the outcome of a request, with backoff where the connection breaks on
// this as well: when a server goes down, all connections of a pool do. That the caller has
// lost the right to the request meanwhile says nothing about the first attempt.
func (b *Batcher[Q, A, K]) resolve(ctx context.Context, value Q) (answer A, err error) {
	var unknown error
	err = retry.Do(ctx, retry.MaxAttempts, func(int) (err error) {
		answer, err = recovered(func() (A, error) { return b.config.Resolve(ctx, value) })
		unknown = nil
		if err == nil {
			return nil
		}
		switch b.classify(err) {
		case Unknown: // Resolve may be called several times
			unknown = err
			return retry.ErrRetry
		case Revoked:
			unknown = err
		}
		return err
	})
	if unknown != nil {
		err = fmt.Errorf("%w: %w", ErrUnknownOutcome, unknown)
	}
	return answer, err
}

// classify tells what an error means. A panic is nobody's fault.
func (b *Batcher[Q, A, K]) classify(err error) Failure {
	var panicked *PanicError
	if errors.As(err, &panicked) {
		return Unavailable
	}
	return b.config.Classify(err)
}

// recovered makes an error of a panic: on a goroutine without a caller it would end the
// program.
func recovered[V any](do func() (V, error)) (v V, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &PanicError{p, debug.Stack()}
		}
	}()
	return do()
}
