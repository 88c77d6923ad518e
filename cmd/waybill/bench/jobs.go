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

// patient is how long a statement of a benchmark may wait.
const patient = 30 * time.Second

// jobsBench is the benchmark jobs: how fast jobs are enqueued, by the statement of the
// transition that owes them and by River's own client in a transaction; how fast they
// are worked; and how soon. On two cores, PostgreSQL 15, fsync on, a second:
//
//	 6,505  a submit with its charge, event, text and job: one statement, 32 callers
//	 1,216  the same submit, and another job by River's client, in a transaction
//	 5,638  a job alone by River's client, in a transaction
//	 7,236  sets of 200 submits: one statement
//	 6,237  the same sets, and as many jobs by River's client, in a transaction
//	85,558  sets of 200 jobs alone by River's client, in a transaction
//	18,479  jobs that do nothing, worked as Waybill sets River
//	 4,879  the same, as River is by itself
//	 5,641  texts sent to a gateway that accepts at once
//
// A submit writes seven rows and takes some 140 µs of a processor in the database: a
// burst of 10,000 a second takes more than these two. With nothing else to do, a text
// starts 54 ms after the commit, p50, and 108 ms, p99: it is found by polling.
type jobsBench struct {
	duration time.Duration
	callers  int
	set      int
	backlog  int
	workers  int
	starts   int
	before   int

	*depot
	plain *pgxpool.Pool // as the owner, without our settings: for River as it is by itself
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
		return errors.New("all of the flags must be positive")
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
	flags.DurationVar(&b.duration, "duration", 5*time.Second, "how long each way to enqueue is measured, twice")
	flags.IntVar(&b.callers, "callers", 32, "how many enqueue at once")
	flags.IntVar(&b.set, "set", 200, "how many jobs are enqueued by one statement of a set")
	flags.IntVar(&b.backlog, "backlog", 50_000, "how many jobs are worked")
	flags.IntVar(&b.workers, "workers", 500, "how many jobs run at once")
	flags.IntVar(&b.starts, "starts", 100, "how many jobs' way from commit to start is measured")
	flags.IntVar(&b.before, "warm", warmBy, "how many pickups are submitted before")
}

func (b *jobsBench) prepare(ctx context.Context, env *Env) error {
	owner, app, err := env.Database(ctx)
	if err != nil {
		return err
	}
	tenant, err := env.Tenant(ctx, owner)
	if err != nil {
		return err
	}
	if b.depot, err = env.depot(ctx, tenant, app, int32(b.callers)+4); err != nil {
		return err
	}
	if err := b.nobodysJobs(ctx); err != nil {
		return err
	}
	if err := b.warm(ctx, owner, b.before); err != nil {
		return err
	}
	if b.plain, err = pgxpool.New(ctx, owner); err != nil {
		return err
	}
	env.stops = append(env.stops, func() error { b.plain.Close(); return nil })
	b.river, err = river.NewClient(riverpgxv5.New(b.Pool()), &river.Config{Logger: quiet})
	return err
}

// quiet: only what is wrong is said.
var quiet = slog.New(wrong{slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})})

// wrong leaves out what is not: River's client, when it stops on a busy machine, may end
// its connection before it has said on it that it listens no more.
type wrong struct{ slog.Handler }

func (w wrong) Handle(ctx context.Context, r slog.Record) error {
	if strings.HasSuffix(r.Message, "Error unlistening on topic") {
		return nil
	}
	return w.Handler.Handle(ctx, r)
}

// idle is a job that does nothing.
type idle struct {
	TenantID uuid.UUID `json:"tenant_id"`
	ID       uuid.UUID `json:"message_id"`
}

// Kind implements river.JobArgs.
func (idle) Kind() string { return "idle" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (idle) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: "idle"} }

// enqueuing is one way, and how many jobs it takes at a time.
type enqueuing struct {
	how  string
	size int
	once func(ctx context.Context, pickups []uuid.UUID) error // nil pickups where it needs none
	uses bool                                                 // pickups
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
		{"a submit with its charge, event, text and job: one statement", 1,
			func(ctx context.Context, ids []uuid.UUID) error { return b.submit(ctx, ids[0]) }, true},
		{"the same submit, and another job by River's client, in a transaction", 1,
			func(ctx context.Context, ids []uuid.UUID) error {
				return both(ctx, ids, func(tx pgx.Tx) error { return one(ctx, tx) })
			}, true},
		{"a job alone by River's client, in a transaction", 1, alone(one), false},
		{"a set of submits: one statement", b.set,
			func(ctx context.Context, ids []uuid.UUID) error { return b.submitAll(ctx, b.statements, ids) }, true},
		{"the same set, and as many jobs by River's client, in a transaction", b.set,
			func(ctx context.Context, ids []uuid.UUID) error {
				return both(ctx, ids, func(tx pgx.Tx) error { return many(ctx, tx) })
			}, true},
		{"a set of jobs alone by River's client, in a transaction", b.set, alone(many), false},
	}
}

// enqueue measures each way twice, in turn: what else the machine does weighs on all.
func (b *jobsBench) enqueue(ctx context.Context, env *Env, r *jobsResult) error {
	ways := b.ways()
	best := make([]float64, len(ways))
	for range 2 {
		for i, w := range ways {
			rate, err := b.rate(ctx, w)
			if err != nil {
				return fmt.Errorf("%s: %w", w.how, err)
			}
			env.Say("  %9.0f/s  %s", rate, w.how)
			best[i] = max(best[i], rate)
		}
	}
	for i, w := range ways {
		r.Enqueued = append(r.Enqueued, jobsRate{w.how, best[i]})
	}
	return nil
}

