package jobs

import (
	"context"

	"github.com/riverqueue/river"

	"waybill/db"
)

type dispatcher struct {
	river.WorkerDefaults[DispatchPickup]
	workers *Workers
}

// Work implements river.Worker. It dispatches the pickup like a dispatcher would, on behalf of the user
// who submitted it. It tests the version: a pickup that has moved since it was submitted is left alone,
// including one that an earlier run of this job dispatched and a dispatcher released. One whose charge
// has changed is dispatched.
func (w *dispatcher) Work(ctx context.Context, job *river.Job[DispatchPickup]) error {
	c := w.workers
	submitted, err := c.Store.GetPickupEvent(ctx,
		db.GetPickupEventParams{TenantID: job.Args.TenantID, ID: job.Args.EventID})
	switch {
	case err != nil && db.Explain(err).Code == db.NotFound:
		c.Observe(job.Kind, Failed, "no_row")
		return river.JobCancel(errNoRow)
	case err != nil:
		return c.snooze(job.JobRow, "database", 0)
	}
	version, err := c.Store.GetVersionSince(ctx, db.GetVersionSinceParams{
		TenantID: submitted.TenantID, PickupID: submitted.PickupID, Version: submitted.Version})
	switch {
	case db.NoRow(err):
		return c.done(job.Kind, Done, "moved_meanwhile")
	case err != nil:
		return c.snooze(job.JobRow, "database", 0)
	}
	by := db.SystemViewer(submitted.TenantID, submitted.ActorID, db.UserRoleDispatcher)
	_, _, err = c.Store.MoveOne(ctx, by, db.Transition{
		Name: db.TransitionNameDispatch, PickupID: submitted.PickupID,
		Version: version, Digest: submitted.ID[:],
	})
	if err == nil {
		return c.done(job.Kind, Done, "")
	}
	switch code := db.CodeOf(err); code {
	case db.IllegalTransition:
		return c.done(job.Kind, Done, "moved_meanwhile")
	case db.StaleVersion: // moved, or its charge has changed, since the version was read
		return c.snooze(job.JobRow, string(code), 0)
	case db.NoDriverFree:
		return c.snooze(job.JobRow, string(code), 0)
	default:
		c.Log.Warn("dispatch", "code", code, "event", submitted.ID)
		return c.snooze(job.JobRow, "database", 0)
	}
}
