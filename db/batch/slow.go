package batch

import "time"

// The statements of one tenant may be slow, whatever the reason: all who share a batch with them wait. So the
// tenants whose last two batches were much slower than usual are suspects: their requests go in batches of one
// tenant, beside those of the others, until such a batch is as quick as others. One that is slow stays by
// itself. One slow batch may have met a busy disk.

const (
	// maxSlowLanes is the number of suspects that have a batch in flight at a time.
	maxSlowLanes = 2
	// slowRatio is how many times longer than usual a slow batch takes, and at least slowBatchAfter. Where all
	// batches take long, none is slow.
	slowRatio = 4
	// maxSlow is the number of slow batches in a row that make a suspect.
	maxSlow = 2
)

// record is what is known of a tenant whose last batch was slow.
type record struct {
	slow     int  // batches, in a row
	inFlight bool // a batch of its own
}

// slowAfter returns how long a batch takes that is slow. The caller must hold b.mu, as for all of this file.
func (b *Batcher[Q, A, K]) slowAfter() time.Duration { return max(slowBatchAfter, slowRatio*b.usual) }

// noteUsual notes how long a batch took that is none of a suspect.
func (b *Batcher[Q, A, K]) noteUsual(took time.Duration) {
	b.usual += (min(took, 2*b.slowAfter()) - b.usual) / 8
	b.finished++
}

// judge makes suspects of the tenants of a slow batch, and no suspects of those of another.
func (b *Batcher[Q, A, K]) judge(batch *inFlight[Q, A, K], took time.Duration) {
	if b.config.Tenant == nil {
		return
	}
	limit := b.slowAfter()
	if took < limit && len(b.records) == 0 {
		return
	}
	tenants := map[K]struct{}{}
	for _, r := range batch.requests {
		tenants[b.config.Tenant(r.value)] = struct{}{}
	}
	for tenant := range tenants {
		switch known := b.records[tenant]; {
		case took < limit:
			delete(b.records, tenant)
		case len(tenants) > 1:
			known.slow++
			b.records[tenant] = known
		}
	}
}

// isSuspect reports whether a request is of a tenant whose statements may be slow.
func (b *Batcher[Q, A, K]) isSuspect(r *request[Q, A, K]) bool {
	return len(b.records) > 0 && b.records[b.config.Tenant(r.value)].slow >= maxSlow
}

// collectSuspect adds a request to the batch of its tenant, if the tenant may have one in flight.
func (b *Batcher[Q, A, K]) collectSuspect(batches map[K][]*request[Q, A, K], r *request[Q, A, K]) bool {
	tenant := b.config.Tenant(r.value)
	own := batches[tenant]
	if b.records[tenant].inFlight || len(own) == b.config.MaxBatch ||
		len(own) == 0 && b.slowInFlight+len(batches) >= maxSlowLanes {
		return false
	}
	b.take(r)
	batches[tenant] = append(own, r)
	return true
}

// startSuspects starts the batches of suspects.
func (b *Batcher[Q, A, K]) startSuspects(batches map[K][]*request[Q, A, K]) {
	for tenant, requests := range batches {
		b.records[tenant] = record{maxSlow, true}
		b.slowInFlight++
		batch, finished := &inFlight[Q, A, K]{requests, time.Now()}, b.finished
		go func() {
			b.serve(batch.requests)
			b.mu.Lock()
			defer b.mu.Unlock()
			b.records[tenant] = record{maxSlow, false}
			if b.finished == finished { // there is nobody who would be quicker
				delete(b.records, tenant)
			}
			b.slowInFlight--
			b.judge(batch, time.Since(batch.started))
			b.release(batch.requests)
			b.startNext()
		}()
	}
}
