package jobs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/riverqueue/river"

	"waybill/db"
)

// Backfills is the queue of backfills. A process works on one at a time.
const Backfills = "backfills"

// Backfill fills in the rows of one backfill. It is enqueued when its migration is applied, and snoozes until
// nothing is left.
type Backfill struct {
	Name string `json:"name"`
}

// Kind implements river.JobArgs.
func (Backfill) Kind() string { return "backfill" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (Backfill) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: Backfills} }

const (
	backfillRun   = 20 * time.Second // of one run of the job, which then snoozes for a moment
	backfillPause = 5 * time.Second  // while it is stopped, held or fails
	maxReplicaLag = 16 << 20         // bytes of WAL
)

type backfiller struct {
	river.WorkerDefaults[Backfill]
	workers *Workers
}

// Work implements river.Worker. It runs batches for a while. A batch and the place where it ended are committed
// together: a worker that is killed leaves nothing half done, and the next one goes on from there.
func (w *backfiller) Work(ctx context.Context, job *river.Job[Backfill]) error {
	c := w.workers
	statement, err := db.BackfillStatement(c.BackfillFiles, job.Args.Name)
	if err != nil { // of a newer program, whose workers take it
		return c.snooze(job.JobRow, "no_statement", backfillPause)
	}
	ctx, cancel := c.untilStop(ctx)
	defer cancel()
	r := &backfillRunner{store: c.Store, name: job.Args.Name, statement: statement, pace: c.pace}
	done, err := r.run(ctx, backfillRun)
	switch {
	case done:
		return c.done(job.Kind, Done, "")
	case ctx.Err() != nil:
		return river.JobSnooze(0)
	case err == nil:
		c.Observe(job.Kind, Snoozed, "")
		return river.JobSnooze(time.Second) // other backfills have their turn
	case errors.Is(err, db.ErrBackfillNotRunning):
		return w.notRunning(ctx, job)
	case errors.Is(err, errHeld):
		c.Observe(job.Kind, Snoozed, "held")
		return river.JobSnooze(backfillPause)
	}
	c.Log.Warn("backfill", "name", job.Args.Name, "code", db.CodeOf(err), "sqlstate", sqlState(err))
	r.hold(ctx, "its statement fails: SQLSTATE "+sqlState(err))
	return c.snooze(job.JobRow, "database", backfillPause)
}

// notRunning ends the job of a backfill that is done, and lets that of a stopped one wait.
func (w *backfiller) notRunning(ctx context.Context, job *river.Job[Backfill]) error {
	b, err := w.workers.Store.GetBackfill(ctx, job.Args.Name)
	switch {
	case err == nil && b.State == "DONE", err != nil && db.Explain(err).Code == db.NotFound:
		return w.workers.done(job.Kind, Done, "")
	}
	w.workers.Observe(job.Kind, Snoozed, "stopped")
	return river.JobSnooze(backfillPause)
}

// sqlState returns the error's code, which repeats no value of a row.
func sqlState(err error) string {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused.Code
	}
	return "unknown"
}

// backfillRunner runs batches of one backfill.
type backfillRunner struct {
	store           *db.System
	name, statement string
	pace            *pace
	held            string // as it was recorded last
}

// errHeld means that the backfill waits for the database to have time for it.
var errHeld = errors.New("held")

// run runs batches for a while. It reports whether nothing is left.
func (r *backfillRunner) run(ctx context.Context, long time.Duration) (done bool, err error) {
	b, err := r.store.GetBackfill(ctx, r.name)
	if err != nil {
		return false, err
	}
	if r.held = b.Held; b.State != "RUNNING" {
		return false, db.ErrBackfillNotRunning
	}
	if err := r.pace.rest(ctx, r.probe); err != nil {
		return false, err
	}
	stop := r.pace.probing(ctx, r.probe)
	defer stop()
	for end := time.Now().Add(long); time.Now().Before(end); {
		if err := r.holdIfBusy(ctx); err != nil {
			return false, err
		}
		done, err := r.batch(ctx)
		if done || err != nil {
			return done, err
		}
		if err := r.pace.pause(ctx); err != nil {
			return false, err
		}
	}
	return false, nil
}

// batch runs one batch.
func (r *backfillRunner) batch(ctx context.Context) (done bool, err error) {
	began := time.Now()
	b, err := r.store.RunBackfill(ctx, r.name, r.statement, r.pace.size)
	if tooSlow(err) {
		r.pace.smaller()
		return false, nil
	}
	if err == nil {
		r.held = ""
		r.pace.took(b.Took, time.Since(began))
	}
	return b.Done, err
}

// tooSlow reports whether the batch was undone because it met a time limit, of a lock or of the statement.
func tooSlow(err error) bool {
	code := sqlState(err)
	return code == "57014" || code == "55P03" || code == "40P01"
}

// probe is a request like those of the callers: a small read.
func (r *backfillRunner) probe(ctx context.Context) error {
	_, err := r.store.ListTransitions(ctx)
	return err
}

// holdIfBusy returns errHeld while probes are slower than they were at rest, or a replica lags.
func (r *backfillRunner) holdIfBusy(ctx context.Context) error {
	why := r.pace.busy()
	if why == "" {
		lag, err := r.store.GetReplicaLag(ctx)
		if err != nil {
			return err
		}
		why = lagText(lag)
	}
	if why == "" {
		return nil
	}
	r.pace.smaller()
	r.hold(ctx, why)
	return errHeld
}

func lagText(lag db.GetReplicaLagRow) string {
	switch {
	case lag.IsHidden != nil && *lag.IsHidden:
		return "there is a replica, and how far it lags cannot be seen: GRANT pg_monitor TO " + db.AppRole
	case lag.Bytes != nil && *lag.Bytes > maxReplicaLag:
		return fmt.Sprintf("a replica lags by %d MB", *lag.Bytes>>20)
	}
	return ""
}

// hold records why no batch runs. If it fails, the job's next run records it.
func (r *backfillRunner) hold(ctx context.Context, why string) {
	_, err := r.store.HoldBackfill(ctx, db.HoldBackfillParams{Name: r.name, Why: why, HeldBefore: r.held})
	if err == nil {
		r.held = why
	}
}

// FillIn does a whole backfill, as the jobs of workers do: it waits while it is held or stopped, and returns
// nil if nothing is left.
func FillIn(ctx context.Context, store *db.System, folder fs.FS, name string) error {
	statement, err := db.BackfillStatement(folder, name)
	if err != nil {
		return err
	}
	r := &backfillRunner{store: store, name: name, statement: statement, pace: newPace()}
	for {
		done, err := r.run(ctx, backfillRun)
		switch {
		case done:
			return nil
		case errors.Is(err, db.ErrBackfillNotRunning):
			if b, err := store.GetBackfill(ctx, name); err != nil || b.State == "DONE" {
				return err
			}
		case err != nil && !errors.Is(err, errHeld):
			return err
		}
		if err := sleep(ctx, time.Second); err != nil {
			return err
		}
	}
}
