package batch

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// slowBatchAfter is how long a batch may be in flight before the next one starts next to it.
	slowBatchAfter = 20 * time.Millisecond
	// parallelBatchMin is the number of waiting requests that start a second batch at once, if the first has no more.
	parallelBatchMin = 16
)

// Batcher batches the requests of one kind. Use New to create one.
type Batcher[Q, A any, K comparable] struct {
	config Config[Q, A, K]

	mu         sync.Mutex
	queue      []*request[Q, A, K]
	inFlight   []*inFlight[Q, A, K] // in order of their start
	ownRows    map[K]struct{}       // rows of the requests in flight
	sharedRows map[K]struct{}       // rows of the batches in flight
	watching   bool                 // a timer checks for a slow batch

	quarantine     map[K]int // how many more requests of a caller stay out of the others' batches
	quarantineBusy bool      // a batch of quarantined requests is in flight

	records      map[K]record  // of tenants whose statements may be slow
	slowInFlight int           // the number of batches of suspects
	usual        time.Duration // how long a batch of others takes
	finished     int           // the number of those that have finished

	heldUntil atomic.Int64 // a row is held until then, as far as known: nanoseconds since epoch
	epoch     time.Time

	statements, requests, refused atomic.Int64 // for Stats
}

// request is a request waiting for its answer.
type request[Q, A any, K comparable] struct {
	ctx          context.Context
	value        Q
	ownRows      []K
	sharedRows   []K
	waitForLocks bool // use FlushWaiting
	answer       A
	err          error
	done         chan struct{} // nil if the caller's goroutine serves it
}

// New returns a batcher without requests.
func New[Q, A any, K comparable](c Config[Q, A, K]) *Batcher[Q, A, K] {
	if c.FlushWaiting == nil {
		c.FlushWaiting = c.Flush
	}
	return &Batcher[Q, A, K]{config: c, ownRows: map[K]struct{}{},
		sharedRows: map[K]struct{}{}, quarantine: map[K]int{},
		records: map[K]record{}, epoch: time.Now()}
}

// Do returns the answer to one request after its commit. If the caller disconnects before its batch
// starts, the request is dropped; afterwards it is served. A request that needs a locked row waits for it
// outside of any batch. Do returns the error of the statement or of the context, ErrQueueFull,
// ErrUnknownOutcome or a PanicError.
func (b *Batcher[Q, A, K]) Do(ctx context.Context, value Q) (A, error) {
	if b.config.Unbatched {
		return b.DoUnbatched(ctx, value)
	}
	answer, err := b.doBatched(ctx, value)
	if b.waitsOn(err) {
		return b.DoWaiting(ctx, value)
	}
	return answer, err
}

func (b *Batcher[Q, A, K]) doBatched(ctx context.Context, value Q) (answer A, err error) {
	r := &request[Q, A, K]{ctx: ctx, value: value}
	if b.config.OwnRows != nil {
		r.ownRows = b.config.OwnRows(value)
	}
	if b.config.SharedRows != nil {
		r.sharedRows = b.config.SharedRows(value)
	}
	b.mu.Lock()
	if b.mayStartAlone(r) {
		b.take(r)
		batch := b.start([]*request[Q, A, K]{r})
		b.mu.Unlock()
		defer b.finish(batch)
		b.serve(batch.requests)
		return r.answer, r.err
	}
	if len(b.queue) >= b.config.MaxQueue {
		b.mu.Unlock()
		b.refused.Add(1)
		return answer, ErrQueueFull
	}
	r.done = make(chan struct{})
	b.enqueue(r)
	b.mu.Unlock()
	select {
	case <-r.done:
		return r.answer, r.err
	case <-ctx.Done(): // r's answer may be written concurrently
		return answer, ctx.Err()
	}
}

// complete sets the answer of a request.
func (r *request[Q, A, K]) complete(answer A, err error) {
	r.answer, r.err = answer, err
	if r.done != nil {
		close(r.done)
	}
}

// fail sets the same error for each request.
func fail[Q, A any, K comparable](requests []*request[Q, A, K], err error) {
	for _, r := range requests {
		r.complete(r.answer, err)
	}
}

// Stats counts how requests shared statements.
type Stats struct {
	Flushes, Requests int64 // statements sent, and the requests in them; repeated statements count again
	Refused           int64 // requests rejected because the queue was full
	Waiting           int   // requests in the queue
}

// Stats returns the counts since the batcher was created.
func (b *Batcher[Q, A, K]) Stats() Stats {
	b.mu.Lock()
	waiting := len(b.queue)
	b.mu.Unlock()
	return Stats{Flushes: b.statements.Load(), Requests: b.requests.Load(), Refused: b.refused.Load(), Waiting: waiting}
}
