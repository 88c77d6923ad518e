package db

// combined are the requests that share statements with others of their kind.
//
// Statements that read patients are not among them: each serves one viewer. Those that
// record that a pickup named one are, each record being its own viewer's. Nor is
// dispatch (see there), whose combiner is always off.
type combined struct {
	transitions, dispatches *combiner[move, found[Moved]]

	entries   *combiner[entry, found[LedgerEntry]]
	drafts    *combiner[batch, []Pickup]
	locations *combiner[location, found[Driver]]
	pickups   *combiner[seen, found[GetPickupsRow]]
	sessions  *combiner[session, found[GetSessionsRow]]
}

// The bounds of a combiner, found by measuring (see cmd/waybill/bench).
const (
	mostFlights  = 2
	largestFlush = 256
	longestQueue = 4096
)

func combine(s *Store, oneByOne bool) combined {
	skip := New(skipping{s.db})
	return combined{
		transitions: &combiner[move, found[Moved]]{
			off: oneByOne, flush: s.transitioning(skip), wait: s.transitioning(s.Queries), resolve: s.resolveMove, keys: move.keys, viewer: move.by,
			flights: mostFlights, largest: largestFlush, longest: longestQueue,
		},
		dispatches: &combiner[move, found[Moved]]{off: true, flush: s.dispatch, resolve: s.resolveMove, viewer: move.by},
		entries: &combiner[entry, found[LedgerEntry]]{
			off: oneByOne, flush: s.flushEntries, resolve: s.resolveEntry,
			keys:    func(e entry) []key { return []key{{e.viewer.TenantID, e.ID}} },
			shares:  func(e entry) []key { return []key{{e.viewer.TenantID, e.AccountID}} },
			viewer:  entry.by,
			flights: mostFlights, largest: largestFlush, longest: longestQueue,
		},
		drafts: &combiner[batch, []Pickup]{
			off: oneByOne, flush: s.flushDrafts, resolve: s.resolveDrafts,
			keys: func(b batch) []key {
				return each(b.drafts, func(d Draft) key { return key{b.viewer.TenantID, d.ID} })
			},
			viewer:  batch.by,
			flights: mostFlights, largest: largestFlush, longest: longestQueue,
		},
		locations: &combiner[location, found[Driver]]{
			off: oneByOne, flush: s.flushLocations, resolve: s.resolveLocation,
			keys:    func(l location) []key { return []key{{l.viewer.TenantID, l.DriverID}} },
			viewer:  location.by,
			flights: mostFlights, largest: largestFlush, longest: longestQueue,
		},
		pickups: &combiner[seen, found[GetPickupsRow]]{
			off: oneByOne, flush: s.flushSeen, resolve: again(s.flushSeen),
			flights: mostFlights, largest: largestFlush, longest: longestQueue,
		},
		sessions: &combiner[session, found[GetSessionsRow]]{
			off: oneByOne, flush: s.flushSessions, resolve: again(s.flushSessions),
			flights: mostFlights, largest: largestFlush, longest: longestQueue,
		},
	}
}

// Stats tell how the requests of one kind shared statements.
type Stats struct {
	Flushes, Requests int64 // statements sent, and the requests in them, those sent again included
	Refused           int64 // requests that found the queue full
	Waiting           int   // requests in the queue
}

// Stats gives those of each kind.
func (s *Store) Stats() map[string]Stats {
	return map[string]Stats{
		"transition": s.transitions.stats(), "dispatch": s.dispatches.stats(),
		"entry": s.entries.stats(), "create": s.drafts.stats(), "location": s.locations.stats(),
		"get": s.pickups.stats(), "session": s.sessions.stats(),
	}
}
