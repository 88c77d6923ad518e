package batch

// quarantineSize is how many requests of an offender go alone. Each that is rejected
// again starts it anew.
const quarantineSize = 16

// isCallersFault tells whether an error is the server's, for what the request asks. It is
// not if the caller went away, if the request waited for a lock, if the server cannot
// serve anybody, or if the caller's session ended meanwhile, of which they may have others.
func (b *Batcher[Q, A, K]) isCallersFault(r *request[Q, A, K], err error) bool {
	failure := b.classify(err)
	return (failure == Rejected || failure == Deadlock) && r.ctx.Err() == nil
}

// startQuarantine notes the caller whose request made the server reject a whole batch.
func (b *Batcher[Q, A, K]) startQuarantine(offender *request[Q, A, K]) {
	if b.config.Caller == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.quarantine[b.config.Caller(offender.value)] = quarantineSize
}

// quarantined tells whether a request's caller is in quarantine.
func (b *Batcher[Q, A, K]) quarantined(r *request[Q, A, K]) bool {
	return len(b.quarantine) > 0 && b.quarantine[b.config.Caller(r.value)] > 0
}

// startInQuarantine serves a request alone, beside the batches in flight: if it is
// rejected once more, nobody else waits for that. One at a time is in flight.
func (b *Batcher[Q, A, K]) startInQuarantine(r *request[Q, A, K]) {
	r.sharedRows = nil // it does not keep a batch from those
	b.take(r)
	b.quarantineBusy = true
	go func() {
		b.serve([]*request[Q, A, K]{r})
		b.mu.Lock()
		defer b.mu.Unlock()
		b.countQuarantine(r)
		b.release([]*request[Q, A, K]{r})
		b.quarantineBusy = false
		b.startNext()
	}()
}

// countQuarantine shortens the quarantine of the request's caller, or starts it anew.
func (b *Batcher[Q, A, K]) countQuarantine(r *request[Q, A, K]) {
	caller := b.config.Caller(r.value)
	switch {
	case r.err == nil:
		if b.quarantine[caller]--; b.quarantine[caller] <= 0 {
			delete(b.quarantine, caller)
		}
	case b.isCallersFault(r, r.err):
		b.quarantine[caller] = quarantineSize
	}
}
