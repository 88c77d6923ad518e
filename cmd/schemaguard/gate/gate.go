// Package gate runs all checks of schemaguard on a change.
package gate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"waybill/cmd/schemaguard/change"
	"waybill/cmd/schemaguard/contract"
	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/schemaguard/history"
	"waybill/cmd/schemaguard/programs"
	"waybill/cmd/schemaguard/server"
	"waybill/cmd/schemaguard/settings"
	"waybill/cmd/schemaguard/squawk"
	"waybill/cmd/schemaguard/statements"
	"waybill/cmd/schemaguard/tree"
)

// Options are what to judge.
type Options struct {
	Settings *settings.Settings
	Base     string // the commit to compare with; empty: see [tree.FindBase]
	Measure  Measure
}

// Result is the gate's answer.
type Result struct {
	Base     tree.Base
	Findings []finding.Finding
	New      []string // the new migrations
	Skipped  []string // what was not tried, and why
	Spent    []Spent  // how long each part took
}

// Run compares the working tree with the base. It returns an error if it could not judge; what it refuses is
// in the result.
func Run(ctx context.Context, o Options) (r *Result, err error) {
	base, err := tree.FindBase(ctx, o.Settings.Root, tree.Wanted{Ref: o.Base, Landed: o.Settings.Landed,
		CI: o.Measure.InCI})
	if err != nil {
		return nil, err
	}
	before, err := tree.ReadCommit(ctx, o.Settings.Root, base.Commit, o.Settings.Paths())
	if err != nil {
		return nil, err
	}
	after, err := tree.Read(o.Settings.Root, o.Settings.Paths())
	if err != nil {
		return nil, err
	}
	s, err := server.Start(ctx, o.Settings)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	c := change.Of(o.Settings, before, after, time.Now())
	p, err := programs.Of(ctx, o.Settings, base.Commit)
	if err != nil {
		return nil, err
	}
	if r, err = Judge(ctx, c, s, p, o.Measure); err != nil {
		return nil, err
	}
	r.Base = base
	for _, m := range c.New {
		r.New = append(r.New, m.Path)
	}
	return r, nil
}

// judgement is what is known of a change.
type judgement struct {
	change  *change.Change
	server  *server.Server
	base    *programs.Source // nil: no program of it is tried
	measure Measure
	waivers []*finding.Waiver

	ofWaivers []finding.Finding // which no waiver allows
	found     []finding.Finding
	beside    *beside // nil: no test of the base was begun

	skipped  []string
	complete bool // each rule was asked that concerns the change
}

// Judge runs the checks on a change, with databases of a server and the programs of the base, if there are any, and
// leaves out what its waivers allow. The result does not say what the base is.
func Judge(ctx context.Context, c *change.Change, s *server.Server, p *programs.Source, measure Measure,
) (*Result, error) {
	j := &judgement{change: c, server: s, base: p, measure: measure.sharing(len(c.New)), complete: true}
	j.measure.clock = &clock{}
	j.waivers, j.ofWaivers = c.Waivers()
	j.found = slices.Concat(history.Check(c), checkTexts(c), statements.CheckReleases(c),
		statements.CheckCompatibility(c))
	j.beginTests(ctx)
	defer j.beside.stop()
	if err := j.ask(ctx); err != nil {
		return nil, err
	}
	if j.measure.Rows < measure.Rows {
		j.skip(fmt.Sprintf("%d rows: %d new migrations are tried on %d", measure.Rows, len(c.New), j.measure.Rows))
	}
	if p != nil {
		if err := j.tryPrograms(ctx); err != nil {
			return nil, err
		}
	}
	return &Result{Findings: finding.Sort(j.allowed(j.complete)), Skipped: j.skipped,
		Spent: j.measure.clock.spent}, nil
}

// ask adds what the server and the tools say, and then what is measured.
func (j *judgement) ask(ctx context.Context) error {
	through := false
	if !history.Ambiguous(j.found) {
		found, applied, err := onServer(ctx, j.change, j.server, j.measure)
		if err != nil {
			return err
		}
		j.found, through = append(j.found, found...), applied
	}
	if err := j.askTools(ctx); err != nil {
		return err
	}
	if !through || j.measure.Depth != Whole {
		j.complete = false
		return nil
	}
	found, err := j.measure.check(ctx, j.change, j.server, j.endTests)
	j.found = append(j.found, found...)
	return err
}

// allowed returns what the waivers leave of the findings. At the end, those that nothing needed are findings, too.
func (j *judgement) allowed(end bool) []finding.Finding {
	return slices.Concat(j.ofWaivers, finding.Allow(j.found, j.waivers, end))
}

func (j *judgement) refused() bool { return finding.Refused(j.allowed(false)) }

// askTools adds what squawk and oasdiff say.
func (j *judgement) askTools(ctx context.Context) error {
	end := j.measure.clock.begin("squawk")
	found, err := squawk.Check(ctx, j.change, j.measure.InCI)
	end()
	j.found = append(j.found, found...)
	if err != nil || j.measure.Depth != Whole {
		return err
	}
	defer j.measure.clock.begin("the API's document")()
	found, err = contract.Check(ctx, j.change)
	j.found = append(j.found, found...)
	return err
}
