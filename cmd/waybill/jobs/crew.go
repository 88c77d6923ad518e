package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"waybill/cmd/waybill/texts"
	"waybill/db"
)

// Outcome is what came of one run of a job, for those who count.
type Outcome string

// What can come of a run.
const (
	Done   Outcome = "done"
	Again  Outcome = "again"  // not now: it runs again later
	Failed Outcome = "failed" // for good
)

// Options say who works and how. Workers and Store must be set, and Sender.
type Options struct {
	Store   *db.System
	Sender  texts.Sender
	Workers int // that send texts at once; a quarter as many dispatch
	Log     *slog.Logger
	// Observe is told of each run, with a reason where there is one.
	Observe  func(kind string, o Outcome, reason string)
	SoftStop time.Duration // how long a stop waits for running jobs; 0: 15 s
	Clock    *texts.Clock  // nil: the usual one
}

// Crew is at work until it is stopped.
type Crew struct {
	Options
	client   *river.Client[pgx.Tx]
	breaker  *texts.Breaker
	stopping context.Context
	stop     context.CancelFunc
}

// Start puts a crew to work.
func Start(ctx context.Context, o Options) (*Crew, error) {
	c := &Crew{Options: o}
	c.stopping, c.stop = context.WithCancel(context.WithoutCancel(ctx))
	if c.Observe == nil {
		c.Observe = func(string, Outcome, string) {}
	}
	config := &river.Config{
		Queues: map[string]river.QueueConfig{
			Texts:      {MaxWorkers: o.Workers},
			Dispatches: {MaxWorkers: max(1, o.Workers/4)},
		},
		Workers:         c.workers(),
		Logger:          warnings(o.Log),
		RetryPolicy:     retryPolicy{},
		SoftStopTimeout: cmp.Or(o.SoftStop, 15*time.Second),
	}
	Tune(config)
	clock := texts.WallClock
	if o.Clock != nil {
		clock = *o.Clock
		config.Test.Time = anotherTime(clock.Now)
	}
	c.breaker = texts.NewBreaker(clock)
	var err error
	if c.client, err = river.NewClient(riverpgxv5.New(o.Store.Pool()), config); err != nil {
		return nil, err
	}
	return c, c.client.Start(context.WithoutCancel(ctx))
}

// Tune sets how River looks for jobs, how long they may take and how long they are kept.
func Tune(c *river.Config) {
	c.PollOnly, c.FetchPollInterval, c.FetchCooldown = true, pollInterval, fetchCooldown
	c.JobTimeout, c.RescueStuckJobsAfter = jobTimeout, rescueAfter
	c.CompletedJobRetentionPeriod = keepCompleted
	c.CancelledJobRetentionPeriod, c.DiscardedJobRetentionPeriod = keepFailed, keepFailed
	// To reindex is the owner's, which the application's role is not.
	c.ReindexerIndexNames = []string{}
}

func (c *Crew) workers() *river.Workers {
	workers := river.NewWorkers()
	river.AddWorker(workers, &textSender{crew: c})
	river.AddWorker(workers, &dispatcher{crew: c})
	return workers
}

// GatewayDown tells whether the gateway is thought to be down.
func (c *Crew) GatewayDown() bool { return c.breaker.Open() }

// Stop ends the work: no job is begun, those that wait for a gateway go back to their
// queue, those that are running end, or are cut off after SoftStop and go back too.
func (c *Crew) Stop() error {
	c.stop()
	limited, cancel := context.WithTimeout(context.Background(), cmp.Or(c.SoftStop, 15*time.Second)+10*time.Second)
	defer cancel()
	return c.client.Stop(limited)
}

// done counts, and is what a worker says to River.
func (c *Crew) done(kind string, o Outcome, reason string) error {
	c.Observe(kind, o, reason)
	return nil
}

// again puts the job back, for a while that grows with each time. It costs none of its
// attempts: a gateway may be down for as long as it likes. It does not run again before
// atLeast has passed.
func (c *Crew) again(job *rivertype.JobRow, reason string, atLeast time.Duration) error {
	c.Observe(job.Kind, Again, reason)
	if c.stopping.Err() != nil {
		return river.JobSnooze(0) // somebody else may have it at once
	}
	var before struct{ Snoozes int }
	if err := json.Unmarshal(job.Metadata, &before); err != nil {
		before.Snoozes = 0 // it is River's own, and no reason to stop
	}
	return river.JobSnooze(max(pauseAfter(before.Snoozes), spread(atLeast)))
}

// untilStop ends also when the crew stops.
func (c *Crew) untilStop(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	unhook := context.AfterFunc(c.stopping, cancel)
	return ctx, func() {
		unhook()
		cancel()
	}
}

// retryPolicy is for jobs that panicked, or whose worker was killed.
type retryPolicy struct{}

// NextRetry implements river.ClientRetryPolicy.
func (retryPolicy) NextRetry(job *rivertype.JobRow) time.Time {
	return time.Now().Add(pauseAfter(job.Attempt - 1))
}

// anotherTime tells it to River.
type anotherTime func() time.Time

// Now implements rivertype.TimeGenerator.
func (t anotherTime) Now() time.Time { return t() }

// NowOrNil implements rivertype.TimeGenerator.
func (t anotherTime) NowOrNil() *time.Time {
	now := t()
	return &now
}

// warnings is the log for River: what it has to say below that is its own affair.
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
