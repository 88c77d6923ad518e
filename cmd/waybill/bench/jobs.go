package bench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"waybill/cmd/waybill/jobs"
	"waybill/cmd/waybill/texts"
	"waybill/db"
)

// statementTimeout is the statement timeout of the benchmarks.
const statementTimeout = 30 * time.Second

// jobsBench is the benchmark jobs: the rate of enqueueing jobs (by the statement of the transition, and
// by River's client in a transaction), the rate of working them, and the delay until they start.
// Results on two cores, PostgreSQL 15, fsync on, per second:
//
//	 6,505  submits with charge, event, text and job: one statement, 32 callers
//	 1,216  the same submits, with another job by River's client, in a transaction
//	 5,638  jobs by River's client alone, in a transaction
//	 7,236  submits in sets of 200: one statement
//	 6,237  the same sets, with as many jobs by River's client, in a transaction
//	85,558  jobs by River's client alone in sets of 200, in a transaction
//	18,479  no-op jobs, worked with Waybill's settings of River
//	 4,879  the same with River's defaults
//	 5,641  texts sent to a gateway that accepts at once
//
// A submit writes seven rows and takes about 140 µs of CPU time in the database: a burst of 10,000 a
// second needs more than two cores. On an idle system a text starts 54 ms (p50) and 108 ms (p99) after
// the commit, since jobs are found by polling.
type jobsBench struct {
	duration time.Duration
	callers  int
	set      int
	backlog  int
	workers  int
	starts   int
	before   int

	*jobsFixture
	plain *pgxpool.Pool // as the owner without our settings, for River's defaults
	river *river.Client[pgx.Tx]
}

type jobsResult struct {
	Benchmark string        `json:"benchmark"`
	Callers   int           `json:"callers"`
	Set       int           `json:"set"`
	Workers   int           `json:"workers"`
	Enqueued  []jobsRate    `json:"enqueued_per_second"`
	Worked    []jobsRate    `json:"worked_per_second"`
	Starts    []jobsLatency `json:"commit_to_start"`
	Machine   Machine       `json:"machine"`
}

type jobsRate struct {
	How       string  `json:"how"`
	PerSecond float64 `json:"per_second"`
}

type jobsLatency struct {
	How string `json:"how"`
	Summary
}

func benchJobs(ctx context.Context, env *Env, args []string) error {
	var b jobsBench
	b.register(env.Flags)
	if err := env.Parse(args); err != nil {
		return err
	}
	if b.duration <= 0 || b.callers < 1 || b.set < 1 || b.backlog < 1 || b.workers < 1 || b.starts < 1 || b.before < 1 {
		return errors.New("all flags must be positive")
	}
	if err := b.prepare(ctx, env); err != nil {
		return err
	}
	r := jobsResult{Benchmark: "jobs", Callers: b.callers, Set: b.set, Workers: b.workers, Machine: ThisMachine()}
	for _, part := range []func(context.Context, *Env, *jobsResult) error{b.enqueue, b.work, b.start} {
		if err := part(ctx, env, &r); err != nil {
			return err
		}
	}
	return env.Report(r, r.String())
}

func (b *jobsBench) register(flags *flag.FlagSet) {
	flags.DurationVar(&b.duration, "duration", 5*time.Second,
		"duration of each of the two measurements of a way to enqueue")
	flags.IntVar(&b.callers, "callers", 32, "number of concurrent callers that enqueue")
	flags.IntVar(&b.set, "set", 200, "jobs per set")
	flags.IntVar(&b.backlog, "backlog", 50_000, "number of jobs to work off")
	flags.IntVar(&b.workers, "workers", 500, "number of concurrent jobs")
	flags.IntVar(&b.starts, "starts", 100, "number of jobs whose delay from commit to start is measured")
	flags.IntVar(&b.before, "warm", warmBy, "pickups submitted before the measurement")
}

func (b *jobsBench) prepare(ctx context.Context, env *Env) error {
	owner, app, err := env.Database(ctx)
	if err != nil {
		return err
	}
	if b.jobsFixture, err = env.jobsFixture(ctx, owner, app, int32(b.callers)+4); err != nil {
		return err
	}
	if err := b.requireEmptyQueue(ctx); err != nil {
		return err
	}
	if err := b.warm(ctx, owner, b.before); err != nil {
		return err
	}
	if b.plain, err = pgxpool.New(ctx, owner); err != nil {
		return err
	}
	env.stops = append(env.stops, func() error { b.plain.Close(); return nil })
	b.river, err = river.NewClient(riverpgxv5.New(b.Pool()), &river.Config{Logger: errorLog})
	return err
}

