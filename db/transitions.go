package db

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Transition asks for one move of one pickup.
type Transition struct {
	Name     TransitionName
	PickupID uuid.UUID
	Version  int64     // the version that it must have, from If-Match; 0 for any
	Key      string    // the Idempotency-Key, or ""
	Digest   []byte    // of the request, to know a repeat
	DriverID uuid.UUID // for assign
	Reason   string    // for cancel, or ""
}

// move is a transition under way, for its viewer. Its id, which keys its event, its entry
// and its text, is made in advance: by it one finds out later whether it was made.
type move struct {
	Transition
	viewer Viewer
	id     uuid.UUID
}

// Moved is a pickup after a transition, for who made it.
type Moved struct {
	Pickup
	// Seen says that they still see the pickup. Else what they did took it from their
	// sight: Pickup has the status and the version that this left, and nothing of an
	// address, a patient or money.
	Seen bool
}

// movedAway is what an event left, for who no longer sees its pickup.
func movedAway(p Pickup, after PickupStatus, version int64, at time.Time) Moved {
	return Moved{Pickup: Pickup{
		TenantID: p.TenantID, ID: p.ID, FacilityID: p.FacilityID, RequestedBy: p.RequestedBy, CreatedAt: p.CreatedAt,
		Status: after, Version: version, UpdatedAt: at,
	}}
}

func (m move) by() Viewer { return m.viewer }

func (m move) pickupIDs() []uuid.UUID { return []uuid.UUID{m.PickupID} }

// MoveOne makes the transition, with all its effects, in one statement. replayed says
// that an earlier request with the same key did, which its maker is told also where it
// took the pickup from their sight. Whoever may not see the pickup is refused with NotFound; else with Forbidden, IdempotencyKeyReused, StaleVersion,
// IllegalTransition, InsufficientFunds, DriverNotFound, DriverBusy or NoDriverFree.
func (s *Store) MoveOne(ctx context.Context, v Viewer, t Transition) (pickup Moved, replayed bool, err error) {
	m := move{t, v, newID()}
	for attempt := range attempts {
		if attempt > 0 {
			pause(ctx, attempt)
		}
		moved, err := s.move(ctx, m, attempt)
		if err == nil && moved.is {
			return moved.row, false, nil
		}
		// A duplicate that came at the same time meets the key, or the driver taken
		// meanwhile the index: both are explained like a row that did not match.
		// So is one that its viewer was not to see any more when it was made.
		if err != nil && !violates(err, "pickup_events_idempotency_key") &&
			!violates(err, "only_one_assigned_driver") && !notSeen(err) {
			return Moved{}, false, Explain(err)
		}
		pickup, replayed, err = s.explainTransition(ctx, v, t)
		if err == nil || !errors.Is(err, errAgain) {
			return pickup, replayed, err
		}
	}
	return Moved{}, false, refuse(Overloaded, "")
}

// move tries once. Who tries again goes apart: what was left out of a flush because
// others held it is then waited for.
func (s *Store) move(ctx context.Context, m move, attempt int) (found[Moved], error) {
	c := s.combinerOf(m.Name)
	if attempt > 0 {
		return c.unbatched(ctx, m)
	}
	return c.do(ctx, m)
}

func (s *Store) combinerOf(name TransitionName) *batcher[move, found[Moved]] {
	if name == TransitionNameDispatch {
		return s.dispatches
	}
	return s.transitions
}

// transitionUnlocked leaves out the pickups that others hold.
func (s *Store) transitionUnlocked(ctx context.Context, p TransitionPickupsParams) ([]TransitionPickupsRow, error) {
	rows, err := s.TransitionPickupsSkipLocked(ctx, TransitionPickupsSkipLockedParams(p))
	return each(rows, func(r TransitionPickupsSkipLockedRow) TransitionPickupsRow { return TransitionPickupsRow(r) }), err
}

