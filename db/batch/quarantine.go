package batch

// quarantineSize is the number of an offender's requests that are sent alone. Another rejection
// restarts the count.
const quarantineSize = 16

// isCallersFault reports whether an error is the server's rejection of what the request asks for. Not
// the caller's fault are a disconnect, a lock timeout, a server that cannot serve anybody, and a
// session that ended meanwhile, since the caller may have others.
func (b *Batcher[Q, A, K]) isCallersFault(r *request[Q, A, K], err error) bool {
	failure := b.classify(err)
	return (failure == Rejected || failure == Deadlock) && r.ctx.Err() == nil
}

// startQuarantine quarantines a caller whose request made the server reject a whole batch.
func (b *Batcher[Q, A, K]) startQuarantine(offender *request[Q, A, K]) {
	if b.config.Caller == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.quarantine[b.config.Caller(offender.value)] = quarantineSize
}

// quarantined reports whether a request's caller is in quarantine.
func (b *Batcher[Q, A, K]) quarantined(r *request[Q, A, K]) bool {
	return len(b.quarantine) > 0 && b.quarantine[b.config.Caller(r.value)] > 0
}

// startInQuarantine sends a request alone, next to the batches in flight, so that nobody else waits if
// it is rejected again. Only one such request is in flight at a time.
func (b *Batcher[Q, A, K]) startInQuarantine(r *request[Q, A, K]) {
	r.sharedRows = nil // do not block batches on these rows
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

// countQuarantine shortens or restarts the quarantine of the request's caller.
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
