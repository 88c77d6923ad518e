package bench

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"waybill/db/scale"
)

// scaleBench is the benchmark scale: its settings, and the databases that it measures.
type scaleBench struct {
	sizes      []int
	facilities int
	data       string
	seconds    float64
	rounds     int
	limit      time.Duration
	only       *regexp.Regexp
	check      bool

	databases []*scaleDatabase
	counters  *counters
	progress  *statusLine
	machine   Machine
}

func (b *scaleBench) register(flags *flag.FlagSet) {
	flags.Func("sizes", "pickups in each database, with commas between (default 10000,1000000)", b.setSizes)
	flags.IntVar(&b.facilities, "facilities", scale.Facilities, "of the large tenant")
	flags.StringVar(&b.data, "data", "",
		"a folder that keeps the databases for the next run (default: they are thrown away)")
	flags.Float64Var(&b.seconds, "seconds", 0.2, "how long each operation is measured on each database in a round")
	flags.IntVar(&b.rounds, "rounds", 5,
		"how often, in turn: what else the machine does then weighs on all alike; ratios are those of the quickest")
	flags.DurationVar(&b.limit, "limit", 3*time.Hour, "when to stop: what was measured by then is printed")
	flags.Func("only", "measure what matches this pattern, such as list-pickups.*staff", func(text string) (err error) {
		b.only, err = regexp.Compile(text)
		return err
	})
	flags.BoolVar(&b.check, "check", false, "fail where an operation misses what it is held to")
}

func (b *scaleBench) setSizes(text string) error {
	b.sizes = nil
	for number := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(number)
		if err != nil || n < scale.Smallest {
			return fmt.Errorf("a size is a number of pickups, at least %d", scale.Smallest)
		}
		b.sizes = append(b.sizes, n)
	}
	slices.Sort(b.sizes)
	if len(slices.Compact(slices.Clone(b.sizes))) != len(b.sizes) {
		return errors.New("the sizes must differ")
	}
	return nil
}

// mostRounds is the number of rounds for which drafts are made.
const mostRounds = 10

// errMissed reports that --check found an operation that misses its target.
var errMissed = errors.New("an operation misses what it is held to")

// benchScale measures the cost of each operation as the tables grow: see db/scale for their contents. Each
// operation is sent one at a time, to each database in turn.
func benchScale(ctx context.Context, env *Env, args []string) error {
	b := scaleBench{sizes: []int{10_000, 1_000_000}, machine: ThisMachine()}
	b.register(env.Flags)
	if err := env.Parse(args); err != nil {
		return err
	}
	if b.seconds <= 0 || b.rounds < 1 || b.rounds > mostRounds || b.limit <= 0 {
		return fmt.Errorf("--seconds and --limit must be positive, --rounds 1 to %d", mostRounds)
	}
	b.progress = env.newStatusLine()
	limited, cancel := context.WithTimeout(ctx, b.limit)
	defer cancel()
	if err := b.prepare(limited, env); err != nil {
		return cmp.Or(b.timeIsUp(ctx, limited, "while the databases were prepared"), err)
	}
	env.Progress("%s", b.header())
	var missed error
	for n, m := range b.measures() {
		b.progress.show("%d: %s", n+1, m.name())
		line := b.measure(limited, m)
		b.progress.clear()
		if err := b.timeIsUp(ctx, limited, "before "+m.name()); err != nil {
			return err
		}
		if err := env.Report(line, line.String()); err != nil {
			return err
		}
		missed = cmp.Or(missed, b.verdict(line))
	}
	env.Progress("%s, %d CPUs, %s; client, servers and databases on it", b.machine.System, b.machine.CPUs, b.machine.Go)
	return missed
}

// verdict returns an error for a line that misses its targets, with --check.
func (b *scaleBench) verdict(l *scaleLine) error {
	if b.check && len(l.Missed) > 0 {
		return errMissed
	}
	return nil
}

// timeIsUp says so if the limit ended it, and not an interrupt. A connection can notice the deadline
// before the context does, so the clock decides.
func (b *scaleBench) timeIsUp(ctx, limited context.Context, when string) error {
	if deadline, _ := limited.Deadline(); ctx.Err() != nil || time.Now().Before(deadline) {
		return ctx.Err()
	}
	return fmt.Errorf("the limit of %v was reached %s", b.limit, when)
}

func (b *scaleBench) prepare(ctx context.Context, env *Env) error {
	if err := b.open(ctx, env); err != nil {
		return err
	}
	for _, d := range b.databases {
		if err := d.serve(ctx, env); err != nil {
			return err
		}
	}
	return nil
}

// measures returns the operations that --only selects, reads before writes.
func (b *scaleBench) measures() (all []scaleMeasure) {
	for _, r := range ScaleReads() {
		for _, viewer := range r.Viewers {
			all = append(all, readMeasure(r, viewer))
		}
	}
	all = append(all, writeMeasures()...)
	return slices.DeleteFunc(all, func(m scaleMeasure) bool {
		return b.only != nil && !b.only.MatchString(m.name())
	})
}
