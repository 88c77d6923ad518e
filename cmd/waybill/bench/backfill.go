package bench

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"waybill/cmd/waybill/jobs"
	"waybill/db"
	"waybill/db/seed"
)

//go:embed backfill/*.sql
var backfillFiles embed.FS

const backfillName = "bench_adds_one"

// backfillBench is the benchmark backfill: requests at a steady rate, alone and beside a backfill, whose worker is
// a process of its own that is killed again and again. In the end each row must have been done once.
//
// On two quiet cores, PostgreSQL 15, fsync on: 10,000,000 rows in 3,839 s, half of which it was stopped to be compared
// with, with 10 kills, each row once and no failed request; p99 4.71 ms alone and 5.59 ms beside it, 1.19 times as much
// (1.15 in the median of 384 rounds). With batches of 20 ms it took 1,538 s; but p99 was 1.55 times as much (1.51 in
// the median of 154 rounds), as the commit of a charge also flushed what a batch had written.
type backfillBench struct {
	rows   int64
	rate   float64
	window time.Duration
	kills  int
	check  bool // that requests are not slower than they may be
	worker bool // this is the worker's process

	owner *pgx.Conn
	app   string
	store *db.System
	api   *fixture
	sent  atomic.Int64

	charges ids
}

// backfillResult is the printed result.
type backfillResult struct {
	Benchmark string   `json:"benchmark"`
	Rows      int64    `json:"rows"`
	Once      int64    `json:"rows_done_once"`
	Recorded  int64    `json:"rows_recorded"`
	Batches   int64    `json:"batches"`
	Kills     int      `json:"kills"`
	Rate      float64  `json:"requests_per_second"`
	Alone     Summary  `json:"alone"`
	Beside    Summary  `json:"beside"`
	P99Ratio  float64  `json:"p99_ratio"`         // the median of the rounds
	Overall   float64  `json:"p99_ratio_overall"` // of all requests, with what else the machine did meanwhile
	Failed    int      `json:"failed_requests"`
	Failure   string   `json:"first_failure,omitempty"`
	Seconds   float64  `json:"seconds"` // of the backfill
	Held      []string `json:"held"`    // why it waited, as far as it was seen

	Rounds  []backfillRound `json:"rounds"`
	Machine Machine         `json:"machine"`
}

// backfillRound is one round: neighboring measurements, so that a burst of other load does not count.
type backfillRound struct {
	Alone  float64 `json:"alone_p99_ms"`
	Beside float64 `json:"beside_p99_ms"`
}

// medianRatio returns the median of the rounds' ratios, 0 without a round.
func (r *backfillResult) medianRatio() float64 {
	var ratios []float64
	for _, round := range r.Rounds {
		if round.Alone > 0 {
			ratios = append(ratios, round.Beside/round.Alone)
		}
	}
	if len(ratios) == 0 {
		return 0
	}
	slices.Sort(ratios)
	return ratios[len(ratios)/2]
}

func (r *backfillResult) String() string {
	return fmt.Sprintf("%d of %d rows done once, in %.0f s, with %d kills\n"+
		"p99 of requests: %.2f ms alone, %.2f ms beside the backfill (%.2f times as much, and %.2f in the "+
		"median of %d rounds), %d failed %s\n"+
		"held: %q", r.Once, r.Rows, r.Seconds, r.Kills, r.Alone.P99, r.Beside.P99, r.Overall, r.P99Ratio,
		len(r.Rounds), r.Failed, r.Failure, r.Held)
}

func benchBackfill(ctx context.Context, env *Env, args []string) error {
	var b backfillBench
	env.Flags.Int64Var(&b.rows, "rows", 1_000_000, "rows to fill in")
	env.Flags.Float64Var(&b.rate, "rate", 100, "requests per second: reads of pickups, and every fourth a charge")
	env.Flags.DurationVar(&b.window, "window", 5*time.Second,
		"duration of each measurement: in turn while the backfill is stopped, and while it runs")
	env.Flags.IntVar(&b.kills, "kills", 10, "how often the worker is killed")
	env.Flags.BoolVar(&b.check, "check", false, fmt.Sprintf("fail if the 99th percentile beside the backfill is more "+
		"than %.1f times that without it, of all requests or in the median of the rounds", mostSlower))
	env.Flags.BoolVar(&b.worker, "worker", false, "be the worker, of the database of DATABASE_URL")
	if err := env.Parse(args); err != nil {
		return err
	}
	if b.worker {
		return b.work(ctx, env.databaseURL)
	}
	if b.rows < 1 || b.rate <= 0 || b.window <= 0 || b.kills < 0 {
		return errors.New("--rows, --rate and --window must be positive, and --kills not negative")
	}
	if err := b.prepare(ctx, env); err != nil {
		return err
	}
	r := &backfillResult{Benchmark: "backfill", Rows: b.rows, Kills: b.kills, Rate: b.rate, Machine: ThisMachine()}
	if err := b.measure(ctx, env, r); err != nil {
		return err
	}
	if err := errors.Join(env.Report(r, r.String()), b.forget(ctx)); err != nil {
		return err
	}
	if r.Once != r.Rows || r.Recorded != r.Rows {
		return errors.New("not every row was done once")
	}
	if b.check {
		return r.slow()
	}
	return nil
}

