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

// page is the number of jobs read at once.
const page = 500

// Troubled calls each for the jobs that failed, wait for a retry, or have been running for too long,
// ordered by id.
func Troubled(ctx context.Context, store *db.System, each func(db.ListTroubledJobsRow) error) error {
	for after := int64(0); ; {
		rows, err := store.ListTroubledJobs(ctx,
			db.ListTroubledJobsParams{StuckAfter: rescueAfter, AfterID: after, MaxRows: page})
		if err != nil {
			return db.Explain(err)
		}
		for _, r := range rows {
			if err := each(r); err != nil {
				return err
			}
			after = r.ID
		}
		if len(rows) < page {
			return nil
		}
	}
}

// Retry makes the job run again at once, in whatever state it is; a running job is left alone. It
// reports false if there is no such job.
func Retry(ctx context.Context, store *db.System, id int64) (found bool, err error) {
	client, err := river.NewClient(riverpgxv5.New(store.Pool()), &river.Config{})
	if err != nil {
		return false, err
	}
	_, err = client.JobRetry(ctx, id)
	if errors.Is(err, rivertype.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// pendingTooLong is how long a delivery is pending before its endpoint is listed.
const pendingTooLong = 10 * time.Minute

// TroubledEndpoints calls each for the webhook endpoints with dead letters of the last while, or with deliveries that
// have been pending for ten minutes.
func TroubledEndpoints(ctx context.Context, store *db.System, since time.Duration,
	each func(db.ListTroubledWebhookEndpointsRow) error) error {
	now, err := store.GetDatabaseTime(ctx)
	if err != nil {
		return db.Explain(err)
	}
	var after uuid.UUID
	for {
		tenants, err := store.ListWebhookTenants(ctx, db.ListWebhookTenantsParams{AfterID: after,
			MaxRows: webhookTenants})
		if err != nil || len(tenants) == 0 {
			return err
		}
		after = tenants[len(tenants)-1]
		rows, err := store.ListTroubledWebhookEndpoints(ctx, db.ListTroubledWebhookEndpointsParams{TenantIds: tenants,
			Since: now.Add(-since), PendingFor: pendingTooLong})
		if err != nil {
			return err
		}
		for _, r := range rows {
			if err := each(r); err != nil {
				return err
			}
		}
	}
}
