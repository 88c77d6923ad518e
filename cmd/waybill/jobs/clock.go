package jobs

import (
	"context"
	"sync/atomic"
	"time"

	"waybill/db"
)

// databaseClock tells the time by the database's clock, which jobs are scheduled by. This process's own may be
// ahead or behind: only how much time passes is taken from it.
type databaseClock struct {
	store *db.System
	read  atomic.Pointer[reading]
}

// reading is what both clocks said at one moment.
type reading struct{ database, process time.Time }

// newDatabaseClock reads the database's clock for the first time.
func newDatabaseClock(ctx context.Context, store *db.System) (*databaseClock, error) {
	c := &databaseClock{store: store}
	return c, c.sync(ctx)
}

// sync reads the database's clock again.
func (c *databaseClock) sync(ctx context.Context) error {
	asked := time.Now()
	now, err := c.store.GetDatabaseTime(ctx)
	if err != nil {
		return db.Explain(err)
	}
	c.read.Store(&reading{now, asked.Add(time.Since(asked) / 2)})
	return nil
}

// Now implements rivertype.TimeGenerator.
func (c *databaseClock) Now() time.Time {
	r := c.read.Load()
	return r.database.Add(time.Since(r.process))
}

// NowOrNil implements rivertype.TimeGenerator: River's statements use the database's now().
func (c *databaseClock) NowOrNil() *time.Time { return nil }
