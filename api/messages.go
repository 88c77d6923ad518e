package api

import (
	"context"
	"net/http"

	"github.com/google/uuid"

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
	register(a, operation{
		id: "resend-message", method: http.MethodPost, path: "/v1/messages/{message_id}/resend", tag: "pickups",
		summary: "Send a failed text again",
		about: "Queues a text that the gateway refused. A text that is queued or was sent, and one without a phone " +
			"number, are left as they are.",
		roles: []db.UserRole{db.UserRoleAdmin, db.UserRoleDispatcher, db.UserRoleStaff},
		codes: []db.Code{db.NotFound, db.MessageNotFailed, db.NoPhoneNumber, db.IdempotencyKeyReused},
	}, a.resendMessage)
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

// MessagePath identifies a text by its id in the path.
type MessagePath struct {
	MessageID uuid.UUID `path:"message_id" format:"uuid" doc:"The text"`
}

type resendMessageInput struct {
	MessagePath
	Key string `header:"Idempotency-Key" maxLength:"200" pattern:"^[!-~]+$" patternDescription:"visible ASCII" doc:"Unique for each request, and the same for its retries: a repetition returns 200 and has no effect"`
}

type resendMessageOutput struct {
	Replayed string `header:"Idempotency-Replayed" doc:"\"true\" if an earlier request with this Idempotency-Key sent the text again"`
	Body     *Message
}

func (a *server) resendMessage(
	ctx context.Context, v db.Viewer, in *resendMessageInput,
) (*resendMessageOutput, error) {
	row, replayed, err := a.store.ResendMessage(ctx, v, db.Resend{
		MessageID: in.MessageID, Key: in.Key, Digest: digest(v, "resend-message", nil),
	})
	if err != nil {
		return nil, err
	}
	out := &resendMessageOutput{Body: (*Message)(&row)}
	if replayed {
		out.Replayed = "true"
	}
	return out, nil
}
