package db

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Transition is a request for one transition of one pickup.
type Transition struct {
	Name     TransitionName
	PickupID uuid.UUID
	Version  int64     // the version that it must have; 0 for any
	Key      string    // the idempotency key, or ""
	Digest   []byte    // of the request, to recognize a replay
	DriverID uuid.UUID // for assign
	Reason   string    // for cancel, or ""
}

// move is a transition in progress, with its viewer. Its id, which keys its event, ledger entry and
// message, is generated in advance, so that its outcome can be looked up later.
type move struct {
	Transition
	viewer Viewer
	id     uuid.UUID
}

// Moved is a pickup after a transition, as its caller may see it.
type Moved struct {
	Pickup
	// Seen reports whether the caller still sees the pickup. Otherwise Pickup has only the resulting
	// status and version, and no address, patient or money.
	Seen bool
}

// movedAway returns the result of an event for a caller who no longer sees the pickup.
func movedAway(p Pickup, after PickupStatus, version int64, at time.Time) Moved {
	return Moved{Pickup: Pickup{
		TenantID: p.TenantID, ID: p.ID, FacilityID: p.FacilityID, RequestedBy: p.RequestedBy, CreatedAt: p.CreatedAt,
		Status: after, Version: version, UpdatedAt: at,
	}}
}

func (m move) by() Viewer { return m.viewer }

func (m move) pickupIDs() []uuid.UUID { return []uuid.UUID{m.PickupID} }

// MoveOne makes the transition with all its effects in one statement. replayed reports that an earlier
// request with the same key made it; its caller gets that result even if they no longer see the pickup. It
// returns NotFound if the viewer may not see the pickup; otherwise Forbidden, IdempotencyKeyReused,
// StaleVersion, IllegalTransition, AccountNotForFacility, InsufficientFunds, DriverNotFound, DriverBusy or
// NoDriverFree.
func (s *Store) MoveOne(ctx context.Context, v Viewer, t Transition) (pickup Moved, replayed bool, err error) {
	m := move{t, v, newID()}
	err = retryWrite(ctx, func(attempt int) error {
		moved, err := s.move(ctx, m, attempt)
		if err == nil && moved.ok {
			pickup = moved.row
			return nil
		}
		// A concurrent duplicate violates the unique index of the key, or a driver taken meanwhile that
		// of the driver: both are explained like a row that did not match. So is a pickup that its
		// viewer did not see any more.
		if err != nil && !violates(err, "pickup_events_idempotency_key") &&
			!violates(err, "only_one_assigned_driver") && !notSeen(err) {
			return Explain(err)
		}
		pickup, replayed, err = s.explainTransition(ctx, v, t)
		if err == errRetry {
			return err
		}
		// Also before a refusal: the status that it tells may be the caller's own doing.
		return cmp.Or(s.replicated(ctx), err)
	})
	return pickup, replayed, err
}

// move makes one attempt.
func (s *Store) move(ctx context.Context, m move, attempt int) (found[Moved], error) {
	return s.batcherOf(m.Name).retried(ctx, m, attempt)
}

func (s *Store) batcherOf(name TransitionName) *batcher[move, found[Moved]] {
	if name == TransitionNameDispatch {
		return s.dispatches
	}
	return s.transitions
}

// transitionUnlocked skips locked pickups, and waits for slots and accounts.
func (s *Store) transitionUnlocked(ctx context.Context, p TransitionPickupsParams) ([]TransitionPickupsRow, error) {
	rows, err := s.q.TransitionPickupsSkipLocked(ctx, TransitionPickupsSkipLockedParams(p))
	return mapSlice(rows,
		func(r TransitionPickupsSkipLockedRow) TransitionPickupsRow { return TransitionPickupsRow(r) }), err
}

// transitionPastLocks skips moves that need any locked row.
func (s *Store) transitionPastLocks(ctx context.Context, p TransitionPickupsParams) ([]TransitionPickupsRow, error) {
	rows, err := s.q.TransitionPickupsSkipAnyLocked(ctx, TransitionPickupsSkipAnyLockedParams(p))
	return mapSlice(rows,
		func(r TransitionPickupsSkipAnyLockedRow) TransitionPickupsRow { return TransitionPickupsRow(r) }), err
}

// transitioning makes the moves in one statement.
func (s *Store) transitioning(
	transition func(context.Context, TransitionPickupsParams) ([]TransitionPickupsRow, error),
) func(context.Context, []move) ([]found[Moved], error) {
	return func(ctx context.Context, asks []move) ([]found[Moved], error) {
		p := TransitionPickupsParams{
			TenantIds:       mapSlice(asks, func(m move) uuid.UUID { return m.viewer.TenantID }),
			Ids:             mapSlice(asks, func(m move) uuid.UUID { return m.PickupID }),
			ViewerIds:       mapSlice(asks, func(m move) uuid.UUID { return m.viewer.UserID }),
			ViewerRoles:     mapSlice(asks, func(m move) string { return string(m.viewer.Role) }),
			ViewerDriverIds: mapSlice(asks, func(m move) uuid.UUID { return m.viewer.DriverID }),
			Transitions:     mapSlice(asks, func(m move) string { return string(m.Name) }),
			Versions:        mapSlice(asks, func(m move) int64 { return m.Version }),
			IdempotencyKeys: mapSlice(asks, func(m move) string { return m.Key }),
			RequestDigests:  mapSlice(asks, func(m move) []byte { return m.Digest }),
			MoveIds:         mapSlice(asks, func(m move) uuid.UUID { return m.id }),
			DriverIds:       mapSlice(asks, func(m move) uuid.UUID { return m.DriverID }),
			Reasons:         mapSlice(asks, func(m move) string { return m.Reason }),
		}
		rows, err := transition(plannedOnce(confirmedBy(ctx, asks), len(asks)), p)
		return s.results(ctx, asks, mapSlice(rows, func(r TransitionPickupsRow) moved { return moved(r) })), err
	}
}

