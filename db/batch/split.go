package batch

import (
	"context"
	"iter"
	"slices"
	"sync"
)

// origin is where the requests of a batch come from.
type origin int

const (
	fromQueue origin = iota
	fromSplitOnError
)

// splitOnError serves the halves of a rejected batch separately, until the offender is alone. Its
// caller is in quarantine before they receive the error, so that their next request is too.
func (b *Batcher[Q, A, K]) splitOnError(ctx context.Context, requests []*request[Q, A, K], from origin, err error) {
	if len(requests) > 1 {
		for half := range halves(requests) {
			b.serveBatch(ctx, half, fromSplitOnError)
		}
		return
	}
	offender := requests[0]
	if from == fromSplitOnError && b.isCallersFault(offender, err) {
		b.startQuarantine(offender)
	}
	offender.complete(offender.answer, err)
}

// splitOnLock serves the halves of a batch with a lock timeout in parallel, until who needs the locked row
// is alone, and waits for it outside of the batch. The rows of a half are released as soon as it is served.
func (b *Batcher[Q, A, K]) splitOnLock(ctx context.Context, requests []*request[Q, A, K], from origin, err error) {
	if len(requests) == 1 {
		fail(requests, err)
		return
	}
	var served sync.WaitGroup
	for half := range halves(requests) {
		served.Go(func() {
			b.serveBatch(ctx, half, from)
			b.mu.Lock()
			defer b.mu.Unlock()
			b.release(half)
			b.startNext()
		})
	}
	served.Wait()
}

func halves[R any](requests []R) iter.Seq[[]R] { return slices.Chunk(requests, (len(requests)+1)/2) }
