package bench

import (
	"context"
	"errors"
	"slices"
)

// singles are pgbench's rounds of one workload, one by one: with the project's own statement, or the
// scalar one.
type singles struct {
	*httpBench
	work    work
	scalar  bool
	clients []int // the client counts to try; after the first round only the best
	guess   float64
	tried   bool
	rates   []float64
	err     error // why there is none
}

func (b *httpBench) singles(w work, callers int, guess float64, scalar bool) *singles {
	s := &singles{httpBench: b, work: w, scalar: scalar, clients: []int{callers}, guess: guess}
	if w.hot || b.accounts == 1 { // on one hot row fewer clients are faster
		s.clients = slices.Compact(slices.Sorted(slices.Values([]int{1, min(2, callers), callers})))
	}
	return s
}

// round runs pgbench once, unless it has failed: then the workload has only its figures over HTTP.
func (s *singles) round(ctx context.Context) {
	if s.pgbench == nil || s.err != nil || s.work.script == "" || s.scalar && !hasScalar(s.work.script) {
		return
	}
	best, clients := 0.0, 0
	for _, n := range s.clients {
		rate, err := s.run(ctx, n)
		if err != nil {
			s.err, s.rates = err, nil
			return
		}
		if rate > best {
			best, clients = rate, n
		}
	}
	s.clients, s.rates = []int{clients}, append(s.rates, best)
}

// run runs pgbench on rows of its own, of which it must prepare enough.
func (s *singles) run(ctx context.Context, clients int) (float64, error) {
	r := pgbenchRun{work: s.work, scalar: s.scalar, clients: 1, accounts: s.ours.accountCount}
	if s.work.hot {
		r.accounts = 1
	}
	if !s.tried {
		if err := s.rows(ctx, &r, 1); err != nil {
			return 0, err
		}
		if err := s.pgbench.try(ctx, r); err != nil {
			return 0, err
		}
		s.tried = true
	}
	// Each client plans its statements six times at first: that second does not count.
	r.clients, r.seconds, r.warm = clients, s.seconds, 1+clients/64
	for {
		rows := int64(100 * clients)
		if !r.trial() {
			rows += int64(2 * s.guess * (s.seconds + float64(r.warm)))
		}
		if err := s.rows(ctx, &r, rows); err != nil {
			return 0, err
		}
		rate, err := s.pgbench.run(ctx, r)
		if errors.Is(err, errDraftsUsedUp) {
			s.guess *= 2
			continue
		}
		s.guess = rate
		return rate, err
	}
}

// rows prepares the run's rows: drafts, or ids for new rows.
func (s *singles) rows(ctx context.Context, r *pgbenchRun, n int64) (err error) {
	r.drafts = n
	switch {
	case s.work.drafts:
		r.made, err = s.ours.prepare(ctx, n)
	case s.work.name == "get":
		r.made = s.ours.drafts
	default:
		r.made = newRun()
	}
	return err
}

// what names the statement that is sent.
func (s *singles) what() string {
	if s.scalar {
		return "scalar"
	}
	return "one by one"
}

// rate is what one kind of statement reached one by one; all are nil where it was not measured.
type rate struct {
	perSecond, ratio *float64
	clients          int
}

// median returns the median rate of the rounds, and the ratio of the rate over HTTP to it.
func (s *singles) median(http float64) (r rate) {
	if one := median(s.rates); one > 0 {
		r = rate{new(roundSignificant(one)), new(roundSignificant(http / one)), s.clients[0]}
	}
	return r
}
