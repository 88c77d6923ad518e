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

// RefusedText is one that the gateway refused for good.
type RefusedText struct {
	TenantID uuid.UUID
	Tenant   string // its slug
	ID       uuid.UUID
	Reason   string
	OwedAt   time.Time
}

// Refused gives each text that was refused, of all tenants, if it was owed after a time, and
// for the reason, if there is one. Those without a number are none: see ListRefusedMessages.
func Refused(ctx context.Context, store *db.System, since time.Time, reason string, each func(RefusedText) error) error {
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

// SendAgain has a refused text sent again. again is false where somebody was first, or
// where it is none that was refused.
func SendAgain(ctx context.Context, store *db.System, t RefusedText) (again bool, err error) {
	n, err := store.RequeueMessage(ctx, db.RequeueMessageParams{TenantID: t.TenantID, ID: t.ID})
	if err != nil {
		return false, db.Explain(err)
	}
	return n == 1, nil
}

// Resume has a paused queue worked again. found is false where there is no such queue.
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
