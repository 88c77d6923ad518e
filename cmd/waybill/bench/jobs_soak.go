package bench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"waybill/cmd/waybill/jobs"
	"waybill/cmd/waybill/texts"
)

// soak is the benchmark jobs-soak: texts at a steady rate with spikes, long enough to show what
// accumulates. Each text is enqueued by a submit, and sent to a gateway that accepts at once.
//
// On two cores, PostgreSQL 15, fsync on: at 2,000 per second texts start 66 ms (p50) and 130 ms (p99)
// after the commit. In a spike, where load, workers, gateway and database share the two cores, about
// 2,900 per second are enqueued and sent, they start after 210 ms (p50), and the spike of 100,000 takes
// 100 s. All of the 1,439,950 texts are sent 0.1 s after the last was enqueued; at most 2,054 wait,
// there are at most 594,887 dead rows, and table and indexes grow to 809 MB, including finished jobs.
type soak struct {
	rate, spikeRate float64
	duration, spike time.Duration
	spikes          int
	set, senders    int
	workers         int
	every           time.Duration
	before          int

	*jobsFixture
	enqueued, sent atomic.Int64
	starts         atomic.Pointer[Latencies] // of the current sample
}

type soakSample struct {
	Seconds    float64 `json:"seconds"`
	Told       float64 `json:"told_per_second"`
	Enqueued   float64 `json:"enqueued_per_second"`
	Sent       float64 `json:"sent_per_second"`
	Waiting    int     `json:"waiting"`
	Start      Summary `json:"commit_to_start"`
	DeadRows   int64   `json:"dead_rows"`
	LiveRows   int64   `json:"live_rows"`
	TableBytes int64   `json:"table_bytes"`
	IndexBytes int64   `json:"index_bytes"`
}

type soakResult struct {
	Benchmark   string       `json:"benchmark"`
	Rate        float64      `json:"rate"`
	SpikeRate   float64      `json:"spike_rate"`
	Workers     int          `json:"workers"`
	Enqueued    int64        `json:"enqueued"`
	Sent        int64        `json:"sent"`
	Behind      int64        `json:"behind"`  // the part of the intended load that this machine could not enqueue
	Drained     float64      `json:"drained"` // seconds after the last text was enqueued
	MostWaiting int          `json:"most_waiting"`
	MostDead    int64        `json:"most_dead_rows"`
	MostBytes   int64        `json:"most_bytes"`
	Samples     []soakSample `json:"samples"`
	Machine     Machine      `json:"machine"`
}

func benchJobsSoak(ctx context.Context, env *Env, args []string) error {
	var s soak
	s.register(env.Flags)
	if err := env.Parse(args); err != nil {
		return err
	}
	if s.rate <= 0 || s.spikeRate < s.rate || s.duration <= 0 || s.spike < 0 || s.spikes < 0 || s.set < 1 ||
		s.senders < 1 || s.workers < 1 || s.every <= 0 || s.before < 1 {
		return errors.New("the flags must be positive, and --spike-rate at least --rate")
	}
	if time.Duration(s.spikes)*s.spike > s.duration/2 {
		return errors.New("the spikes take more than half of the time: use a longer --duration")
	}
	owner, app, err := env.Database(ctx)
	if err != nil {
		return err
	}
	if s.jobsFixture, err = env.jobsFixture(ctx, owner, app, int32(s.senders)+16); err != nil {
		return err
	}
	if err := s.requireEmptyQueue(ctx); err != nil {
		return err
	}
	if err := s.warm(ctx, owner, s.before); err != nil {
		return err
	}
	r, err := s.run(ctx, env)
	if err != nil {
		return err
	}
	return env.Report(r, r.String())
}

func (s *soak) register(flags *flag.FlagSet) {
	flags.Float64Var(&s.rate, "rate", 2_000, "texts a second")
	flags.DurationVar(&s.duration, "duration", 10*time.Minute, "total duration")
	flags.IntVar(&s.spikes, "spikes", 3, "number of evenly spread spikes")
	flags.Float64Var(&s.spikeRate, "spike-rate", 10_000, "texts per second in a spike")
	flags.DurationVar(&s.spike, "spike", 10*time.Second, "duration of a spike")
	flags.IntVar(&s.set, "set", 50, "pickups created and submitted per statement")
	flags.IntVar(&s.senders, "senders", 8, "number of concurrent callers that enqueue")
	flags.IntVar(&s.workers, "workers", 200, "number of texts sent concurrently")
	flags.DurationVar(&s.every, "every", 10*time.Second, "interval between samples")
	flags.IntVar(&s.before, "warm", warmBy, "pickups submitted before the measurement")
}

// intended returns how many texts should have been enqueued after the elapsed time.
func (s *soak) intended(elapsed time.Duration) int64 {
	elapsed = min(elapsed, s.duration)
	n := s.rate * elapsed.Seconds()
	for i := range s.spikes {
		begin := s.duration * time.Duration(i+1) / time.Duration(s.spikes+1)
		n += (s.spikeRate - s.rate) * min(max(elapsed-begin, 0), s.spike).Seconds()
	}
	return int64(n)
}

