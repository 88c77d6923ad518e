package batch

import (
	"maps"
	"runtime"
	"slices"
	"time"
)

// inFlight is a batch whose statement is running. The methods of this file need b.mu,
// unless they say otherwise.
type inFlight[Q, A any, K comparable] struct {
	requests []*request[Q, A, K]
	started  time.Time
}

// mayStartAlone reports whether a request that has just arrived may start at once.
func (b *Batcher[Q, A, K]) mayStartAlone(r *request[Q, A, K]) bool {
	return len(b.queue) == 0 && b.mayStart() && !b.rowsTaken(r) && !anyIn(b.sharedRows, r.sharedRows) &&
		!b.quarantined(r) && !b.isSuspect(r)
}

// mayStart reports whether a batch may start now, next to those in flight.
func (b *Batcher[Q, A, K]) mayStart() bool {
	n := len(b.inFlight)
	if n == 0 || n >= b.config.MaxInFlight {
		return n == 0
	}
	last := b.inFlight[n-1]
	return len(b.queue) >= max(parallelBatchMin, len(last.requests)) || time.Since(last.started) >= slowBatchAfter
}

// enqueue adds a request to the queue.
func (b *Batcher[Q, A, K]) enqueue(r *request[Q, A, K]) {
	b.queue = append(b.queue, r)
	// Otherwise the queue is processed when a batch finishes or is slow.
	if n := len(b.queue); n == 1 || n%parallelBatchMin == 0 || len(b.inFlight) == 0 {
		b.startNext()
	}
	b.watch()
}

// start adds a batch whose rows are taken to those in flight.
func (b *Batcher[Q, A, K]) start(requests []*request[Q, A, K]) *inFlight[Q, A, K] {
	batch := &inFlight[Q, A, K]{requests, time.Now()}
	b.inFlight = append(b.inFlight, batch)
	return batch
}

// startNext starts as many batches of waiting requests as possible.
func (b *Batcher[Q, A, K]) startNext() {
	for len(b.queue) > 0 && b.mayStart() {
		requests := b.collect()
		if len(requests) == 0 {
			return
		}
		batch := b.start(requests)
		go func() {
			b.serve(batch.requests)
			b.finish(batch)
		}()
	}
}

// finish releases the rows of a batch, and starts the next. The caller must not hold b.mu.
func (b *Batcher[Q, A, K]) finish(batch *inFlight[Q, A, K]) {
	// Callers with a new answer may send another request: let them join the next batch.
	runtime.Gosched()
	b.mu.Lock()
	defer b.mu.Unlock()
	took := time.Since(batch.started)
	b.judge(batch, took)
	b.noteUsual(took)
	b.release(batch.requests)
	b.inFlight = slices.DeleteFunc(b.inFlight, func(other *inFlight[Q, A, K]) bool { return other == batch })
	b.startNext()
}

// watch checks for a slow batch as long as a request waits.
func (b *Batcher[Q, A, K]) watch() {
	if b.watching || len(b.queue) == 0 {
		return
	}
	b.watching = true
	time.AfterFunc(slowBatchAfter, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.watching = false
		b.startNext()
		b.watch()
	})
}

// collect takes a batch and its rows from the queue, in order. A request stays in the queue if its rows
// are taken, or if a request that stays before it needs the same row. It is dropped if its caller has
// disconnected. Quarantined requests and those of suspects are started separately; the former do not keep
// shared rows from batches.
func (b *Batcher[Q, A, K]) collect() (requests []*request[Q, A, K]) {
	var waiting, apart []*request[Q, A, K]
	suspects := map[K][]*request[Q, A, K]{}
	passed, elsewhere := map[K]struct{}{}, maps.Clone(b.sharedRows)
	for _, r := range b.queue {
		blocked := b.rowsTaken(r) || anyIn(passed, r.ownRows)
		switch {
		case r.ctx.Err() != nil:
		case b.quarantined(r) && !b.quarantineBusy && !blocked && len(apart) < b.config.MaxBatch:
			r.sharedRows = nil
			b.take(r)
			apart = append(apart, r)
		case !b.quarantined(r) && b.isSuspect(r) && !blocked && !anyIn(elsewhere, r.sharedRows) &&
			b.collectSuspect(suspects, r):
		case b.quarantined(r), b.isSuspect(r), blocked, len(requests) == b.config.MaxBatch,
			anyIn(elsewhere, r.sharedRows):
			waiting = append(waiting, r)
			addAll(passed, r.ownRows)
		default:
			b.take(r)
			requests = append(requests, r)
		}
	}
	b.queue = waiting
	if len(apart) > 0 {
		b.startInQuarantine(apart)
	}
	b.startSuspects(suspects)
	return requests
}
