package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"io/fs"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"waybill/cmd/waybill/texts"
	"waybill/cmd/waybill/webhooks"
	"waybill/db"
	"waybill/sql"
)

// Outcome is the outcome of one run of a job, for metrics.
type Outcome string

// The outcomes of a run.
const (
	Done    Outcome = "done"
	Snoozed Outcome = "again"  // snoozed: it runs again later
	Failed  Outcome = "failed" // permanently
)

// Options configure the workers. Workers, Store and Sender must be set.
type Options struct {
	Store   *db.System
	Sender  texts.Sender
	Workers int // number of text workers; a quarter as many dispatch
	Log     *slog.Logger
	// Observe is called for each run, with a reason if there is one.
	Observe  func(kind string, o Outcome, reason string)
	SoftStop time.Duration // how long Stop waits for running jobs; 0 means 15 s
	Clock    *texts.Clock  // nil for the database's
	// Webhooks configures the requests to the endpoints of tenants.
	Webhooks webhooks.Options
	// WebhookPause returns the pause after the n-th try of a delivery, from 1; nil for exponential backoff.
	WebhookPause func(n int) time.Duration
	// WebhookClock tells how long an endpoint that fails is left alone; nil for the wall's.
	WebhookClock *texts.Clock
	// BackfillFiles has the statements of backfills, by default those of this program.
	BackfillFiles fs.FS
}

// Workers is a running set of workers.
type Workers struct {
	Options
	client   *river.Client[pgx.Tx]
	breaker  *texts.Breaker
	pace     *pace // of the backfills
	stopping context.Context
	stop     context.CancelFunc
	database *databaseClock
	now      func() time.Time
	rested   chan struct{} // closed when maintain has returned
	folded   chan struct{} // closed when fold has returned
	hooks    *deliverer
}

// Start starts the workers.
func Start(ctx context.Context, o Options) (*Workers, error) {
	c := &Workers{Options: o, pace: newPace(), rested: make(chan struct{}), folded: make(chan struct{})}
	var err error
	if c.BackfillFiles == nil {
		if c.BackfillFiles, err = fs.Sub(sql.Backfills, "backfills"); err != nil {
			return nil, err
		}
	}
	if c.database, err = newDatabaseClock(ctx, o.Store); err != nil {
		return nil, err
	}
	c.stopping, c.stop = context.WithCancel(context.WithoutCancel(ctx))
	if c.WebhookPause == nil {
		c.WebhookPause = webhookPause
	}
	if c.WebhookClock == nil {
		c.WebhookClock = &texts.WallClock
	}
	if c.Observe == nil {
		c.Observe = func(string, Outcome, string) {}
	}
	config := &river.Config{
		Queues: map[string]river.QueueConfig{
			Texts:      {MaxWorkers: o.Workers},
			Dispatches: {MaxWorkers: max(1, o.Workers/4)},
			Backfills:  {MaxWorkers: 1},
		},
		Workers:         c.workers(),
		Logger:          warnings(o.Log),
		RetryPolicy:     retryPolicy{c},
		SoftStopTimeout: cmp.Or(o.SoftStop, 15*time.Second),
	}
	Tune(config)
	clock := texts.WallClock // the breaker only measures how much time passes
	c.now, config.Test.Time = c.database.Now, c.database
	if o.Clock != nil {
		clock = *o.Clock
		c.now, config.Test.Time = clock.Now, riverClock(clock.Now)
	}
	c.breaker = texts.NewBreaker(clock)
	if c.client, err = river.NewClient(riverpgxv5.New(o.Store.Pool()), config); err != nil {
		return nil, err
	}
	if err := c.client.Start(context.WithoutCancel(ctx)); err != nil {
		return nil, err
	}
	c.hooks = newDeliverer(c, o.Webhooks)
	go c.maintain()
	go c.fold()
	go c.hooks.run()
	return c, nil
}

