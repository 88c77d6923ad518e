// Package gate runs all checks of schemaguard on a change.
package gate

import (
	"context"
	"time"

	"waybill/cmd/schemaguard/change"
	"waybill/cmd/schemaguard/finding"
	"waybill/cmd/schemaguard/history"
	"waybill/cmd/schemaguard/settings"
	"waybill/cmd/schemaguard/tree"
)

// Options are what to judge.
type Options struct {
	Settings *settings.Settings
	Base     string // the commit to compare with; empty: see [tree.FindBase]
}

// Result is the gate's answer.
type Result struct {
	Base     tree.Base
	Findings []finding.Finding
	New      []string // the new migrations
}

// Run compares the working tree with the base. It returns an error if it could not judge; what it refuses is
// in the result.
func Run(ctx context.Context, o Options) (*Result, error) {
	base, err := tree.FindBase(ctx, o.Settings.Root, o.Base)
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
	c := change.Of(o.Settings, before, after, time.Now())
	r := &Result{Base: base}
	for _, m := range c.New {
		r.New = append(r.New, m.Path)
	}
	r.Findings, err = Judge(ctx, c)
	return r, err
}

// Judge runs the checks on a change, and leaves out what its waivers allow.
func Judge(ctx context.Context, c *change.Change) ([]finding.Finding, error) {
	waivers, all := c.Waivers()
	found := history.Check(c)
	return finding.Sort(append(all, finding.Allow(found, waivers)...)), nil
}