// errorLog logs only errors.
var errorLog = slog.New(dropFalseAlarms{slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})})

// dropFalseAlarms filters out a false alarm: on a busy machine, River's client may close its connection before it
// has sent UNLISTEN on it.
type dropFalseAlarms struct{ slog.Handler }

func (w dropFalseAlarms) Handle(ctx context.Context, r slog.Record) error {
	if strings.HasSuffix(r.Message, "Error unlistening on topic") {
		return nil
	}
	return w.Handler.Handle(ctx, r)
}

// idle is a no-op job.
type idle struct {
	TenantID uuid.UUID `json:"tenant_id"`
	ID       uuid.UUID `json:"message_id"`
}

// Kind implements river.JobArgs.
func (idle) Kind() string { return "idle" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (idle) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: "idle"} }

// enqueuing is one way to enqueue jobs, in sets of a given size.
type enqueuing struct {
	how  string
	size int
	once func(ctx context.Context, pickups []uuid.UUID) error // pickups is nil where none are needed
	uses bool                                                 // whether it needs pickups
}

func (b *jobsBench) ways() []enqueuing {
	both := func(ctx context.Context, ids []uuid.UUID, insert func(pgx.Tx) error) error {
		return pgx.BeginFunc(ctx, b.Pool(), func(tx pgx.Tx) error {
			if err := b.submitAll(ctx, db.New(tx), ids); err != nil {
				return err
			}
			return insert(tx)
		})
	}
	one := func(ctx context.Context, tx pgx.Tx) error {
		_, err := b.river.InsertTx(ctx, tx, idle{b.by.TenantID, uuid.New()}, nil)
		return err
	}
	many := func(ctx context.Context, tx pgx.Tx) error {
		params := make([]river.InsertManyParams, b.set)
		for i := range params {
			params[i].Args = idle{b.by.TenantID, uuid.New()}
		}
		_, err := b.river.InsertManyFastTx(ctx, tx, params)
		return err
	}
	alone := func(insert func(context.Context, pgx.Tx) error) func(context.Context, []uuid.UUID) error {
		return func(ctx context.Context, _ []uuid.UUID) error {
			return pgx.BeginFunc(ctx, b.Pool(), func(tx pgx.Tx) error { return insert(ctx, tx) })
		}
	}
	return []enqueuing{
		{"submit with charge, event, text and job: one statement", 1,
			func(ctx context.Context, ids []uuid.UUID) error { return b.submit(ctx, ids[0]) }, true},
		{"the same submit, with another job by River's client, in a transaction", 1,
			func(ctx context.Context, ids []uuid.UUID) error {
				return both(ctx, ids, func(tx pgx.Tx) error { return one(ctx, tx) })
			}, true},
		{"a job by River's client alone, in a transaction", 1, alone(one), false},
		{"a set of submits: one statement", b.set,
			func(ctx context.Context, ids []uuid.UUID) error { return b.submitAll(ctx, b.raw, ids) }, true},
		{"the same set, with as many jobs by River's client, in a transaction", b.set,
			func(ctx context.Context, ids []uuid.UUID) error {
				return both(ctx, ids, func(tx pgx.Tx) error { return many(ctx, tx) })
			}, true},
		{"a set of jobs by River's client alone, in a transaction", b.set, alone(many), false},
	}
}

// enqueue measures each way twice in turn, so that background load affects all of them.
func (b *jobsBench) enqueue(ctx context.Context, env *Env, r *jobsResult) error {
	ways := b.ways()
	best := make([]float64, len(ways))
	for range 2 {
		for i, w := range ways {
			rate, err := b.rate(ctx, w)
			if err != nil {
				return fmt.Errorf("%s: %w", w.how, err)
			}
			env.Progress("  %9.0f/s  %s", rate, w.how)
			best[i] = max(best[i], rate)
		}
	}
	for i, w := range ways {
		r.Enqueued = append(r.Enqueued, jobsRate{w.how, best[i]})
	}
	return nil
}

