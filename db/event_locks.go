package db

import (
	"cmp"
	"context"
	"time"

	"waybill/db/quota"
)

// briefLockWait bounds each wait for a lock of a statement that serves others too: the other requests of its batch,
// and the batches behind it. So it gives up soon, and who needs the locked row tries again, alone, for as long as
// the setting says. Streams do not wait for it: see GetStreamHorizon.
const briefLockWait = 50 * time.Millisecond

// lockWaits are how long writes wait for locks. The zero value is one wait, as long as the session's
// setting.
type lockWaits struct {
	brief, total time.Duration
	lanes        *quota.Quota // for those who wait for a locked row
}

// lockWaitsFor returns the waits of a store with these settings.
func lockWaitsFor(c Config) lockWaits {
	total := cmp.Or(c.LockTimeout, 3*time.Second)
	lanes := max(2, int64(maxConns(c))/4)
	return lockWaits{min(total, briefLockWait), total,
		quota.New(quota.Limits{Whole: lanes, PerTenant: lanes - 1, PerUser: lanes - 1})}
}

// lane waits for one of the few connections of those who wait for locked rows. A tenant never has all of
// them.
func (w lockWaits) lane(ctx context.Context, v Viewer) (release func(), err error) {
	limited, cancel := context.WithTimeout(ctx, w.total)
	defer cancel()
	release, err = w.lanes.Take(limited, v.TenantID, v.UserID, 1)
	if err != nil {
		return nil, tooLate(ctx, err)
	}
	return release, nil
}

// briefly returns a context whose statements wait only briefly for each lock.
func (w lockWaits) briefly(ctx context.Context) context.Context {
	if w.brief == 0 {
		return ctx
	}
	return confirmedWith(ctx, func(c *confirmation) { c.lockTimeout = milliseconds(w.brief) })
}
