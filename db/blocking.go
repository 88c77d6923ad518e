package db

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Blocking is what a refused write met, as far as its viewer may see it: read afresh after the loss, and so perhaps
// over by now. What does not go with the code of the error, or is not for the viewer's eyes, is nil or zero.
type Blocking struct {
	PickupID        *uuid.UUID    // for DriverBusy: the pickup that the driver is assigned to
	DriverID        *uuid.UUID    // for DriverUserTaken: the driver whose login the user is
	MissingCents    *int64        // for InsufficientFunds
	RefundedCents   *int64        // for PriceBelowRefunds: the lowest price
	RefundableCents *int64        // for RefundTooLarge: the most that could be refunded
	MessageStatus   MessageStatus // for MessageNotFailed

	// For IllegalTransition and NotEditable: who moved the pickup to its status, and when.
	MovedBy *uuid.UUID
	MovedAt *time.Time

	// For StaleVersion: the row's version, and the counter of its other changes if it has one; of a pickup, whose ETag
	// depends on the role, PickupVersion.
	Versions      []int64
	PickupVersion int64
}

// stale returns StaleVersion for a row with these versions.
func stale(versions ...int64) *Error {
	return &Error{Code: StaleVersion, Field: "version", Blocking: Blocking{Versions: versions}}
}

func stalePickup(version int64) *Error {
	return &Error{Code: StaleVersion, Field: "version", Blocking: Blocking{PickupVersion: version}}
}

func unaffordable(missing int64) *Error {
	return &Error{Code: InsufficientFunds, Blocking: Blocking{MissingCents: &missing}}
}

// movedBefore returns refused, which was read at a version of the pickup, with who moved it to its status, if v
// may see that. Without a row, nobody has moved it, or v may not see who.
func (s *Store) movedBefore(ctx context.Context, v Viewer, pickupID uuid.UUID, version int64, refused *Error) error {
	move, err := s.q.GetLastMove(ctx, GetLastMoveParams{
		TenantID: v.TenantID, PickupID: pickupID, Version: version,
		ViewerID: v.UserID, ViewerRole: v.Role, ViewerDriverID: v.DriverID,
	})
	switch {
	case err == nil:
		refused.MovedBy, refused.MovedAt = &move.ActorID, &move.CreatedAt
	case !NoRow(err):
		return Explain(err)
	}
	return refused
}
