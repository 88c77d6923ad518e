package db

import (
	"context"

	"github.com/google/uuid"
)

// Resend is a request to send a failed text again.
type Resend struct {
	MessageID uuid.UUID
	Key       string // the idempotency key, or ""
	Digest    []byte // of the request, to recognize a replay
}

// ResendMessage queues a text that the gateway refused again, for a viewer who sees its pickup. replayed
// reports that an earlier request with the same key did. It returns NotFound, MessageNotFailed for a text that
// is queued or was sent, NoPhoneNumber for one that has nobody to be sent to, or IdempotencyKeyReused.
func (s *Store) ResendMessage(ctx context.Context, v Viewer, r Resend) (m ListMessagesRow, replayed bool, err error) {
	if err := v.mayWrite(); err != nil {
		return m, false, err
	}
	c := confirmationOf(v)
	c.addMessage(v, r.MessageID)
	err = retryWrite(ctx, func(int) error {
		row, err := s.q.ResendMessage(withConfirmation(ctx, c), ResendMessageParams{
			TenantID: v.TenantID, ID: r.MessageID, ViewerID: v.UserID, ViewerRole: v.Role, ViewerDriverID: v.DriverID,
			IdempotencyKey: r.Key, RequestDigest: r.Digest,
		})
		switch {
		case err == nil:
			m = ListMessagesRow(row)
			return nil
		// A concurrent duplicate, after which the text has failed again, violates the index of the key.
		case !NoRow(err) && !violates(err, "message_resends_idempotency_key"):
			return Explain(err)
		}
		m, replayed, err = s.explainResend(ctx, v, r)
		return err
	})
	return m, replayed, err
}

// explainResend returns why a text was not sent again, or finds that an earlier try of r did.
func (s *Store) explainResend(ctx context.Context, v Viewer, r Resend) (ListMessagesRow, bool, error) {
	now, err := s.q.ExplainResendMessage(ctx, ExplainResendMessageParams{
		TenantID: v.TenantID, ID: r.MessageID, ViewerID: v.UserID, ViewerRole: v.Role, ViewerDriverID: v.DriverID,
		IdempotencyKey: r.Key, RequestDigest: r.Digest,
	})
	if err != nil {
		return ListMessagesRow{}, false, Explain(err)
	}
	if err := s.replicated(ctx); err != nil { // it may be the caller's own resend
		return ListMessagesRow{}, false, err
	}
	switch {
	case now.SameRequest:
		return ListMessagesRow{ID: now.ID, PickupID: now.PickupID, To: now.To, Body: now.Body, Status: now.Status,
			Reason: now.Reason, CreatedAt: now.CreatedAt, SentAt: now.SentAt}, true, nil
	case now.KeyUsed:
		return ListMessagesRow{}, false, refuse(IdempotencyKeyReused, "idempotency_key")
	case now.Status != MessageStatusFAILED:
		return ListMessagesRow{}, false,
			&Error{Code: MessageNotFailed, Blocking: Blocking{MessageStatus: now.Status}}
	case now.Reason != nil && *now.Reason == "no_number":
		return ListMessagesRow{}, false, refuse(NoPhoneNumber, "")
	}
	return ListMessagesRow{}, false, errRetry
}
