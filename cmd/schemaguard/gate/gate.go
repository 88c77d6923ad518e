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

// Judge runs the checks on a change, with databases of a server and the programs of the base, if there are any, and
// leaves out what its waivers allow. The result does not say what the base is.
func Judge(ctx context.Context, c *change.Change, s *server.Server, p *programs.Source, measure Measure,
) (*Result, error) {
	waivers, all := c.Waivers()
	asked := measure.Rows
	measure = measure.sharing(len(c.New))
	measure.clock = &clock{}
	j := &judgement{c, s, p, measure, slices.Concat(history.Check(c),
		checkTexts(c), statements.CheckReleases(c), statements.CheckCompatibility(c)), nil, true}
	complete := false
	if !history.Ambiguous(j.found) {
		more, through, err := onServer(ctx, c, s, measure)
		if err != nil {
			return nil, err
		}
		j.found, complete = append(j.found, more...), through
	}
	if measure.Rows < asked {
		j.skip(fmt.Sprintf("%d rows: %d new migrations are tried on %d", asked, len(c.New), measure.Rows))
	}
	if err := j.askTools(ctx); err != nil {
		return nil, err
	}
	if p != nil {
		refused := finding.Refused(append(slices.Clone(all), finding.Allow(j.found, waivers, false)...))
		if err := j.tryPrograms(ctx, refused); err != nil {
			return nil, err
		}
	}
	all = append(all, finding.Allow(j.found, waivers, complete && j.complete)...)
	return &Result{Findings: finding.Sort(all), Skipped: j.skipped, Spent: measure.clock.spent}, nil
}

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
