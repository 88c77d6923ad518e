package db

// combined are the requests that share statements with others of their kind.
//
// Statements that name patients are not among them: each serves one viewer. Nor is
// dispatch (see there), whose combiner is always off.
type combined struct {
	submits, assigns, moves, dispatches *combiner[move, found[Moved]]

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
	pickupKeys := func(m move) []key { return []key{{m.viewer.TenantID, m.PickupID}} }
	skip := New(skipping{s.db})
	return combined{
		submits: &combiner[move, found[Moved]]{
			off: oneByOne, flush: s.submitting(skip), wait: s.submitting(s.Queries), resolve: s.resolveMove, keys: pickupKeys, viewer: move.by,
			flights: mostFlights, largest: largestFlush, longest: longestQueue,
		},
		assigns: &combiner[move, found[Moved]]{
			off: oneByOne, flush: s.assigning(skip), wait: s.assigning(s.Queries), resolve: s.resolveMove, viewer: move.by,
			keys: func(m move) []key {
				return []key{{m.viewer.TenantID, m.PickupID}, {m.viewer.TenantID, m.DriverID}}
			},
			flights: mostFlights, largest: largestFlush, longest: longestQueue,
		},
		moves: &combiner[move, found[Moved]]{
			off: oneByOne, flush: s.moving(skip), wait: s.moving(s.Queries), resolve: s.resolveMove, keys: pickupKeys, viewer: move.by,
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
		"submit": s.submits.stats(), "assign": s.assigns.stats(), "move": s.moves.stats(), "dispatch": s.dispatches.stats(),
		"entry": s.entries.stats(), "create": s.drafts.stats(), "location": s.locations.stats(),
		"get": s.pickups.stats(), "session": s.sessions.stats(),
	}
}