// rate enqueues from all callers until the time is over, or the prepared pickups are used up.
func (b *jobsBench) rate(ctx context.Context, w enqueuing) (float64, error) {
	var stock []uuid.UUID
	if w.uses {
		perSecond := 6_000 // more than can be submitted one by one
		if w.size > 1 {
			perSecond = 30_000
		}
		var err error
		if stock, err = b.drafts(ctx, int(float64(perSecond)*b.duration.Seconds())); err != nil {
			return 0, err
		}
	}
	var next, done atomic.Int64
	var failed atomic.Pointer[error]
	var callers sync.WaitGroup
	start := time.Now()
	for range b.callers {
		callers.Go(func() {
			for time.Since(start) < b.duration && failed.Load() == nil {
				var ids []uuid.UUID
				if w.uses {
					to := int(next.Add(int64(w.size)))
					if to > len(stock) {
						return
					}
					ids = stock[to-w.size : to]
				}
				if err := w.once(ctx, ids); err != nil {
					failed.Store(&err)
					return
				}
				done.Add(int64(w.size))
			}
		})
	}
	callers.Wait()
	took := time.Since(start)
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return float64(done.Load()) / took.Seconds(), nil
}

// work measures how fast a backlog is worked off: no-op jobs, with Waybill's settings of River and with
// its defaults, and texts to a gateway that accepts at once.
func (b *jobsBench) work(ctx context.Context, env *Env, r *jobsResult) error {
	for _, w := range []struct {
		how  string
		pool *pgxpool.Pool
		tune func(*river.Config)
	}{
		{"no-op jobs, with Waybill's settings of River", b.Pool(), jobs.Tune},
		{"no-op jobs, with River's defaults", b.plain, func(*river.Config) {}},
	} {
		if err := b.fill(ctx); err != nil {
			return err
		}
		rate, err := b.drainIdle(ctx, w.pool, w.tune)
		if err != nil {
			return err
		}
		env.Progress("  %9.0f/s  %s", rate, w.how)
		r.Worked = append(r.Worked, jobsRate{w.how, rate})
	}
	const how = "texts: read, sent to a gateway that accepts at once, and settled"
	waiting, err := b.waiting(ctx, jobs.Texts)
	if err != nil {
		return err
	}
	sent := new(counting)
	start := time.Now()
	workers, err := jobs.Start(ctx, jobs.Options{Store: b.System, Sender: sent, Workers: b.workers, Log: errorLog})
	if err != nil {
		return err
	}
	for int64(waiting) > sent.n.Load() && (sent.n.Load() == 0 || time.Since(start) < 3*b.duration) && ctx.Err() == nil {
		time.Sleep(5 * time.Millisecond)
	}
	rate := float64(sent.n.Load()) / time.Since(start).Seconds()
	env.Progress("  %9.0f/s  %s", rate, how)
	r.Worked = append(r.Worked, jobsRate{how, rate})
	return errors.Join(workers.Stop(), b.empty(ctx))
}

// counting is a gateway that accepts every text.
type counting struct {
	n     atomic.Int64
	heard func(texts.Text)
}

// Send implements texts.Sender.
func (c *counting) Send(_ context.Context, t texts.Text) texts.Answer {
	c.n.Add(1)
	if c.heard != nil {
		c.heard(t)
	}
	return texts.Answer{Verdict: texts.Accepted}
}

