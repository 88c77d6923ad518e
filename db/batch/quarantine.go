package batch

// quarantineSize is the number of an offender's requests that are kept apart. Another rejection restarts
// the count.
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

// startInQuarantine sends requests in a batch of their own, next to those in flight, so that nobody else
// waits if one of them is rejected again. They share statements, like others: whatever made the server
// reject the requests of many callers, they are not served one by one when it is over. One such batch is
// in flight at a time.
func (b *Batcher[Q, A, K]) startInQuarantine(requests []*request[Q, A, K]) {
	b.quarantineBusy = true
	go func() {
		b.serve(requests)
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, r := range requests {
			b.countQuarantine(r)
		}
		b.release(requests)
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
