package main

import (
	"fmt"

	"waybill/cmd/sqlguard/baseline"
	"waybill/cmd/sqlguard/project"
	"waybill/cmd/sqlguard/report"
	"waybill/cmd/sqlguard/rules"
	"waybill/cmd/sqlguard/verdict"
)

// run executes the command. If something cannot be read, the rest is judged all the same.
func (c *command) run() int {
	if c.path == "" {
		return unreadable
	}
	projects, err := project.Load(c.path)
	status := clean
	if err != nil {
		status = c.fail(err)
	}
	if len(projects) == 0 {
		return status
	}
	r := &report.Report{}
	for _, p := range projects {
		s, err := readSettings(c.config, p.Folder(), c.path)
		if err != nil {
			return c.fail(err)
		}
		status = max(status, c.judge(r, p, s))
	}
	if c.verdicts {
		report.Verdicts(c.out, r.Databases)
		return status
	}
	return max(status, c.report(r))
}

// judge adds the findings and verdicts of a project's databases to the report.
func (c *command) judge(r *report.Report, p *project.Project, s *settings) int {
	status := clean
	r.LeftOut = append(r.LeftOut, p.LeftOut...)
	p.Leave(s.excluded.match)
	for _, d := range p.Databases {
		judged, errs := verdict.Judge(d, verdict.Options{Scopes: s.TenantColumns})
		for _, err := range errs {
			status = c.fail(err)
		}
		r.Databases = append(r.Databases, judged)
		r.Findings = append(r.Findings, rules.Check(judged, s.options())...)
	}
	return status
}

// report applies the baseline to the findings, and prints them.
func (c *command) report(r *report.Report) int {
	if c.writeBaseline {
		if err := baseline.Write(c.baseline, r.Findings); err != nil {
			return c.fail(err)
		}
		fmt.Fprintf(c.out, "%d findings written to %s\n", len(r.Findings), c.baseline)
		return clean
	}
	if c.baseline != "" {
		left, gone, err := baseline.Apply(c.baseline, r.Findings)
		if err != nil {
			return c.fail(err)
		}
		r.Baseline, r.Findings, r.Gone = len(r.Findings)-len(left), left, gone
	}
	if err := report.Formats[c.format](c.out, r, c.colours()); err != nil {
		return c.fail(err)
	}
	if r.Fails() {
		return found
	}
	return clean
}

func (c *command) fail(err error) int {
	fmt.Fprintln(c.problems, "sqlguard:", err)
	return unreadable
}
