// Package rules finds what the verdicts of a project's writes, and its reads, say
// of races that lose data. Each rule has a file, and a page that explains it.
package rules

import (
	"cmp"
	"slices"

	"waybill/cmd/sqlguard/catalog"
	"waybill/cmd/sqlguard/verdict"
)

// Severity is how much a finding matters.
type Severity string

const (
	Off     Severity = "off"
	Note    Severity = "note"    // worth knowing; does not fail a run
	Warning Severity = "warning" // most likely wrong
	Error   Severity = "error"   // loses data when two come at once
)

// Rule is one kind of finding.
type Rule struct {
	ID       string
	Severity Severity // the worst that it reports
	Summary  string
	Moot     []Isolation // the levels at which PostgreSQL refuses the second write itself
	check    func(*check)
}

// All are the rules, in the order in which the README lists them.
var All = []*Rule{
	blindOverwrite, staleTest, noopGuard, tautologyGuard, optionalGuard, livenessOverwrite,
	unguardedTransition, unboundedWrite, cursorCanMoveBack, silentLoss, sameStatementExplanation,
	unorderedLocks, writtenTwice, untargetedDoNothing, unboundedRead, missingScope, badWaiver,
}

// ByID is the rule of that name, or nil.
func ByID(id string) *Rule {
	for _, r := range All {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// Finding is one place where a rule has something to say.
type Finding struct {
	Rule     *Rule
	Severity Severity
	Query    *verdict.Query
	Write    *verdict.Write // nil where it is not about one
	Table    string
	Offset   int // in the query's text
	Lines    []string
	Advice   *Advice        // nil: none is known to help
	Against  *verdict.Query // the query that it races with, if that is another
}

// Options are what a project tells the rules about itself.
type Options struct {
	Tenant     []string // the columns that name a row's tenant
	Viewed     []string // the tables whose reads must name a viewer
	Viewer     []string // the parameters that do
	Isolation  Isolation
	Severities []Severities // the last that speaks of a finding counts
}

// EveryRule stands for all rules where severities are set.
const EveryRule = "all"

// Severities are what a project makes of some rules.
type Severities struct {
	Files func(name string) bool // the files that they are for; nil: all
	Rules map[string]Severity
}

// severity is what the project makes of a finding.
func (o *Options) severity(f Finding) Severity {
	severity := f.Severity
	for _, s := range o.Severities {
		if s.Files != nil && !s.Files(f.Query.File.Name) {
			continue
		}
		if all, ok := s.Rules[EveryRule]; ok {
			severity = all
		}
		if own, ok := s.Rules[f.Rule.ID]; ok {
			severity = own
		}
	}
	return severity
}

// check is a rule at work on one query.
type check struct {
	rule    *Rule
	db      *verdict.Database
	query   *verdict.Query
	options *Options
	known   map[string]*verdict.Query
	lockers map[*catalog.Table][]*verdict.Query
	found   []Finding
}

// at reports a finding of the rule's own severity, unless changed by its caller.
func (c *check) at(offset int, table string, lines ...string) *Finding {
	c.found = append(c.found, Finding{
		Rule: c.rule, Severity: c.rule.Severity, Query: c.query, Table: table, Offset: max(offset, 0), Lines: lines,
	})
	return &c.found[len(c.found)-1]
}

// on reports a finding about a write.
func (c *check) on(w *verdict.Write, lines ...string) *Finding {
	f := c.at(w.Location, w.Table(), lines...)
	f.Write = w
	if w.Function != "" { // another text; point at the query
		f.Offset = start(c.query)
		f.Lines = append(f.Lines, "The write is in the function "+w.Function+".")
	}
	return f
}

// place moves a finding to an offset further on in the query's text. What is found in a
// function stays where the query calls it: its offsets are those of another text.
func (f *Finding) place(offset int) {
	if f.Write == nil || f.Write.Function == "" {
		f.Offset = max(offset, f.Offset)
	}
}

// Check applies all rules to a database, then the waivers that its queries hold.
func Check(db *verdict.Database, o *Options) []Finding {
	known, lockers := map[string]*verdict.Query{}, lockers(db)
	for _, q := range db.Queries {
		known[q.Name] = q
	}
	var all []Finding
	for _, q := range db.Queries {
		var found []Finding
		for _, r := range All {
			c := &check{rule: r, db: db, query: q, options: o, known: known, lockers: lockers}
			if r.check != nil && !slices.Contains(r.Moot, o.Isolation) {
				r.check(c)
			}
			found = append(found, c.found...)
		}
		c := &check{rule: badWaiver, db: db, query: q, options: o, known: known}
		all = append(all, c.waived(found)...)
	}
	return settle(all, o)
}

// settle applies the project's own severities, and orders.
func settle(all []Finding, o *Options) []Finding {
	for i := range all {
		all[i].Severity = o.severity(all[i])
	}
	all = slices.DeleteFunc(all, func(f Finding) bool { return f.Severity == Off })
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Query.File.Path, b.Query.File.Path),
			cmp.Compare(a.Query.Offset+a.Offset, b.Query.Offset+b.Offset))
	})
	return all
}
