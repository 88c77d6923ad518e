package batch

import (
	"context"
	"time"
)

// Another session may hold a row for any time. A batch that waited for it would make all its requests
// wait, and those behind it. So a batch waits only briefly: then it is sent in the form that skips locked
// rows, and so are the next ones for a while. A request that still needs a locked row waits for it alone,
// in a lane: there are few of them, so that those who wait never take all connections. Each wait is brief,
// and the next one in line has its turn.

// heldFor is how long locked rows are skipped after a wait for one was given up; longer than such a wait.
const heldFor = 250 * time.Millisecond

// DoUnbatched returns the answer to a request that is sent in a statement of its own, next to the batches
// in flight. It waits for locked rows.
func (b *Batcher[Q, A, K]) DoUnbatched(ctx context.Context, value Q) (A, error) {
	answer, err := b.doAlone(ctx, value)
	if b.waitsOn(err) {
		return b.DoWaiting(ctx, value)
	}
	return answer, err
}

// DoWaiting is DoUnbatched for a request of which is known that it needs a locked row.
func (b *Batcher[Q, A, K]) DoWaiting(ctx context.Context, value Q) (A, error) {
	return b.inTurns(ctx, value, func() (A, error) { return b.doAlone(ctx, value) })
}

// FlushWaiting sends one statement outside of any batch, and waits for locked rows. It is for Resolve,
// which may have to repeat a statement.
func (b *Batcher[Q, A, K]) FlushWaiting(ctx context.Context, value Q) (A, error) {
	return b.inTurns(ctx, value, func() (answer A, err error) {
		answers, err := b.config.FlushWaiting(ctx, []Q{value})
		if err != nil {
			return answer, err
		}
		return answers[0], nil
	})
}

func (b *Batcher[Q, A, K]) doAlone(ctx context.Context, value Q) (A, error) {
	r := &request[Q, A, K]{ctx: ctx, value: value, waitForLocks: true}
	b.serve([]*request[Q, A, K]{r})
	return r.answer, r.err
}

// inTurns sends a statement until it has not timed out waiting for a lock, for LockWait at most. It waits
// in the database: that needs no backoff.
func (b *Batcher[Q, A, K]) inTurns(ctx context.Context, value Q, send func() (A, error)) (answer A, err error) {
	for begun := time.Now(); ; {
		release, err := b.lane(ctx, value)
		if err != nil {
			return answer, err
		}
		answer, err = send()
		release()
		if !b.isLockTimeout(err) {
			return answer, err
		}
		b.noteHeldRow()
		if ctx.Err() != nil || time.Since(begun) >= b.config.LockWait {
			return answer, err
		}
	}
}

func (b *Batcher[Q, A, K]) lane(ctx context.Context, value Q) (release func(), err error) {
	if b.config.Lane == nil {
		return func() {}, nil
	}
	return b.config.Lane(ctx, value)
}

func (b *Batcher[Q, A, K]) isLockTimeout(err error) bool {
	return err != nil && b.classify(err) == LockTimeout
}

// waitsOn reports whether a request with this error is to wait for the row that it needs.
func (b *Batcher[Q, A, K]) waitsOn(err error) bool {
	return b.config.LockWait > 0 && b.isLockTimeout(err)
}

// noteHeldRow notes that a wait for a lock was given up.
func (b *Batcher[Q, A, K]) noteHeldRow() { b.heldUntil.Store(int64(time.Since(b.epoch) + heldFor)) }

// rowsAreHeld reports whether a wait for a lock was given up lately.
func (b *Batcher[Q, A, K]) rowsAreHeld() bool { return int64(time.Since(b.epoch)) < b.heldUntil.Load() }

// flushPastLocks sends the statement of a batch, in the form that suits the locks that others hold.
func (b *Batcher[Q, A, K]) flushPastLocks(ctx context.Context, requests []*request[Q, A, K]) ([]A, error) {
	if requests[0].waitForLocks {
		return b.flushUnlessDeadlock(ctx, b.config.FlushWaiting, requests)
	}
	if b.config.FlushSkipping == nil || !b.rowsAreHeld() {
		answers, err := b.flushUnlessDeadlock(ctx, b.config.Flush, requests)
		if !b.isLockTimeout(err) {
			return answers, err
		}
		b.noteHeldRow()
		if b.config.FlushSkipping == nil {
			return answers, err
		}
	}
	return b.flushUnlessDeadlock(ctx, b.config.FlushSkipping, requests)
}