// rate has the callers enqueue until the time is over, or the pickups are, which were
// made before.
func (b *jobsBench) rate(ctx context.Context, w enqueuing) (float64, error) {
	var stock []uuid.UUID
	if w.uses {
		perSecond := 6_000 // more than are submitted one by one
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

// work measures how fast a backlog goes: of jobs that do nothing, as River is set here
// and as it is by itself, and of texts, to a gateway that accepts at once.
func (b *jobsBench) work(ctx context.Context, env *Env, r *jobsResult) error {
	for _, w := range []struct {
		how  string
		pool *pgxpool.Pool
		tune func(*river.Config)
	}{
		{"jobs that do nothing, as Waybill sets River", b.Pool(), jobs.Tune},
		{"jobs that do nothing, as River is by itself", b.plain, func(*river.Config) {}},
	} {
		if err := b.fill(ctx); err != nil {
			return err
		}
		rate, err := b.drainIdle(ctx, w.pool, w.tune)
		if err != nil {
			return err
		}
		env.Say("  %9.0f/s  %s", rate, w.how)
		r.Worked = append(r.Worked, jobsRate{w.how, rate})
	}
	const how = "texts, read, sent to a gateway that accepts at once, and settled"
	waiting, err := b.waiting(ctx, jobs.Texts)
	if err != nil {
		return err
	}
	sent := new(counting)
	start := time.Now()
	crew, err := jobs.Start(ctx, jobs.Options{Store: b.System, Sender: sent, Workers: b.workers, Log: quiet})
	if err != nil {
		return err
	}
	for int64(waiting) > sent.n.Load() && (sent.n.Load() == 0 || time.Since(start) < 3*b.duration) && ctx.Err() == nil {
		time.Sleep(5 * time.Millisecond)
	}
	rate := float64(sent.n.Load()) / time.Since(start).Seconds()
	env.Say("  %9.0f/s  %s", rate, how)
	r.Worked = append(r.Worked, jobsRate{how, rate})
	return errors.Join(crew.Stop(), b.empty(ctx))
}

// counting is a gateway that accepts at once.
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

// drainIdle works all that is in the queue of jobs that do nothing.
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
		Workers: workers, Logger: quiet}
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

// empty takes away what is left, so that what is measured next is idle.
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

// start measures the time from a submit's answer to its text's being sent, where there
// is nothing else to do; and of River's client by itself, which listens for a NOTIFY.
func (b *jobsBench) start(ctx context.Context, env *Env, r *jobsResult) error {
	started := make(chan time.Time, 1)
	crew, err := jobs.Start(ctx, jobs.Options{
		Store: b.System, Workers: b.workers, Log: quiet,
		Sender: &counting{heard: func(texts.Text) { started <- time.Now() }},
	})
	if err != nil {
		return err
	}
	stock, err := b.drafts(ctx, b.starts)
	if err == nil {
		err = b.startEach(ctx, r, "a submit's text, found by polling", started,
			func(i int) error { return b.submit(ctx, stock[i]) })
	}
	if err := errors.Join(err, crew.Stop()); err != nil {
		return err
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, river.WorkFunc(func(context.Context, *river.Job[idle]) error {
		started <- time.Now()
		return nil
	}))
	client, err := river.NewClient(riverpgxv5.New(b.plain), &river.Config{
		Queues: map[string]river.QueueConfig{"idle": {MaxWorkers: b.workers}}, Workers: workers, Logger: quiet,
	})
	if err != nil {
		return err
	}
	if err := client.Start(ctx); err != nil {
		return err
	}
	err = b.startEach(ctx, r, "a job by River's client, told by NOTIFY", started, func(int) error {
		_, err := client.Insert(ctx, idle{b.by.TenantID, uuid.New()}, nil)
		return err
	})
	for _, s := range r.Starts {
		env.Say("  p50 %.1f ms  p99 %.1f ms  %s", s.P50, s.P99, s.How)
	}
	return errors.Join(err, client.Stop(context.WithoutCancel(ctx)))
}

func (b *jobsBench) startEach(
	ctx context.Context, r *jobsResult, how string, started <-chan time.Time, enqueue func(i int) error,
) error {
	var took Latencies
	for i := range b.starts {
		// At any moment of the poll's interval, and with the workers idle.
		time.Sleep(time.Duration(30+i*37%100) * time.Millisecond)
		if err := enqueue(i); err != nil {
			return err
		}
		committed := time.Now()
		select {
		case at := <-started:
			took.Record(max(0, at.Sub(committed)))
		case <-time.After(patient):
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
	fmt.Fprintf(&text, "\nenqueued a second, by %d callers; a set is %d (the better of two)\n", r.Callers, r.Set)
	for _, e := range r.Enqueued {
		fmt.Fprintf(&text, "  %9.0f  %s\n", e.PerSecond, e.How)
	}
	fmt.Fprintf(&text, "worked a second, %d at once\n", r.Workers)
	for _, w := range r.Worked {
		fmt.Fprintf(&text, "  %9.0f  %s\n", w.PerSecond, w.How)
	}
	fmt.Fprintf(&text, "from commit to start, with nothing else to do\n")
	for _, s := range r.Starts {
		fmt.Fprintf(&text, "  p50 %6.1f ms  p99 %6.1f ms  %s\n", s.P50, s.P99, s.How)
	}
	return strings.TrimRight(text.String(), "\n")
}
