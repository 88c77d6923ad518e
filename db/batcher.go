package db

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"waybill/db/batch"
)

// key identifies a row of a tenant, or a user.
type key struct{ tenantID, id uuid.UUID }

// batcher shares statements among the requests of one kind, and returns this package's
// errors.
type batcher[Q, A any] struct {
	*batch.Batcher[Q, A, key]
	viewer       func(Q) Viewer // nil for reads
	flushWaiting func(context.Context, []Q) ([]A, error)
	shares       bool // writes of a transaction share statements
	inOrder      bool // a statement changes balances in the order of its requests
}

// config configures how the requests of one kind are batched.
type config[Q, A any] = batch.Config[Q, A, key]

// The limits of each batcher, tuned with cmd/waybill/bench.
var batchLimits = batch.Limits{MaxInFlight: 2, MaxBatch: 256, MaxQueue: 4096}

// batchedReads returns a batcher for reads: if an answer is lost, the read is repeated.
func batchedReads[Q, A any](
	oneByOne bool, tenant func(Q) key, flush func(context.Context, []Q) ([]A, error),
) *batcher[Q, A] {
	return newBatcher(oneByOne, config[Q, A]{Flush: flush, Resolve: retryRead(flush), Tenant: tenant})
}

// oneAtATime returns a batcher for questions of which one is under way at a time: those who ask meanwhile share the
// next one, so that no answer is older than its question.
func oneAtATime[Q, A any](oneByOne bool, flush func(context.Context, []Q) ([]A, error)) *batcher[Q, A] {
	return newBatcher(oneByOne, config[Q, A]{Flush: flush, Resolve: retryRead(flush),
		Limits: batch.Limits{MaxInFlight: 1, MaxBatch: 4096, MaxQueue: 4096}})
}

// batchedWrites returns a batcher for writes. A caller whose requests the server rejects is
// quarantined.
func batchedWrites[Q confirmed, A any](s *Store, oneByOne bool, c config[Q, A]) *batcher[Q, A] {
	waits := s.waits
	if waits.brief > 0 {
		c.LockWait = waits.total
		c.Lane = func(ctx context.Context, ask Q) (func(), error) { return waits.lane(ctx, ask.by()) }
	}
	c.Flush, c.FlushSkipping = briefly(waits, c.Flush), briefly(waits, c.FlushSkipping)
	c.FlushWaiting = briefly(waits, c.FlushWaiting)
	c.Tenant = func(ask Q) key { return key{tenantID: ask.by().TenantID} }
	c.Caller = func(ask Q) key { return key{ask.by().TenantID, ask.by().UserID} }
	resolve := c.Resolve
	c.Resolve = func(ctx context.Context, ask Q) (A, error) {
		answer, err := resolve(ctx, ask)
		if err == nil { // it rests on what was committed, by whichever attempt
			err = s.replicated(ctx)
		}
		if err == nil { // the write was committed, and so confirmed
			claimsOf(ask.by()).settle(claimConfirmed)
		}
		return answer, err
	}
	b := newBatcher(oneByOne, c)
	b.viewer = Q.by
	return b
}

// briefly returns flush with statements that wait only briefly for each lock; nil for nil.
func briefly[Q, A any](
	waits lockWaits, flush func(context.Context, []Q) ([]A, error),
) func(context.Context, []Q) ([]A, error) {
	if flush == nil {
		return nil
	}
	return func(ctx context.Context, asks []Q) ([]A, error) { return flush(waits.briefly(ctx), asks) }
}

func newBatcher[Q, A any](oneByOne bool, c config[Q, A]) *batcher[Q, A] {
	resolve := c.Resolve
	// A committed write is reported even if the session has ended meanwhile. If Resolve repeats a
	// statement, the session is checked as in the first attempt.
	c.Resolve = func(ctx context.Context, ask Q) (A, error) { return resolve(unconfirmed(ctx), ask) }
	c.Classify = classify
	c.BatchContext = uncounted // a batch that others wait for does not count toward its caller's quota
	if c.Limits == (batch.Limits{}) {
		c.Limits = batchLimits
	}
	c.Unbatched = oneByOne
	waiting := c.FlushWaiting
	if waiting == nil {
		waiting = c.Flush
	}
	return &batcher[Q, A]{Batcher: batch.New(c), flushWaiting: waiting, shares: c.OwnRows != nil,
		inOrder: c.SharedRows != nil}
}

// do serves one request, which may share its statement with others. It returns Unauthenticated for a
// write whose viewer may not write.
func (b *batcher[Q, A]) do(ctx context.Context, ask Q) (A, error) {
	return b.answer(ctx, ask, b.Do)
}

// unbatched serves one request in a statement of its own, which waits for locked rows.
func (b *batcher[Q, A]) unbatched(ctx context.Context, ask Q) (A, error) {
	return b.answer(ctx, ask, b.DoUnbatched)
}

// retried is do for one attempt of several: what a batch left out is left to the next one, in which most
// succeed, and then waits for the row that it needs, in a statement of its own.
func (b *batcher[Q, A]) retried(ctx context.Context, ask Q, attempt int) (A, error) {
	if attempt > 1 {
		return b.answer(ctx, ask, b.DoWaiting)
	}
	return b.do(ctx, ask)
}

func (b *batcher[Q, A]) answer(
	ctx context.Context, ask Q, do func(context.Context, Q) (A, error),
) (answer A, err error) {
	if b.viewer != nil {
		if err := b.viewer(ask).mayWrite(); err != nil {
			return answer, err
		}
	}
	if transactionOf(ctx) != nil { // which no other request can share
		do = b.flushInTurn
	}
	answer, err = do(ctx, ask)
	return answer, explainBatch(err)
}

// explainBatch translates a batcher's own errors; it returns other errors unchanged.
func explainBatch(err error) error {
	if err == nil { // before panicked, which is allocated
		return nil
	}
	var panicked *batch.PanicError
	switch {
	case errors.Is(err, batch.ErrQueueFull):
		return refuse(Overloaded, "")
	case errors.Is(err, batch.ErrUnknownOutcome):
		return &Error{Code: Unavailable, cause: err}
	case errors.As(err, &panicked):
		return &Error{Code: Internal, cause: err}
	}
	return err
}