// transitioning makes the moves by one statement.
func (s *Store) transitioning(
	transition func(context.Context, TransitionPickupsParams) ([]TransitionPickupsRow, error),
) func(context.Context, []move) ([]found[Moved], error) {
	return func(ctx context.Context, asks []move) ([]found[Moved], error) {
		rows, err := transition(confirmedBy(ctx, asks), TransitionPickupsParams{
			TenantIds:       each(asks, func(m move) uuid.UUID { return m.viewer.TenantID }),
			Ids:             each(asks, func(m move) uuid.UUID { return m.PickupID }),
			ViewerIds:       each(asks, func(m move) uuid.UUID { return m.viewer.UserID }),
			ViewerRoles:     each(asks, func(m move) string { return string(m.viewer.Role) }),
			ViewerDriverIds: each(asks, func(m move) uuid.UUID { return m.viewer.DriverID }),
			Transitions:     each(asks, func(m move) string { return string(m.Name) }),
			Versions:        each(asks, func(m move) int64 { return m.Version }),
			IdempotencyKeys: each(asks, func(m move) string { return m.Key }),
			RequestDigests:  each(asks, func(m move) []byte { return m.Digest }),
			MoveIds:         each(asks, func(m move) uuid.UUID { return m.id }),
			DriverIds:       each(asks, func(m move) uuid.UUID { return m.DriverID }),
			Reasons:         each(asks, func(m move) string { return m.Reason }),
		})
		return s.results(asks, each(rows, func(r TransitionPickupsRow) moved { return moved(r) })), err
	}
}

// dispatch serves the first and only: a statement does not skip its own locks, and
// would take one driver twice.
func (s *Store) dispatch(ctx context.Context, asks []move) ([]found[Moved], error) {
	m := asks[0]
	rows, err := s.DispatchPickup(confirmedBy(ctx, asks), DispatchPickupParams{
		TenantID: m.viewer.TenantID, ID: m.PickupID, ViewerID: m.viewer.UserID, ViewerRole: m.viewer.Role,
		Version: m.Version, IdempotencyKey: m.Key, RequestDigest: m.Digest, MoveID: m.id,
	})
	return s.results(asks, each(rows, func(r DispatchPickupRow) moved { return moved(r) })), err
}

// moved is a row of either of the transitions' statements. The texts are those of all
// the statement: what the transitions owed, and what the tenants' flags let through.
type moved struct {
	Pickup        Pickup
	Seen          bool
	TextsOwed     int32
	TextsEnqueued int32
}

// results gives each move its row. A flush has one move for each pickup.
func (s *Store) results(asks []move, rows []moved) []found[Moved] {
	if len(rows) > 0 && rows[0].TextsOwed > 0 && s.onTexts != nil {
		s.onTexts(int(rows[0].TextsOwed), int(rows[0].TextsEnqueued))
	}
	return byKey(asks,
		func(m move) key { return key{m.viewer.TenantID, m.PickupID} },
		each(rows, func(m moved) Moved {
			if p := m.Pickup; !m.Seen {
				return movedAway(p, p.Status, p.Version, p.UpdatedAt)
			}
			return Moved{m.Pickup, true}
		}),
		func(m Moved) key { return key{m.TenantID, m.ID} })
}

// resolveMove finds out what became of a move whose statement may have been committed.
// By its event it was; else it is tried again with the same event: of the two, should
// the first still be running, one wins, and the event is there once. If neither is seen
// to have won, the first may do so yet, so that no loss can be told.
func (s *Store) resolveMove(ctx context.Context, m move) (found[Moved], error) {
	find := func() (found[Moved], error) {
		r, err := s.GetMovedPickup(ctx, GetMovedPickupParams{
			TenantID: m.viewer.TenantID, EventID: m.id, ViewerID: m.viewer.UserID,
			ViewerRole: m.viewer.Role, ViewerDriverID: m.viewer.DriverID,
		})
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return found[Moved]{}, nil
		case err == nil && !r.Seen:
			return found[Moved]{movedAway(r.Pickup, r.EventAfter, r.EventVersion, r.EventCreatedAt), true}, nil
		}
		return found[Moved]{Moved{r.Pickup, r.Seen}, err == nil}, err
	}
	if r, err := find(); r.is || err != nil {
		return r, err
	}
	r, err := one(s.combinerOf(m.Name).FlushWaiting(ctx, []move{m}))
	if r.is || err != nil && !isServerError(err) {
		return r, err
	}
	if earlier, lost := find(); earlier.is || lost != nil {
		return earlier, lost
	}
	if err == nil {
		err = errUnknown
	}
	return r, err
}

