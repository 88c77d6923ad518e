package api

import (
	"context"
	"net/http"

	"waybill/db"
)

func (a *server) registerAdjustments() {
	register(a, operation{
		id: "list-pickup-adjustments", method: http.MethodGet, path: "/v1/pickup-adjustments", tag: "pickups",
		summary: "List the adjustment rules",
		about: "The dictionary of what may be done with the charge of a submitted pickup, beside that of its " +
			"transitions: in which statuses, and by which roles. Each is an operation of its name, such as " +
			"reprice-pickup, and an event of the pickup.",
		roles: everyRole,
	}, a.listAdjustments)
	codes := []db.Code{db.NotFound, db.IllegalTransition, db.StaleVersion, db.IdempotencyKeyReused, db.BalanceTooLarge}
	register(a, operation{
		id: "reprice-pickup", method: http.MethodPost, path: "/v1/pickups/{pickup_id}/reprice", tag: "pickups",
		summary: "Change the price of a submitted pickup",
		about: "Charges or refunds the difference. From SUBMITTED to SHIPPED; a DRAFT is edited, and a DELIVERED " +
			"pickup " +
			"is only refunded. The price cannot be less than what refund-pickup has refunded. A later cancel refunds " +
			"what is charged then. It is an event of the pickup: `reprice`.",
		roles: adjusters, codes: append([]db.Code{db.InsufficientFunds, db.PriceBelowRefunds}, codes...),
	}, a.repricePickup)
	register(a, operation{
		id: "refund-pickup", method: http.MethodPost, path: "/v1/pickups/{pickup_id}/refund", tag: "pickups",
		summary: "Refund a part of a pickup's charge",
		about: "Returns the amount to the account; the reason is the note of its entry. From SUBMITTED to " +
			"DELIVERED. All " +
			"refunds of a pickup together are at most what was charged. It is an event of the pickup: `refund`.",
		roles: adjusters, codes: append([]db.Code{db.RefundTooLarge}, codes...),
	}, a.refundPickup)
}

// adjusters may change what a submitted pickup is charged.
var adjusters = adminDispatch

// AdjustmentRule is one row of the dictionary of adjustments.
type AdjustmentRule struct {
	Adjustment string            `json:"adjustment" enum:"reprice,refund"`
	Statuses   []db.PickupStatus `json:"statuses"`
	Roles      []db.UserRole     `json:"roles" doc:"The roles that may make it"`
}

func (a *server) listAdjustments(ctx context.Context, _ db.Viewer, _ *struct{}) (*ListOf[AdjustmentRule], error) {
	rows, err := a.store.ListAdjustmentRules(ctx)
	if err != nil {
		return nil, err
	}
	page := &Page[AdjustmentRule]{Items: make([]AdjustmentRule, len(rows))}
	for i, r := range rows {
		page.Items[i] = AdjustmentRule{r.Adjustment, as[db.PickupStatus](r.Statuses), adjusters}
	}
	return &ListOf[AdjustmentRule]{page}, nil
}

// NewPrice is the body of reprice-pickup.
type NewPrice struct {
	PriceCents int64 `json:"price_cents" minimum:"0" maximum:"9007199254740991" doc:"The new price" example:"3500"`
}

type repriceInput struct {
	TransitionInput
	Body NewPrice
}

func (a *server) repricePickup(ctx context.Context, v db.Viewer, in *repriceInput) (*transitionOutput, error) {
	return a.adjust(ctx, v, &in.TransitionInput,
		db.Adjustment{Name: db.Reprice, PriceCents: in.Body.PriceCents}, in.Body)
}

// PartialRefund is the body of refund-pickup.
type PartialRefund struct {
	AmountCents int64  `json:"amount_cents" minimum:"1" maximum:"9007199254740991" doc:"How much of the charge is returned" example:"500"`
	Reason      string `json:"reason" minLength:"1" pattern:"\\S" patternDescription:"text that is not blank" maxLength:"500" doc:"Why it is refunded; not about a patient: all who see the account see it" example:"Delivered two hours late"`
}

type refundInput struct {
	TransitionInput
	Body PartialRefund
}

func (a *server) refundPickup(ctx context.Context, v db.Viewer, in *refundInput) (*transitionOutput, error) {
	return a.adjust(ctx, v, &in.TransitionInput,
		db.Adjustment{Name: db.Refund, AmountCents: in.Body.AmountCents, Reason: in.Body.Reason}, in.Body)
}

// adjust makes one adjustment. body is the operation's own part of the request, for the digest.
func (a *server) adjust(
	ctx context.Context, v db.Viewer, in *TransitionInput, adjustment db.Adjustment, body any,
) (*transitionOutput, error) {
	adjustment.PickupID, adjustment.Version, adjustment.Key = in.PickupID, in.version, in.Key
	adjustment.Digest = digest(v, adjustment.Name, body)
	row, replayed, err := a.store.AdjustPickup(ctx, v, adjustment)
	if err != nil {
		return nil, err
	}
	shown := pickupFor(v.Role, row)
	out := &transitionOutput{ETag: pickupTag(v.Role, shown.Version), Body: &shown}
	if replayed {
		out.Replayed = "true"
	}
	return out, nil
}
