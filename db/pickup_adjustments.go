package db

import (
	"cmp"
	"context"

	"github.com/google/uuid"
)

// The adjustments of pickups, which the dictionary pickup_adjustment_rules has.
const (
	Reprice = "reprice"
	Refund  = "refund"
)

// Adjustment is a request to change what a pickup is charged, after it was submitted.
type Adjustment struct {
	Name        string // Reprice or Refund
	PickupID    uuid.UUID
	PriceCents  int64  // for Reprice: the new price
	AmountCents int64  // for Refund: what is returned of the charge
	Reason      string // the note of its ledger entry, or ""
	Version     int64  // the version that the pickup must have; 0 for any
	Key         string // the idempotency key, or ""
	Digest      []byte // of the request, to recognize a replay
}

// AdjustPickup makes the adjustment, with its ledger entry and its record, in one statement. replayed reports that an
// earlier request with the same key made it. It returns NotFound, IdempotencyKeyReused, StaleVersion,
// IllegalTransition in a status in which it is not allowed, PriceBelowRefunds, RefundTooLarge, InsufficientFunds or
// BalanceTooLarge.
func (s *Store) AdjustPickup(ctx context.Context, v Viewer, a Adjustment) (p Pickup, replayed bool, err error) {
	if err := v.mayWrite(); err != nil {
		return Pickup{}, false, err
	}
	id := newID()
	err = retryWrite(ctx, func(int) error {
		row, err := s.q.AdjustPickup(withConfirmation(ctx, confirmationOf(v)), AdjustPickupParams{
			TenantID: v.TenantID, ID: a.PickupID, ViewerID: v.UserID, ViewerRole: v.Role, Adjustment: a.Name,
			PriceCents: a.PriceCents, AmountCents: a.AmountCents, Reason: a.Reason, Version: a.Version,
			IdempotencyKey: a.Key, RequestDigest: a.Digest, MoveID: id,
		})
		switch {
		case err == nil:
			p = row.Pickup
			return nil
		case !NoRow(err) && !violates(err, "pickup_adjustments_idempotency_key") &&
			!violates(err, "accounts_balance_check"):
			return Explain(err)
		}
		replayed, err = s.explainAdjustment(ctx, v, a)
		if err != errRetry {
			err = cmp.Or(s.replicated(ctx), err) // the refusal, too, may rest on the caller's own write
		}
		if err == nil {
			p, err = s.GetOneFor(ctx, v, a.PickupID, a.Name+"-pickup")
		}
		return err
	})
	return p, replayed, err
}

// explainAdjustment returns why a did not change its pickup, by a fresh read, or that an earlier try of it did.
func (s *Store) explainAdjustment(ctx context.Context, v Viewer, a Adjustment) (replayed bool, err error) {
	now, err := s.q.ExplainAdjustPickup(ctx, ExplainAdjustPickupParams{
		TenantID: v.TenantID, ID: a.PickupID, ViewerRole: v.Role, Adjustment: a.Name, PriceCents: a.PriceCents,
		AmountCents: a.AmountCents, IdempotencyKey: a.Key, RequestDigest: a.Digest,
	})
	switch {
	case err != nil:
		return false, Explain(err)
	case now.SameRequest:
		return true, nil
	case now.KeyUsed:
		return false, refuse(IdempotencyKeyReused, "idempotency_key")
	case a.Version != 0 && a.Version != now.Version:
		return false, stalePickup(now.Version)
	case !now.LegalNow:
		return false, s.movedBefore(ctx, v, a.PickupID, now.Version,
			&Error{Code: IllegalTransition, Status: now.Status, Allowed: now.Allowed})
	case !now.FitsNow && a.Name == Reprice:
		return false, &Error{
			Code: PriceBelowRefunds, Field: "price_cents", Blocking: Blocking{RefundedCents: &now.RefundedCents}}
	case !now.FitsNow:
		return false, &Error{
			Code: RefundTooLarge, Field: "amount_cents", Blocking: Blocking{RefundableCents: &now.ChargedCents}}
	case a.Name == Reprice && a.PriceCents > now.AffordablePriceCents:
		return false, unaffordable(a.PriceCents - now.AffordablePriceCents)
	}
	return false, errRetry
}