// dispatch serves only one request: a statement does not skip its own locks, and would take one driver
// twice.
func (s *Store) dispatch(ctx context.Context, asks []move) ([]found[Moved], error) {
	m := asks[0]
	p := DispatchPickupParams{
		TenantID: m.viewer.TenantID, ID: m.PickupID, ViewerID: m.viewer.UserID, ViewerRole: m.viewer.Role,
		Version: m.Version, IdempotencyKey: m.Key, RequestDigest: m.Digest, MoveID: m.id,
	}
	rows, err := s.q.DispatchPickup(confirmedBy(ctx, asks), p)
	return s.results(ctx, asks, mapSlice(rows, func(r DispatchPickupRow) moved { return moved(r) })), err
}

// moved is a row of either transition statement. The text counts cover the whole statement: texts owed
// by its transitions, and texts that the tenants' flags let through.
type moved struct {
	Pickup        Pickup
	Seen          bool
	TextsOwed     int32
	TextsEnqueued int32
}

// results returns the row of each move. A batch has one move for each pickup.
func (s *Store) results(ctx context.Context, asks []move, rows []moved) []found[Moved] {
	if len(rows) > 0 && rows[0].TextsOwed > 0 && s.onTexts != nil {
		whenCommitted(ctx, func() { s.onTexts(int(rows[0].TextsOwed), int(rows[0].TextsEnqueued)) })
	}
	return byKey(asks,
		func(m move) key { return key{m.viewer.TenantID, m.PickupID} },
		mapSlice(rows, func(m moved) Moved {
			if p := m.Pickup; !m.Seen {
				return movedAway(p, p.Status, p.Version, p.UpdatedAt)
			}
			return Moved{m.Pickup, true}
		}),
		func(m Moved) key { return key{m.TenantID, m.ID} })
}

// resolveMove finds the outcome of a move whose statement may have been committed. If its event exists,
// it was; otherwise it is retried with the same event id: if the first attempt is still running, only
// one of the two wins, and there is one event. If neither has won yet, the first may still do so, and
// no loss can be reported.
func (s *Store) resolveMove(ctx context.Context, m move) (found[Moved], error) {
	find := func() (found[Moved], error) {
		r, err := s.q.GetMovedPickup(ctx, GetMovedPickupParams{
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
	if r, err := find(); r.ok || err != nil {
		return r, err
	}
	r, err := s.batcherOf(m.Name).FlushWaiting(ctx, m)
	if r.ok || err != nil && !isServerError(err) {
		return r, err
	}
	if earlier, lost := find(); earlier.ok || lost != nil {
		return earlier, lost
	}
	if err == nil {
		err = errUnknown
	}
	return r, err
}

// errUnknown means that the connection broke, and the request may have been applied. Repeating it with
// the same id or key returns the outcome.
var errUnknown = &Error{Code: Unavailable, cause: errors.New("the outcome is not known")}

// explainTransition returns why t did not move its pickup, by a fresh read, or finds that an earlier
// try of it did.
func (s *Store) explainTransition(ctx context.Context, v Viewer, t Transition) (Moved, bool, error) {
	now, err := s.q.ExplainTransition(ctx, ExplainTransitionParams{
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
		return Moved{}, false, refuse(IdempotencyKeyReused, "idempotency_key")
	case t.Version != 0 && t.Version != now.Pickup.Version:
		return Moved{}, false, refuse(StaleVersion, "version")
	case !now.LegalNow:
		return Moved{}, false, &Error{Code: IllegalTransition, Status: now.Pickup.Status, Allowed: now.Allowed}
	case !now.AccountFitsNow:
		return Moved{}, false, refuse(AccountNotForFacility, "")
	case !now.AffordableNow:
		return Moved{}, false, refuse(InsufficientFunds, "")
	case t.Name == TransitionNameAssign:
		return Moved{}, false, s.unmoved(ctx, v, now.Pickup, s.explainDriver(ctx, v, t.DriverID))
	case t.Name == TransitionNameDispatch:
		return Moved{}, false, s.unmoved(ctx, v, now.Pickup, s.explainDispatch(ctx, v))
	}
	return Moved{}, false, errRetry
}

// unmoved confirms a refusal that was read after the pickup, if the pickup has not changed in between:
// otherwise the two reads may never have been true at the same time. A dispatcher would get driver_busy
// because another one has just assigned this pickup.
func (s *Store) unmoved(ctx context.Context, v Viewer, p Pickup, refusal error) error {
	if errors.Is(refusal, errRetry) {
		return refusal
	}
	now, err := single(s.flushSeen(ctx, []seen{{p.ID, v, ""}}))
	switch {
	case err != nil:
		return Explain(err)
	case !now.ok || now.row.Version != p.Version:
		return errRetry
	}
	return refusal
}

func (s *Store) explainDriver(ctx context.Context, v Viewer, driverID uuid.UUID) error {
	busy, err := s.q.ExplainDriver(ctx, ExplainDriverParams{TenantID: v.TenantID, DriverID: driverID})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return refuse(DriverNotFound, "driver_id")
	case err != nil:
		return Explain(err)
	case busy:
		return refuse(DriverBusy, "driver_id")
	}
	return errRetry
}

func (s *Store) explainDispatch(ctx context.Context, v Viewer) error {
	free, err := s.q.HasFreeDriver(ctx, v.TenantID)
	switch {
	case err != nil:
		return Explain(err)
	case !free:
		return refuse(NoDriverFree, "")
	}
	return errRetry
}
