package db

import (
	"github.com/google/uuid"

	"waybill/db/batch"
)

// batchers holds the batchers, one for each kind of request.
//
// Statements that read patients are not batched: each serves one viewer. Statements that only audit
// that a pickup named a patient are batched, since each audit row has a viewer of its own. Dispatch
// (see there) has a batcher that never shares a statement.
type batchers struct {
	transitions, dispatches *batcher[move, found[Moved]]

	entries   *batcher[entry, found[LedgerEntry]]
	drafts    *batcher[draftBatch, []Pickup]
	locations *batcher[location, found[Driver]]
	pickups   *batcher[seen, found[GetPickupsRow]]
	sessions  *batcher[session, found[GetSessionsRow]]
	standbys  *batcher[struct{}, struct{}] // waits for them
}

// newBatchers returns the batchers of a store. With oneByOne, none of them shares a statement.
func newBatchers(s *Store, oneByOne bool) batchers {
	return batchers{
		transitions: batchedWrites(s, oneByOne, config[move, found[Moved]]{
			Flush: s.transitioning(s.transitionUnlocked), FlushSkipping: s.transitioning(s.transitionPastLocks),
			FlushWaiting: s.transitioning(s.q.TransitionPickups), Resolve: s.resolveMove, OwnRows: move.rows,
		}),
		dispatches: batchedWrites(s, true, config[move, found[Moved]]{Flush: s.dispatch, Resolve: s.resolveMove}),
		entries: batchedWrites(s, oneByOne, config[entry, found[LedgerEntry]]{
			Flush: s.entering(s.q.CreateLedgerEntries), FlushSkipping: s.entering(s.enterPastLocks),
			Resolve: s.resolveEntry, OwnRows: entry.row, SharedRows: entry.accountRow,
		}),
		drafts: batchedWrites(s, oneByOne, config[draftBatch, []Pickup]{
			Flush: s.drafting(s.q.CreatePickups), FlushSkipping: s.drafting(s.createPastLocks),
			Resolve: s.resolveDrafts, OwnRows: draftBatch.rows,
		}),
		locations: batchedWrites(s, oneByOne, config[location, found[Driver]]{
			Flush: s.locating(s.q.LocateDrivers), FlushSkipping: s.locating(s.locatePastLocks),
			Resolve: s.resolveLocation, OwnRows: location.driverRow,
		}),
		pickups:  batchedReads(oneByOne, seen.tenant, s.flushSeen),
		sessions: batchedReads(oneByOne, session.tenant, s.flushSessions),
		standbys: s.awaitStandbys(oneByOne),
	}
}

func (a seen) tenant() key { return key{tenantID: a.viewer.TenantID} }

func (a session) tenant() key { return key{tenantID: a.tenantID} }

// The rows that a request locks alone (own), or together with others of its batch (shared).

// rows returns the pickup and, for an assign, the driver. A slot that it frees belongs to the pickup,
// and nobody takes it before the commit.
func (m move) rows() []key {
	rows := []key{{m.viewer.TenantID, m.PickupID}}
	if m.DriverID != uuid.Nil {
		rows = append(rows, key{m.viewer.TenantID, m.DriverID})
	}
	return rows
}

func (e entry) row() []key { return []key{{e.viewer.TenantID, e.ID}} }

func (e entry) accountRow() []key { return []key{{e.viewer.TenantID, e.AccountID}} }

func (b draftBatch) rows() []key {
	return mapSlice(b.drafts, func(d Draft) key { return key{b.viewer.TenantID, d.ID} })
}

func (l location) driverRow() []key { return []key{{l.viewer.TenantID, l.DriverID}} }

// Stats returns the statistics of each kind of request.
func (s *Store) Stats() map[string]batch.Stats {
	return map[string]batch.Stats{
		"transition": s.transitions.Stats(), "dispatch": s.dispatches.Stats(),
		"entry": s.entries.Stats(), "create": s.drafts.Stats(), "location": s.locations.Stats(),
		"get": s.pickups.Stats(), "session": s.sessions.Stats(),
	}
}
