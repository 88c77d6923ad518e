package db_test

import (
	"context"
	"fmt"
	"time"

	"waybill/db"
)

// stuckAfter is how long a job may run.
const stuckAfter = time.Minute

// job inserts a job that has been running for so long.
func (w *fixture) job(ctx context.Context, running time.Duration) (id int64) {
	return scan[int64](ctx, w.owner, `INSERT INTO river_job (kind, queue, args, state, attempt, attempted_at)
		VALUES ('test', 'test', '{}', 'running', 1, now() - $1::interval) RETURNING id`, running)
}

// jobIs returns an error unless the job is in the state.
func (w *fixture) jobIs(ctx context.Context, id int64, state string) error {
	if got := scan[string](ctx, w.owner, "SELECT state::text FROM river_job WHERE id = $1", id); got != state {
		return fmt.Errorf("job %d is %s, want %s", id, got, state)
	}
	return nil
}

func rescue(ctx context.Context, s *db.Raw) error {
	_, err := s.RescueJobs(ctx, stuckAfter)
	return err
}

var jobRaces = []check{
	{"RescueJobs", "a job that finishes meanwhile is rescued", func(ctx context.Context, w *fixture) error {
		finishing, killed := w.job(ctx, 2*stuckAfter), w.job(ctx, 2*stuckAfter)
		return first(
			w.passes(ctx,
				func(s *db.Raw) error { // its worker, late
					_, err := s.DBTX().Exec(ctx,
						"UPDATE river_job SET state = 'completed', finalized_at = now() WHERE id = $1", finishing)
					return err
				},
				func(s *db.Raw) error { return rescue(ctx, s) }),
			w.jobIs(ctx, finishing, "completed"),
			w.jobIs(ctx, killed, "available"))
	}},
}

var jobRules = []check{
	{"RescueJobs", "a job is taken from the worker that runs it", func(ctx context.Context, w *fixture) error {
		id := w.job(ctx, stuckAfter/2)
		return first(rescue(ctx, w.Raw), w.jobIs(ctx, id, "running"))
	}},
	{"RescueJobs", "a job that has ended runs again", func(ctx context.Context, w *fixture) error {
		id := w.job(ctx, 2*stuckAfter)
		must(w.owner.Exec(ctx, "UPDATE river_job SET state = 'cancelled', finalized_at = now() WHERE id = $1", id))
		return first(rescue(ctx, w.Raw), w.jobIs(ctx, id, "cancelled"))
	}},
	{"RescueJobs", "a job that kills its workers does so for ever", func(ctx context.Context, w *fixture) error {
		id := w.job(ctx, 2*stuckAfter)
		must(w.owner.Exec(ctx, "UPDATE river_job SET attempt = max_attempts WHERE id = $1", id))
		return first(rescue(ctx, w.Raw), w.jobIs(ctx, id, "discarded"))
	}},
}