// mostSlower is how much slower requests may be beside a backfill.
const mostSlower = 1.2

// slow returns an error if requests were slower than they may be.
func (r *backfillResult) slow() error {
	if worst := max(r.Overall, r.P99Ratio); worst > mostSlower {
		return fmt.Errorf("the 99th percentile of requests is %.2f times as long beside the backfill, of %.1f at most",
			worst, mostSlower)
	}
	return nil
}

// work fills in the rows until it is killed, or nothing is left.
func (b *backfillBench) work(ctx context.Context, databaseURL string) error {
	store, err := db.Open(ctx, db.Config{URL: databaseURL, MaxConns: 4, AcquireTimeout: 5 * time.Second})
	if err != nil {
		return err
	}
	defer store.Close()
	folder, err := fs.Sub(backfillFiles, "backfill")
	if err != nil {
		return err
	}
	return jobs.FillIn(ctx, store, folder, backfillName)
}

func (b *backfillBench) prepare(ctx context.Context, env *Env) (err error) {
	var owner string
	if owner, b.app, err = env.Database(ctx); err != nil {
		return err
	}
	if b.owner, err = pgx.Connect(ctx, owner); err != nil {
		return err
	}
	env.stops = append(env.stops, func() error { return b.owner.Close(context.WithoutCancel(ctx)) })
	if b.store, err = db.Open(ctx, db.Config{URL: b.app, MaxConns: 2, AcquireTimeout: time.Second}); err != nil {
		return err
	}
	env.stops = append(env.stops, func() error { b.store.Close(); return nil })
	if err := b.makeRows(ctx, env); err != nil {
		return err
	}
	url, err := env.Serve(ctx, b.app)
	if err != nil {
		return err
	}
	var token db.Token
	tenant, err := newTenant(ctx, owner, func(r *seed.Rows) { token = r.Session(r.User(db.UserRoleAdmin)) })
	if err != nil {
		return err
	}
	b.charges = newRun()
	b.api, err = newFixture(ctx, url, tenant.Slug, string(token), 16, 256, 1)
	return err
}

// makeRows makes the table, as a migration would that declares the backfill.
func (b *backfillBench) makeRows(ctx context.Context, env *Env) error {
	began := time.Now()
	if err := b.forget(ctx); err != nil {
		return err
	}
	for _, name := range []string{"backfill_make", "backfill_grant"} {
		if _, err := b.owner.Exec(ctx, statement(name)); err != nil {
			return err
		}
	}
	if _, err := b.owner.Exec(ctx, statement("backfill_rows"), b.rows); err != nil {
		return err
	}
	env.Progress("loaded %d rows in %.1f s", b.rows, time.Since(began).Seconds())
	return nil
}

// forget drops what the benchmark has made.
func (b *backfillBench) forget(ctx context.Context) error {
	for _, name := range []string{"backfill_drop", "backfill_forget"} {
		if _, err := b.owner.Exec(ctx, statement(name)); err != nil {
			return err
		}
	}
	return nil
}

// request reads a pickup, or charges an account.
func (b *backfillBench) request(ctx context.Context, _ int) error {
	n := b.sent.Add(1)
	if n%4 == 0 {
		return b.api.do(ctx, "POST", "/v1/accounts/"+b.api.accounts.at(n%b.api.accountCount)+"/charges",
			object{"id": b.charges.at(n), "amount_cents": 1}, nil)
	}
	return b.api.do(ctx, "GET", "/v1/pickups/"+b.api.drafts.at(n%b.api.read), nil, nil)
}

