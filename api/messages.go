package api

import (
	"context"
	"net/http"

	"waybill/db"
)

func (a *server) registerMessages() {
	register(a, operation{
		id: "list-pickup-messages", method: http.MethodGet, path: "/v1/pickups/{pickup_id}/messages", tag: "pickups",
		summary: "List the texts of a pickup",
		about: "Newest first. The phone number is shown to admins, dispatchers and its owner; a text without a " +
			"phone number has failed with the reason no_number.",
		roles: everyRole, codes: []db.Code{db.NotFound},
	}, a.listMessages)
}

// Message is a text to the requester of a pickup, owed by a transition.
type Message db.ListMessagesRow

type listMessagesInput struct {
	PickupPath
	Keyset
}

func (a *server) listMessages(ctx context.Context, v db.Viewer, in *listMessagesInput) (*ListOf[Message], error) {
	if err := a.store.SeesPickup(ctx, v, in.PickupID); err != nil {
		return nil, err
	}
	rows, err := a.store.ListMessages(ctx, db.ListMessagesParams{
		TenantID: v.TenantID, PickupID: in.PickupID, ViewerID: v.UserID, ViewerRole: v.Role, ViewerDriverID: v.DriverID,
		BeforeCreatedAt: in.before, BeforeID: in.beforeID, MaxRows: in.more(),
	})
	if err != nil {
		return nil, err
	}
	messages := make([]Message, len(rows))
	for i, r := range rows {
		messages[i] = Message(r)
	}
	return pageOf(in.Limit, messages, func(m Message) string { return in.after(m.CreatedAt, m.ID) }), nil
}