// maintain rescues the jobs of killed workers, and reads the database's clock, until the workers stop. What fails is
// done the next time.
func (c *Workers) maintain() {
	defer close(c.rested)
	for every := time.NewTicker(rescueInterval); ; {
		if n, err := c.Store.RescueJobs(c.stopping, rescueAfter); n > 0 {
			c.Log.Warn("jobs of killed workers run again", "jobs", n)
		} else if err != nil && c.stopping.Err() == nil {
			c.Log.Warn("cannot rescue jobs", "code", db.CodeOf(db.Explain(err)))
		}
		select {
		case <-c.stopping.Done():
			every.Stop()
			return
		case <-every.C:
			_ = c.database.sync(c.stopping)
		}
	}
}

// Tune configures River's polling, timeouts and retention.
func Tune(c *river.Config) {
	c.PollOnly, c.FetchPollInterval, c.FetchCooldown = true, pollInterval, fetchCooldown
	c.JobTimeout, c.RescueStuckJobsAfter = jobTimeout, never // see RescueJobs
	c.CompletedJobRetentionPeriod = keepCompleted
	c.CancelledJobRetentionPeriod, c.DiscardedJobRetentionPeriod = keepFailed, keepFailed
	// Only the owner may reindex, which the application's role is not.
	c.ReindexerIndexNames = []string{}
}

func (c *Workers) workers() *river.Workers {
	workers := river.NewWorkers()
	river.AddWorker(workers, &textSender{workers: c})
	river.AddWorker(workers, &dispatcher{workers: c})
	river.AddWorker(workers, &backfiller{workers: c})
	return workers
}

// GatewayDown reports whether the gateway's circuit breaker is open.
func (c *Workers) GatewayDown() bool { return c.breaker.Open() }

// Stop shuts the workers down: no new job is started, jobs that wait for the gateway return to their
// queue, and running jobs finish, or are canceled after SoftStop and return too.
func (c *Workers) Stop() error {
	c.stop()
	<-c.rested
	<-c.folded
	<-c.hooks.done
	limited, cancel := context.WithTimeout(context.Background(), cmp.Or(c.SoftStop, 15*time.Second)+10*time.Second)
	defer cancel()
	return c.client.Stop(limited)
}

// done counts the outcome, and returns the worker's result for River.
func (c *Workers) done(kind string, o Outcome, reason string) error {
	c.Observe(kind, o, reason)
	return nil
}

// snooze snoozes the job with a growing backoff of at least atLeast. Snoozing uses up no attempt: a
// gateway may be down for any length of time.
func (c *Workers) snooze(job *rivertype.JobRow, reason string, atLeast time.Duration) error {
	c.Observe(job.Kind, Snoozed, reason)
	if c.stopping.Err() != nil {
		return river.JobSnooze(0) // another worker may take it at once
	}
	var before struct{ Snoozes int }
	if err := json.Unmarshal(job.Metadata, &before); err != nil {
		before.Snoozes = 0 // a private field of River: no reason to fail
	}
	return river.JobSnooze(max(backoff(before.Snoozes), jitter(atLeast)))
}

// untilStop returns a context that also ends when the workers stop.
func (c *Workers) untilStop(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	unhook := context.AfterFunc(c.stopping, cancel)
	return ctx, func() {
		unhook()
		cancel()
	}
}

// retryPolicy applies to jobs that panicked.
type retryPolicy struct{ *Workers }

// NextRetry implements river.ClientRetryPolicy.
func (p retryPolicy) NextRetry(job *rivertype.JobRow) time.Time {
	return p.now().Add(backoff(job.Attempt - 1))
}

// riverClock is a clock for River.
type riverClock func() time.Time

// Now implements rivertype.TimeGenerator.
func (t riverClock) Now() time.Time { return t() }

// NowOrNil implements rivertype.TimeGenerator.
func (t riverClock) NowOrNil() *time.Time {
	now := t()
	return &now
}

// warnings returns a logger for River that drops records below warnings.
func warnings(log *slog.Logger) *slog.Logger { return slog.New(atLeastWarn{log.Handler()}) }

type atLeastWarn struct{ slog.Handler }

func (h atLeastWarn) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && h.Handler.Enabled(ctx, l)
}

func (h atLeastWarn) WithAttrs(attrs []slog.Attr) slog.Handler {
	return atLeastWarn{h.Handler.WithAttrs(attrs)}
}

func (h atLeastWarn) WithGroup(name string) slog.Handler {
	return atLeastWarn{h.Handler.WithGroup(name)}
}
