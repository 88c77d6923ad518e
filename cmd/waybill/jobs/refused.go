package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"waybill/db"
)

// RefusedText is a text that the gateway refused permanently.
type RefusedText struct {
	TenantID uuid.UUID
	Tenant   string // the tenant's slug
	ID       uuid.UUID
	Reason   string
	OwedAt   time.Time
}

// Refused calls each for the refused texts of all tenants that were created since a time, with the
// given reason if it is not empty. Texts without a phone number are not included: see
// ListRefusedMessages.
func Refused(ctx context.Context, store *db.System, since time.Time, reason string,
	each func(RefusedText) error) error {
	for after := ""; ; {
		tenants, err := store.ListTenants(ctx, db.ListTenantsParams{AfterSlug: after, MaxRows: page})
		if err != nil {
			return db.Explain(err)
		}
		for _, t := range tenants {
			if err := refusedOf(ctx, store, t, since, reason, each); err != nil {
				return err
			}
			after = t.Slug
		}
		if len(tenants) < page {
			return nil
		}
	}
}

func refusedOf(
	ctx context.Context, store *db.System, t db.ListTenantsRow, since time.Time,
	reason string, each func(RefusedText) error,
) error {
	next := db.ListRefusedMessagesParams{TenantID: t.ID, AfterCreatedAt: since, Reason: reason, MaxRows: page}
	for {
		rows, err := store.ListRefusedMessages(ctx, next)
		if err != nil {
			return db.Explain(err)
		}
		for _, r := range rows {
			if err := each(RefusedText{t.ID, t.Slug, r.ID, r.Reason, r.CreatedAt}); err != nil {
				return err
			}
			next.AfterCreatedAt, next.AfterID = r.CreatedAt, r.ID
		}
		if len(rows) < page {
			return nil
		}
	}
}

// Resend sends a refused text again. It reports false if the text is not refused any more, for
// example because another caller was first.
func Resend(ctx context.Context, store *db.System, t RefusedText) (ok bool, err error) {
	n, err := store.RequeueMessage(ctx, db.RequeueMessageParams{TenantID: t.TenantID, ID: t.ID})
	if err != nil {
		return false, db.Explain(err)
	}
	return n == 1, nil
}

// Resume resumes a paused queue. It reports false if there is no such queue.
func Resume(ctx context.Context, store *db.System, queue string) (found bool, err error) {
	client, err := river.NewClient(riverpgxv5.New(store.Pool()), &river.Config{})
	if err != nil {
		return false, err
	}
	err = client.QueueResume(ctx, queue, nil)
	if errors.Is(err, rivertype.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
