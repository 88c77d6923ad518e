package batch

// rowsTaken reports whether a request in flight uses one of r's own rows.
func (b *Batcher[Q, A, K]) rowsTaken(r *request[Q, A, K]) bool { return anyIn(b.ownRows, r.ownRows) }

// take marks the rows of a request as in use.
func (b *Batcher[Q, A, K]) take(r *request[Q, A, K]) {
	addAll(b.ownRows, r.ownRows)
	addAll(b.sharedRows, r.sharedRows)
}

// release frees the rows of requests, once: afterwards another request may hold them.
func (b *Batcher[Q, A, K]) release(requests []*request[Q, A, K]) {
	for _, r := range requests {
		for _, k := range r.ownRows {
			delete(b.ownRows, k)
		}
		for _, k := range r.sharedRows {
			delete(b.sharedRows, k)
		}
		r.ownRows, r.sharedRows = nil, nil
	}
}

func addAll[K comparable](set map[K]struct{}, keys []K) {
	for _, k := range keys {
		set[k] = struct{}{}
	}
}

func anyIn[K comparable](set map[K]struct{}, keys []K) bool {
	for _, k := range keys {
		if _, ok := set[k]; ok {
			return true
		}
	}
	return false
}
