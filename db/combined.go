package db

import "github.com/google/uuid"

// combined are the requests that share statements with others of their kind.
//
// Statements that name patients are not among them: each serves one viewer. Nor is
// dispatch (see move).
type combined struct {
	// skipping are the queries for a flush of several transitions.
	skipping *Queries

	submits, assigns, moves *combiner[move, found[Pickup]]
	entries                 *combiner[entry, found[LedgerEntry]]
	drafts                  *combiner[batch, []Pickup]
	locations               *combiner[location, found[Driver]]
	pickups                 *combiner[seen, found[GetPickupsRow]]
	sessions                *combiner[session, found[GetSessionsRow]]
}

// The bounds of a combiner, found by measuring (see cmd/waybill/bench).
const (
	writeFlights = 2
	readFlights  = 2
	largestFlush = 256
	longestQueue = 4096
)

func combine(s *Store, oneByOne bool) combined {
	pickupKeys := func(m move) []key { return []key{{m.viewer.TenantID, m.PickupID}} }
	mover := func(m move) uuid.UUID { return m.viewer.UserID }
	return combined{
		skipping: New(skipping{s.db}),
		submits: &combiner[move, found[Pickup]]{
			off: oneByOne, flush: s.flushSubmits, resolve: s.resolveMove, keys: pickupKeys, caller: mover,
			flights: writeFlights, largest: largestFlush, longest: longestQueue,
		},
		assigns: &combiner[move, found[Pickup]]{
			off: oneByOne, flush: s.flushAssigns, resolve: s.resolveMove, caller: mover,
			keys: func(m move) []key {
				return []key{{m.viewer.TenantID, m.PickupID}, {m.viewer.TenantID, m.DriverID}}
			},
			flights: writeFlights, largest: largestFlush, longest: longestQueue,
		},
		moves: &combiner[move, found[Pickup]]{
			off: oneByOne, flush: s.flushMoves, resolve: s.resolveMove, keys: pickupKeys, caller: mover,
			flights: writeFlights, largest: largestFlush, longest: longestQueue,
		},
		entries: &combiner[entry, found[LedgerEntry]]{
			off: oneByOne, flush: s.flushEntries, resolve: s.resolveEntry,
			keys:    func(e entry) []key { return []key{{e.viewer.TenantID, e.ID}} },
			caller:  func(e entry) uuid.UUID { return e.viewer.UserID },
			flights: writeFlights, largest: largestFlush, longest: longestQueue,
		},
		drafts: &combiner[batch, []Pickup]{
			off: oneByOne, flush: s.flushDrafts, resolve: s.resolveDrafts,
			keys: func(b batch) []key {
				return each(b.drafts, func(d Draft) key { return key{b.viewer.TenantID, d.ID} })
			},
			caller:  func(b batch) uuid.UUID { return b.viewer.UserID },
			flights: writeFlights, largest: largestFlush, longest: longestQueue,
		},
		locations: &combiner[location, found[Driver]]{
			off: oneByOne, flush: s.flushLocations, resolve: again(s.flushLocations),
			keys:    func(l location) []key { return []key{{l.viewer.TenantID, l.DriverID}} },
			caller:  func(l location) uuid.UUID { return l.viewer.UserID },
			flights: writeFlights, largest: largestFlush, longest: longestQueue,
		},
		pickups: &combiner[seen, found[GetPickupsRow]]{
			off: oneByOne, flush: s.flushSeen, resolve: again(s.flushSeen),
			flights: readFlights, largest: largestFlush, longest: longestQueue,
		},
		sessions: &combiner[session, found[GetSessionsRow]]{
			off: oneByOne, flush: s.flushSessions, resolve: again(s.flushSessions),
			flights: readFlights, largest: largestFlush, longest: longestQueue,
		},
	}
}
