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
	// maxDeadlockRetries is how often a whole batch is sent again after a deadlock.
	maxDeadlockRetries = 3
	// batchTimeout bounds a batch including its splits; it is longer than the server's timeout of one
	// statement.
	batchTimeout = 10 * time.Second
)

// serve completes all requests in a batch of their own.
func (b *Batcher[Q, A, K]) serve(requests []*request[Q, A, K]) {
	ctx, cancel := b.contextOf(requests)
	defer cancel()
	b.serveBatch(ctx, requests, fromQueue)
}

// contextOf returns the context of a batch. A batch of one uses its caller's: a disconnect cancels the
// statement. A disconnect does not cancel a larger batch.
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

// serveBatch completes all requests, splitting the batch where necessary.
func (b *Batcher[Q, A, K]) serveBatch(ctx context.Context, requests []*request[Q, A, K], from origin) {
	if requests = dropCanceled(requests); len(requests) == 0 {
		return
	}
	answers, err := b.flushPastLocks(ctx, requests)
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
		b.splitOnLock(ctx, requests, from, err)
	default:
		b.splitOnError(ctx, requests, from, err)
	}
}

// dropCanceled drops the requests whose callers have disconnected, and returns the others.
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

// flusher sends one statement for requests.
type flusher[Q, A any] = func(context.Context, []Q) ([]A, error)

// flushUnlessDeadlock sends the requests' statement, and repeats it after a deadlock.
func (b *Batcher[Q, A, K]) flushUnlessDeadlock(
	ctx context.Context, flush flusher[Q, A], requests []*request[Q, A, K],
) (answers []A, err error) {
	_ = retry.Do(ctx, 1+maxDeadlockRetries, func(int) error {
		answers, err = b.flush(ctx, flush, requests)
		if err != nil && b.classify(err) == Deadlock { // and rolled back
			return retry.ErrRetry
		}
		return nil
	})
	return answers, err
}

// flush sends the requests' statement once.
func (b *Batcher[Q, A, K]) flush(
	ctx context.Context, flush flusher[Q, A], requests []*request[Q, A, K],
) ([]A, error) {
	b.statements.Add(1)
	b.requests.Add(int64(len(requests)))
	values := make([]Q, len(requests))
	for i, r := range requests {
		values[i] = r.value
	}
	return recovered(func() ([]A, error) { return flush(ctx, values) })
}

// resolve finds the outcome of a request, with backoff if the connection breaks again: when a server
// goes down, all connections of a pool break. A session that lost its permission meanwhile says nothing
// about the first attempt.
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

// classify interprets an error. A panic is no caller's fault.
func (b *Batcher[Q, A, K]) classify(err error) Failure {
	var panicked *PanicError
	if errors.As(err, &panicked) {
		return Unavailable
	}
	return b.config.Classify(err)
}

// recovered turns a panic into an error: on a goroutine without a caller it would end the program.
func recovered[V any](do func() (V, error)) (v V, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &PanicError{p, debug.Stack()}
		}
	}()
	return do()
}