// errUnknown: the connection broke, and the request may be done or not. Who sends it
// again, with the same id or key, is told.
var errUnknown = &Error{Code: Unavailable, cause: errors.New("the outcome is not known")}

// explainTransition says why t did not move its pickup, as things stand now, or
// finds that an earlier try of it did.
func (s *Store) explainTransition(ctx context.Context, v Viewer, t Transition) (Moved, bool, error) {
	now, err := s.ExplainTransition(ctx, ExplainTransitionParams{
		Transition: t.Name, TenantID: v.TenantID, ID: t.PickupID, IdempotencyKey: t.Key, RequestDigest: t.Digest,
		ViewerRole: v.Role, ViewerID: v.UserID, ViewerDriverID: v.DriverID,
	})
	switch {
	case err != nil:
		return Moved{}, false, Explain(err)
	case !now.RoleMay:
		return Moved{}, false, refuse(Forbidden, "")
	case now.SameRequest && !now.Seen:
		return movedAway(now.Pickup, now.EventAfter, now.EventVersion, now.EventCreatedAt), true, nil
	case now.SameRequest:
		return Moved{now.Pickup, true}, true, nil
	case now.KeyUsed:
		return Moved{}, false, refuse(IdempotencyKeyReused, "Idempotency-Key")
	case t.Version != 0 && t.Version != now.Pickup.Version:
		return Moved{}, false, refuse(StaleVersion, "If-Match")
	case !now.LegalNow:
		return Moved{}, false, &Error{Code: IllegalTransition, Status: now.Pickup.Status, Allowed: now.Allowed}
	case !now.AffordableNow:
		return Moved{}, false, refuse(InsufficientFunds, "")
	case t.Name == TransitionNameAssign:
		return Moved{}, false, s.unmoved(ctx, v, now.Pickup, s.explainDriver(ctx, v, t.DriverID))
	case t.Name == TransitionNameDispatch:
		return Moved{}, false, s.unmoved(ctx, v, now.Pickup, s.explainDispatch(ctx, v))
	}
	return Moved{}, false, errAgain
}

// unmoved lets a refusal stand that was read after the pickup, if the pickup has not
// moved meanwhile: else the two may never have been true at once. A dispatcher would be
// told that the driver is busy, with the very pickup that somebody else just gave them.
func (s *Store) unmoved(ctx context.Context, v Viewer, p Pickup, refusal error) error {
	if errors.Is(refusal, errAgain) {
		return refusal
	}
	now, err := one(s.flushSeen(ctx, []seen{{p.ID, v, ""}}))
	switch {
	case err != nil:
		return Explain(err)
	case !now.is || now.row.Version != p.Version:
		return errAgain
	}
	return refusal
}

func (s *Store) explainDriver(ctx context.Context, v Viewer, driverID uuid.UUID) error {
	busy, err := s.ExplainDriver(ctx, ExplainDriverParams{TenantID: v.TenantID, DriverID: driverID})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return refuse(DriverNotFound, "driver_id")
	case err != nil:
		return Explain(err)
	case busy:
		return refuse(DriverBusy, "driver_id")
	}
	return errAgain
}

func (s *Store) explainDispatch(ctx context.Context, v Viewer) error {
	free, err := s.HasFreeDriver(ctx, v.TenantID)
	switch {
	case err != nil:
		return Explain(err)
	case !free:
		return refuse(NoDriverFree, "")
	}
	return errAgain
}