func (b *jobsBench) fill(ctx context.Context) error {
	all := make([]river.InsertManyParams, b.backlog)
	for i := range all {
		all[i].Args = idle{b.by.TenantID, uuid.New()}
	}
	for some := range slices.Chunk(all, 1000) {
		if _, err := b.river.InsertManyFast(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

// drainIdle works off the queue of no-op jobs.
func (b *jobsBench) drainIdle(ctx context.Context, pool *pgxpool.Pool, tune func(*river.Config)) (float64, error) {
	waiting, err := b.waiting(ctx, "idle")
	if err != nil {
		return 0, err
	}
	var done atomic.Int64
	workers := river.NewWorkers()
	river.AddWorker(workers, river.WorkFunc(func(context.Context, *river.Job[idle]) error {
		done.Add(1)
		return nil
	}))
	config := &river.Config{Queues: map[string]river.QueueConfig{"idle": {MaxWorkers: b.workers}},
		Workers: workers, Logger: errorLog}
	tune(config)
	client, err := river.NewClient(riverpgxv5.New(pool), config)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	if err := client.Start(ctx); err != nil {
		return 0, err
	}
	for done.Load() < int64(waiting) && ctx.Err() == nil {
		time.Sleep(5 * time.Millisecond)
	}
	rate := float64(done.Load()) / time.Since(start).Seconds()
	return rate, errors.Join(ctx.Err(), client.Stop(context.WithoutCancel(ctx)))
}

// empty deletes all jobs, so that the next measurement starts on an idle system.
func (b *jobsBench) empty(ctx context.Context) error {
	_, err := b.river.JobDeleteMany(ctx, river.NewJobDeleteManyParams().First(10_000).Queues(jobs.Texts))
	for err == nil {
		var n int
		if n, err = b.waiting(ctx, jobs.Texts); n == 0 {
			break
		}
		_, err = b.river.JobDeleteMany(ctx, river.NewJobDeleteManyParams().First(10_000).Queues(jobs.Texts))
	}
	return err
}

// start measures the delay from a submit's answer to the sending of its text on an idle system; and the
// same for River's client with LISTEN/NOTIFY.
func (b *jobsBench) start(ctx context.Context, env *Env, r *jobsResult) error {
	started := make(chan time.Time, 1)
	workers, err := jobs.Start(ctx, jobs.Options{
		Store: b.System, Workers: b.workers, Log: errorLog,
		Sender: &counting{heard: func(texts.Text) { started <- time.Now() }},
	})
	if err != nil {
		return err
	}
	stock, err := b.drafts(ctx, b.starts)
	if err == nil {
		err = b.startEach(ctx, r, "text of a submit, found by polling", started,
			func(i int) error { return b.submit(ctx, stock[i]) })
	}
	if err := errors.Join(err, workers.Stop()); err != nil {
		return err
	}
	riverWorkers := river.NewWorkers()
	river.AddWorker(riverWorkers, river.WorkFunc(func(context.Context, *river.Job[idle]) error {
		started <- time.Now()
		return nil
	}))
	client, err := river.NewClient(riverpgxv5.New(b.plain), &river.Config{
		Queues: map[string]river.QueueConfig{"idle": {MaxWorkers: b.workers}}, Workers: riverWorkers, Logger: errorLog,
	})
	if err != nil {
		return err
	}
	if err := client.Start(ctx); err != nil {
		return err
	}
	err = b.startEach(ctx, r, "job by River's client, with NOTIFY", started, func(int) error {
		_, err := client.Insert(ctx, idle{b.by.TenantID, uuid.New()}, nil)
		return err
	})
	for _, s := range r.Starts {
		env.Progress("  p50 %.1f ms  p99 %.1f ms  %s", s.P50, s.P99, s.How)
	}
	return errors.Join(err, client.Stop(context.WithoutCancel(ctx)))
}

func (b *jobsBench) startEach(
	ctx context.Context, r *jobsResult, how string, started <-chan time.Time, enqueue func(i int) error,
) error {
	var took Latencies
	for i := range b.starts {
		// At varying moments of the poll interval, with idle workers.
		time.Sleep(time.Duration(30+i*37%100) * time.Millisecond)
		if err := enqueue(i); err != nil {
			return err
		}
		committed := time.Now()
		select {
		case at := <-started:
			took.Record(max(0, at.Sub(committed)))
		case <-time.After(statementTimeout):
			return errors.New("a job did not start")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	r.Starts = append(r.Starts, jobsLatency{how, took.Summary()})
	return nil
}

func (r jobsResult) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "\nenqueued per second by %d callers, in sets of %d (the better of two)\n", r.Callers, r.Set)
	for _, e := range r.Enqueued {
		fmt.Fprintf(&text, "  %9.0f  %s\n", e.PerSecond, e.How)
	}
	fmt.Fprintf(&text, "worked per second, %d concurrently\n", r.Workers)
	for _, w := range r.Worked {
		fmt.Fprintf(&text, "  %9.0f  %s\n", w.PerSecond, w.How)
	}
	fmt.Fprintf(&text, "delay from commit to start on an idle system\n")
	for _, s := range r.Starts {
		fmt.Fprintf(&text, "  p50 %6.1f ms  p99 %6.1f ms  %s\n", s.P50, s.P99, s.How)
	}
	return strings.TrimRight(text.String(), "\n")
}
