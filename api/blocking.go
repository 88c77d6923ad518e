package api

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"waybill/db"
)

// Blocking are the members of a Problem that tell what the request met, each with codes of its own:
// blockingMembers. The statement that reads them afterwards leaves out what the caller may not see.
type Blocking struct {
	PickupID            *uuid.UUID       `json:"pickup_id,omitempty" format:"uuid" doc:"Of driver_busy: the pickup that the driver is assigned to, if you may see it"`
	DriverID            *uuid.UUID       `json:"driver_id,omitempty" format:"uuid" doc:"Of driver_user_taken: the driver whose login the user is, if you may see them"`
	MissingCents        *int64           `json:"missing_cents,omitempty" minimum:"1" maximum:"9007199254740991" doc:"Of insufficient_funds: how much the balance lacks"`
	RefundedCents       *int64           `json:"refunded_cents,omitempty" minimum:"0" maximum:"9007199254740991" doc:"Of price_below_refunds: what was refunded, the lowest price"`
	RefundableCents     *int64           `json:"refundable_cents,omitempty" minimum:"0" maximum:"9007199254740991" doc:"Of refund_too_large: the most that can be refunded"`
	MovedBy             *uuid.UUID       `json:"moved_by,omitempty" format:"uuid" doc:"Of illegal_transition and not_editable: the user who moved the pickup to its current status, if list-pickup-events shows you that"`
	MovedAt             *time.Time       `json:"moved_at,omitempty" doc:"When moved_by did"`
	CurrentETag         string           `json:"current_etag,omitempty" doc:"Of stale_version: the ETag that the row has now" example:"\"8\""`
	WouldCancel         *int64           `json:"would_cancel,omitempty" minimum:"0" doc:"Of mass_cancellation: how many appointments the list would cancel"`
	CurrentAppointments *int64           `json:"current_appointments,omitempty" minimum:"0" doc:"Of mass_cancellation: how many there are to cancel"`
	Records             *int64           `json:"records,omitempty" minimum:"0" doc:"Of records_mismatch: how many came"`
	MessageStatus       db.MessageStatus `json:"message_status,omitempty" doc:"Of message_not_failed: the status of the text"`
}

// blockingMembers has the codes of each member: other codes never have it.
var blockingMembers = map[string][]db.Code{
	"pickup_id":            {db.DriverBusy},
	"driver_id":            {db.DriverUserTaken},
	"missing_cents":        {db.InsufficientFunds},
	"refunded_cents":       {db.PriceBelowRefunds},
	"refundable_cents":     {db.RefundTooLarge},
	"moved_by":             {db.IllegalTransition, db.NotEditable},
	"moved_at":             {db.IllegalTransition, db.NotEditable},
	"current_etag":         {db.StaleVersion},
	"message_status":       {db.MessageNotFailed},
	"would_cancel":         {db.MassCancellation},
	"current_appointments": {db.MassCancellation},
	"records":              {db.RecordsMismatch},
	"errors":               {db.EmptyFeed, unreadableBody}, // of sync-appointments alone
}

// omitBlocking removes the members that none of the codes has from the schema of a problem.
func omitBlocking(members map[string]*huma.Schema, codes []db.Code) {
	for name, of := range blockingMembers {
		if !slices.ContainsFunc(of, func(code db.Code) bool { return slices.Contains(codes, code) }) {
			delete(members, name)
		}
	}
}

// blockingOf returns what an error of the database tells the viewer of the request.
func blockingOf(ctx context.Context, err error) (shown Blocking) {
	e, ok := errors.AsType[*db.Error](err)
	if !ok {
		return Blocking{}
	}
	shown = Blocking{
		PickupID: e.PickupID, DriverID: e.DriverID, MovedBy: e.MovedBy, MovedAt: e.MovedAt,
		MessageStatus: e.MessageStatus,
	}
	switch {
	case e.PickupVersion > 0:
		shown.CurrentETag = pickupTag(viewerOf(ctx).Role, e.PickupVersion)
	case len(e.Versions) > 0:
		shown.CurrentETag = etag(e.Versions[0], e.Versions[1:]...)
	}
	if seesMoney(viewerOf(ctx).Role) {
		shown.MissingCents, shown.RefundedCents, shown.RefundableCents =
			e.MissingCents, e.RefundedCents, e.RefundableCents
	}
	return shown
}

// exampleBlocking has what the example of a code tells.
func exampleBlocking(code db.Code) Blocking {
	who := uuid.MustParse("01997c52-6f00-7000-8000-00000000000a")
	at := time.Date(2030, 1, 1, 9, 12, 0, 0, time.UTC)
	number := func(n int64) *int64 { return &n }
	return map[db.Code]Blocking{
		db.DriverBusy:        {PickupID: &who},
		db.DriverUserTaken:   {DriverID: &who},
		db.InsufficientFunds: {MissingCents: number(1500)},
		db.PriceBelowRefunds: {RefundedCents: number(500)},
		db.RefundTooLarge:    {RefundableCents: number(2000)},
		db.IllegalTransition: {MovedBy: &who, MovedAt: &at},
		db.NotEditable:       {MovedBy: &who, MovedAt: &at},
		db.StaleVersion:      {CurrentETag: etag(8)},
		db.MassCancellation:  {WouldCancel: number(40), CurrentAppointments: number(60)},
		db.RecordsMismatch:   {Records: number(1200)},
		db.MessageNotFailed:  {MessageStatus: db.MessageStatusSENT},
	}[code]
}
