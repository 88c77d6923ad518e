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
	fromSplitByRow
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

// splitByRow serves the parts of a batch with a lock timeout in parallel. A part that times out again
// fails. The rows of a part are released as soon as it is served.
func (b *Batcher[Q, A, K]) splitByRow(ctx context.Context, requests []*request[Q, A, K], from origin, err error) {
	parts := b.partsByRow(requests)
	if from == fromSplitByRow || len(parts) == 1 {
		fail(requests, err)
		return
	}
	var served sync.WaitGroup
	for _, part := range parts {
		served.Go(func() {
			b.serveBatch(ctx, part, fromSplitByRow)
			b.mu.Lock()
			defer b.mu.Unlock()
			b.release(part)
			b.startNext()
		})
	}
	served.Wait()
}

// partsByRow groups requests by their first shared row, so that only those of the locked row keep
// waiting. Without shared rows it halves the batch.
func (b *Batcher[Q, A, K]) partsByRow(requests []*request[Q, A, K]) (parts [][]*request[Q, A, K]) {
	if b.config.SharedRows == nil {
		return slices.Collect(halves(requests))
	}
	partOf := map[K]int{}
	for _, r := range requests {
		row := b.config.SharedRows(r.value)[0]
		part, ok := partOf[row]
		if !ok {
			part = len(parts)
			partOf[row] = part
			parts = append(parts, nil)
		}
		parts[part] = append(parts[part], r)
	}
	return parts
}

func halves[R any](requests []R) iter.Seq[[]R] { return slices.Chunk(requests, (len(requests)+1)/2) }