func (b *backfillBench) measure(ctx context.Context, env *Env, r *backfillResult) error {
	if _, err := (Load{PerSecond: b.rate, For: b.window}).Run(ctx, b.request); err != nil { // warm-up
		return err
	}
	if _, err := db.New(b.owner).DeclareBackfill(ctx,
		db.DeclareBackfillParams{Name: backfillName, TableName: "bench_things"}); err != nil {
		return err
	}
	began, filled := time.Now(), make(chan error, 1)
	go func() { filled <- b.fill(ctx, r) }()
	var alone, beside Loaded
	for done := false; !done; {
		select {
		case err := <-filled:
			if done = true; err != nil {
				return err
			}
		default:
			if err := b.round(ctx, r, &alone, &beside); err != nil {
				return err
			}
		}
	}
	r.Seconds, r.Failed = time.Since(began).Seconds(), alone.Failed+beside.Failed
	r.Alone, r.Beside = alone.Latencies.Summary(), beside.Latencies.Summary()
	if err := cmp.Or(alone.Err, beside.Err); err != nil {
		r.Failure = err.Error()
	}
	r.P99Ratio = r.medianRatio()
	if r.Alone.P99 > 0 {
		r.Overall = r.Beside.P99 / r.Alone.P99
	}
	row, err := b.store.GetBackfill(ctx, backfillName)
	if err != nil {
		return err
	}
	r.Recorded, r.Batches = row.RowsDone, row.Batches
	return b.owner.QueryRow(ctx, statement("backfill_count")).Scan(&r.Once, new(int64))
}

// round measures the requests while the backfill is stopped, and while it runs, for as long as it takes to do a batch.
func (b *backfillBench) round(ctx context.Context, r *backfillResult, alone, beside *Loaded) error {
	if n, err := b.store.StopBackfill(ctx, backfillName); err != nil || n == 0 { // it is done
		return err
	}
	first, err := b.measureInto(ctx, alone)
	if err != nil {
		return err
	}
	before, err := b.store.GetBackfill(ctx, backfillName)
	if err != nil {
		return err
	}
	if _, err := b.store.ResumeBackfill(ctx, backfillName); err != nil {
		return err
	}
	for now := before; now.Batches == before.Batches && now.State != "DONE"; {
		second, err := b.measureInto(ctx, beside)
		if err != nil {
			return err
		}
		if now, err = b.store.GetBackfill(ctx, backfillName); err != nil {
			return err
		}
		if now.Batches > before.Batches {
			r.Rounds = append(r.Rounds, backfillRound{first, second})
		}
	}
	return nil
}

// measureInto sends requests for a while, and returns their 99th percentile.
func (b *backfillBench) measureInto(ctx context.Context, all *Loaded) (p99 float64, err error) {
	part, err := Load{PerSecond: b.rate, For: b.window}.Run(ctx, b.request)
	if err != nil {
		return 0, err
	}
	all.Add(part)
	return part.Latencies.Summary().P99, nil
}

// fill runs workers until the backfill is done, and kills them as often as it should: each when it has come to a random
// place in its part of the rows, so that there is none that is too quick.
func (b *backfillBench) fill(ctx context.Context, r *backfillResult) error {
	for kills := 0; ; kills++ {
		worker, ended, err := b.startWorker()
		if err != nil {
			return err
		}
		place := (float64(kills) + rand.Float64()) / float64(b.kills+1) * float64(b.rows)
		for running := true; running; {
			select {
			case <-ctx.Done():
				return errors.Join(ctx.Err(), worker.Process.Kill(), <-ended)
			case err := <-ended:
				if r.Kills = kills; err != nil {
					return fmt.Errorf("the worker: %w", err)
				}
				return nil
			case <-time.After(20 * time.Millisecond):
				if done := b.note(ctx, r); kills < b.kills && done > int64(place) {
					time.Sleep(rand.N(50 * time.Millisecond)) // in a batch, or between two
					worker.Process.Kill()
					<-ended
					running = false
				}
			}
		}
	}
}

// startWorker starts a worker as a process of its own.
func (b *backfillBench) startWorker() (*exec.Cmd, <-chan error, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	worker := exec.Command(program, "bench", "backfill", "--worker")
	worker.Env = append(os.Environ(), "DATABASE_URL="+b.app)
	worker.Stderr = os.Stderr
	guard(worker)
	started, ended := make(chan error), make(chan error, 1)
	go func() {
		runtime.LockOSThread() // see startServer
		defer runtime.UnlockOSThread()
		err := worker.Start()
		started <- err
		if err == nil {
			ended <- worker.Wait()
		}
	}()
	return worker, ended, <-started
}

// note keeps the reasons why the backfill waits, the first few, and returns how many rows are done.
func (b *backfillBench) note(ctx context.Context, r *backfillResult) (done int64) {
	row, err := b.store.GetBackfill(ctx, backfillName)
	if err == nil && row.Held != "" && len(r.Held) < 20 &&
		(len(r.Held) == 0 || r.Held[len(r.Held)-1] != row.Held) {
		r.Held = append(r.Held, row.Held)
	}
	return row.RowsDone
}
