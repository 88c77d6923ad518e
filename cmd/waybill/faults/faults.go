// Package faults runs Waybill on real clusters that fail under load, and compares what was acknowledged
// with what is there afterwards. Each fault has a cluster, a server process and callers of its own.
package faults

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Options select the faults and the load.
type Options struct {
	Faults  []string // names; empty for all
	Short   bool     // each fault once, briefly, on databases that a crash of the machine would lose
	Seed    uint64   // of the callers' choices and of the moments at which faults happen
	Callers int
	Program []string // the command that runs waybill
	Env     []string // its environment, besides the settings
	Log     io.Writer
}

// Result is what became of the acknowledged writes in one fault.
type Result struct {
	Fault        string  `json:"fault"`
	Acknowledged int     `json:"acknowledged"`
	Lost         int     `json:"lost"`
	Doubled      int     `json:"doubled"`
	ServerErrors int     `json:"server_errors"` // answers 5xx
	Internal     int     `json:"internal_errors"`
	Refused      int     `json:"refused"` // answers 4xx, which no caller expects
	Unavailable  float64 `json:"unavailable_s"`
	Reads        int     `json:"reads"` // where replicas serve them
	ReplicaReads int     `json:"replica_reads"`
	Stale        int     `json:"stale_reads"` // older than what their client had written
	Control      bool    `json:"control"`
	Skipped      string  `json:"skipped,omitempty"`
	Seed         uint64  `json:"seed"`

	hasReplicas bool
}

// Held reports whether the result is as it must be: nothing is lost, nobody reads what is too old, and the control
// loses.
func (r Result) Held() bool {
	if r.Skipped != "" {
		return true
	}
	if r.Control {
		return r.Lost > 0
	}
	if r.hasReplicas && (r.Reads == 0 || r.ReplicaReads == 0) {
		return false
	}
	return r.Lost == 0 && r.Doubled == 0 && r.Internal == 0 && r.Refused == 0 && r.Stale == 0 && r.Acknowledged > 0
}

// fault is something that happens to a stage under load.
type fault struct {
	name    string
	layout  layout
	control bool // must lose
	inject  func(context.Context, *stage) error
}

// layout is the cluster that a fault needs.
type layout struct {
	standby     bool // there is one
	synchronous bool // and commits wait for it
	linked      bool // the server reaches the primary through a link
	pooled      bool // or through PgBouncer
	supervised  bool // by Patroni, in place of all that
	replicas    bool // the standby, and another one for which nobody waits, serve reads
	smallTables bool // the database is on a small disk
	smallServer bool // all of the server is
}

var (
	alone        = layout{}
	synchronous  = layout{standby: true, synchronous: true}
	asynchronous = layout{standby: true}
	linked       = layout{linked: true}
	replicated   = layout{standby: true, synchronous: true, replicas: true}
)

// errSkipped means that this machine cannot have the fault.
var errSkipped = errors.New("skipped")

// Names returns the names of the faults.
func Names() (names []string) {
	for _, f := range known() {
		names = append(names, f.name)
	}
	return names
}

// Run has the faults happen one after the other and reports each result. It returns an error if one could
// not be set up; a fault in which something is lost is a result and no error.
func Run(ctx context.Context, o Options, tell func(Result)) error {
	chosen, err := choose(o.Faults)
	if err != nil {
		return err
	}
	for _, f := range chosen {
		r, err := run(ctx, o, f)
		switch {
		case ctx.Err() != nil:
			return errors.New("interrupted")
		case errors.Is(err, errSkipped):
			r.Skipped = err.Error()
		case err != nil:
			return fmt.Errorf("fault %s: %w", f.name, err)
		}
		tell(r)
	}
	return nil
}

func choose(names []string) (chosen []fault, err error) {
	if len(names) == 0 {
		return all(), nil
	}
	for _, name := range names {
		i := slices.IndexFunc(known(), func(f fault) bool { return f.name == name })
		if i < 0 {
			return nil, fmt.Errorf("unknown fault %q; the faults are: %s", name, strings.Join(Names(), ", "))
		}
		chosen = append(chosen, known()[i])
	}
	return chosen, nil
}

// run has one fault happen under load, once or a few times, and compares.
func run(ctx context.Context, o Options, f fault) (r Result, err error) {
	r = Result{Fault: f.name, Control: f.control, Seed: o.Seed}
	s := &stage{Options: o, layout: f.layout, rand: rand.New(rand.NewPCG(o.Seed, 0))}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.open(ctx); err != nil {
		return r, err
	}
	l := newLoad(s)
	l.start(ctx)
	err = s.suffer(ctx, f)
	s.pause(ctx, 500*time.Millisecond, time.Second)
	l.stop()
	if err != nil {
		return r, err
	}
	l.into(&r)
	if s.replicas {
		r.ReplicaReads = s.replicaReads(ctx)
	}
	return r, s.compare(ctx, l, &r)
}

// suffer has a fault happen, once or a few times.
func (s *stage) suffer(ctx context.Context, f fault) error {
	if err := s.awaitReplicaReads(ctx); err != nil {
		return err
	}
	rounds := 3
	if s.Short || f.control || s.supervised { // which has rounds of its own
		rounds = 1
	}
	for range rounds {
		s.pause(ctx, 300*time.Millisecond, 700*time.Millisecond)
		if err := f.inject(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// pause lets the load run for a while.
func (s *stage) pause(ctx context.Context, least, most time.Duration) {
	select {
	case <-time.After(least + time.Duration(s.rand.Int64N(int64(most-least)))):
	case <-ctx.Done():
	}
}
