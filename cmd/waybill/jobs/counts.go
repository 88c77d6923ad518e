package jobs

import (
	"context"
	"time"

	"github.com/google/uuid"

	"waybill/db"
)

const (
	foldInterval = 2 * time.Second
	foldBatch    = 5000 // changes that one statement folds
	foldTenants  = 500  // listed at once
)

// fold folds the changes of pickup counts into the counts, until the workers stop. Counts are exact meanwhile: how
// far it is behind decides only what reading them costs.
func (c *Workers) fold() {
	defer close(c.folded)
	for every := time.NewTicker(foldInterval); ; {
		if err := foldCounts(c.stopping, c.Store, foldBatch); err != nil && c.stopping.Err() == nil {
			c.Log.Warn("cannot fold pickup counts", "code", db.CodeOf(db.Explain(err)))
		}
		select {
		case <-c.stopping.Done():
			every.Stop()
			return
		case <-every.C:
		}
	}
}

// foldCounts folds the changes of every tenant, in batches. It leaves what another worker folds at the time.
func foldCounts(ctx context.Context, store *db.System, batch int32) error {
	var after uuid.UUID
	for {
		tenants, err := store.ListUnfoldedTenants(ctx, db.ListUnfoldedTenantsParams{AfterID: after,
			MaxRows: foldTenants})
		if err != nil || len(tenants) == 0 {
			return err
		}
		for _, after = range tenants {
			for folded := int64(batch); folded == int64(batch); {
				folded, err = store.FoldPickupCounts(ctx, db.FoldPickupCountsParams{TenantID: after, MaxRows: batch})
				if err != nil {
					return err
				}
			}
		}
	}
}