func (s *soak) run(ctx context.Context, env *Env) (*soakResult, error) {
	s.starts.Store(new(Latencies))
	workers, err := jobs.Start(ctx, jobs.Options{
		Store: s.System, Workers: s.workers, Log: errorLog,
		Sender: &counting{heard: func(t texts.Text) {
			s.sent.Add(1)
			s.starts.Load().Record(max(0, time.Since(t.CreatedAt)))
		}},
	})
	if err != nil {
		return nil, err
	}
	for n := 1; n > 0; time.Sleep(10 * time.Millisecond) { // jobs of earlier runs
		if n, err = s.waiting(ctx, jobs.Texts); err != nil {
			return nil, errors.Join(err, workers.Stop())
		}
	}
	s.sent.Store(0)
	s.starts.Store(new(Latencies))
	r := &soakResult{Benchmark: "jobs-soak", Rate: s.rate, SpikeRate: s.spikeRate,
		Workers: s.workers, Machine: ThisMachine()}
	env.Progress("%s", soakHead)
	start := time.Now()
	enqueueing := make(chan error, 1)
	go func() { enqueueing <- s.enqueue(ctx, start) }()
	err = s.watch(ctx, env, r, start, enqueueing)
	r.Enqueued, r.Sent = s.enqueued.Load(), s.sent.Load()
	r.Behind = s.intended(s.duration) - r.Enqueued
	return r, errors.Join(err, workers.Stop())
}

// enqueue creates and submits pickups in sets, at the intended rate.
func (s *soak) enqueue(ctx context.Context, start time.Time) error {
	var begun atomic.Int64
	var failed atomic.Pointer[error]
	var senders sync.WaitGroup
	for range s.senders {
		senders.Go(func() {
			for time.Since(start) < s.duration && ctx.Err() == nil && failed.Load() == nil {
				if to := begun.Add(int64(s.set)); to > s.intended(time.Since(start)) {
					begun.Add(-int64(s.set))
					time.Sleep(2 * time.Millisecond)
					continue
				}
				ids, err := s.drafts(ctx, s.set)
				if err == nil {
					err = s.submitAll(ctx, s.raw, ids)
				}
				if err != nil {
					failed.Store(&err)
					return
				}
				s.enqueued.Add(int64(s.set))
			}
		})
	}
	senders.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return ctx.Err()
}

// watch samples until everything that was enqueued has been sent.
func (s *soak) watch(ctx context.Context, env *Env, r *soakResult, start time.Time, enqueueing <-chan error) error {
	var before soakSample
	var enqueued, sent, intended int64
	var ended, drained time.Time
	next := time.After(s.every)
	for drained.IsZero() {
		select {
		case err := <-enqueueing:
			if err != nil {
				return err
			}
			ended, enqueueing = time.Now(), nil
			continue
		case <-time.After(50 * time.Millisecond):
			if ended.IsZero() || s.sent.Load() < s.enqueued.Load() {
				continue
			}
			drained = time.Now()
		case <-next:
			next = time.After(s.every)
		case <-ctx.Done():
			return ctx.Err()
		}
		now := soakSample{Seconds: time.Since(start).Seconds()}
		took := now.Seconds - before.Seconds
		e, d, w := s.enqueued.Load(), s.sent.Load(), s.intended(time.Since(start))
		now.Enqueued, now.Sent, now.Told = float64(e-enqueued)/took, float64(d-sent)/took, float64(w-intended)/took
		enqueued, sent, intended = e, d, w
		now.Start = s.starts.Swap(new(Latencies)).Summary()
		if err := s.sample(ctx, &now); err != nil {
			return err
		}
		r.Samples = append(r.Samples, now)
		r.MostWaiting, r.MostDead = max(r.MostWaiting, now.Waiting), max(r.MostDead, now.DeadRows)
		r.MostBytes = max(r.MostBytes, now.TableBytes+now.IndexBytes)
		env.Progress("%s", now)
		before = now
	}
	r.Drained = drained.Sub(ended).Seconds()
	return nil
}

// sample samples the queue and its table.
func (s *soak) sample(ctx context.Context, now *soakSample) error {
	var err error
	if now.Waiting, err = s.waiting(ctx, jobs.Texts); err != nil {
		return err
	}
	table, err := s.GetJobTable(ctx)
	if err != nil {
		return err
	}
	for into, value := range map[*int64]*int64{
		&now.DeadRows: table.DeadRows, &now.LiveRows: table.LiveRows, &now.TableBytes: table.TableBytes,
		&now.IndexBytes: table.IndexBytes,
	} {
		if value != nil {
			*into = *value
		}
	}
	return nil
}

const soakHead = "  seconds intended enqueued     sent  waiting  start p50      p99   dead rows   live rows  table " +
	"MB  indexes MB"

func (n soakSample) String() string {
	return fmt.Sprintf("  %7.0f %8.0f %8.0f %8.0f %8d  %6.0f ms %5.0f ms %11d %11d %9.1f %11.1f",
		n.Seconds, n.Told, n.Enqueued, n.Sent,
		n.Waiting, n.Start.P50, n.Start.P99, n.DeadRows, n.LiveRows,
		float64(n.TableBytes)/(1<<20), float64(n.IndexBytes)/(1<<20))
}

func (r soakResult) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "\n%d texts enqueued, %d sent; the last %.1f s after it was enqueued\n",
		r.Enqueued, r.Sent, r.Drained)
	fmt.Fprintf(&text, "at most %d waited, %d dead rows, %.0f MB of table and indexes",
		r.MostWaiting, r.MostDead, float64(r.MostBytes)/(1<<20))
	if r.Behind > int64(r.Rate) {
		fmt.Fprintf(&text, "\nthis machine enqueued %d fewer than intended", r.Behind)
	}
	return text.String()
}
