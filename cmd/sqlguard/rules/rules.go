// Package rules turns verdicts into findings about races that lose data. Each rule has a file of its
// own, and a page that explains it.
package rules

import (
	"cmp"
	"slices"

	"waybill/cmd/sqlguard/catalog"
	"waybill/cmd/sqlguard/verdict"
)

// Severity is the severity of a finding.
type Severity string

const (
	Off     Severity = "off"
	Note    Severity = "note"    // worth knowing; does not fail a run
	Warning Severity = "warning" // most likely wrong
	Error   Severity = "error"   // loses data under concurrent calls
)

// Rule is one kind of finding.
type Rule struct {
	ID       string
	Severity Severity // the highest severity that it reports
	Summary  string
	Moot     []Isolation // the isolation levels at which PostgreSQL itself refuses the second write
	check    func(*check)
}

// All lists the rules in the order of the README.
var All = []*Rule{
	blindOverwrite, staleTest, noopGuard, tautologyGuard, optionalGuard, livenessOverwrite,
	unguardedTransition, unboundedWrite, cursorCanMoveBack, silentLoss, sameStatementExplanation,
	unorderedLocks, writtenTwice, untargetedDoNothing, unboundedRead, missingScope, badWaiver,
}

// ByID returns the rule of that name, or nil.
func ByID(id string) *Rule {
	for _, r := range All {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// Finding is one problem reported by a rule.
type Finding struct {
	Rule     *Rule
	Severity Severity
	Query    *verdict.Query
	Write    *verdict.Write // nil if it is not about a write
	Table    string
	Offset   int // the offset in the query's text
	Lines    []string
	Advice   *Advice        // nil without a known remedy
	Against  *verdict.Query // the competing query, if it is another one
}

// Options are the settings of a project.
type Options struct {
	Tenant     []string // tenant columns
	Viewed     []string // tables whose reads must have a viewer parameter
	Viewer     []string // the names of viewer parameters
	Isolation  Isolation
	Severities []Severities // the last one that matches a finding applies
}

// EveryRule stands for all rules in a project's severities.
const EveryRule = "all"

// Severities overrides the severities of some rules.
type Severities struct {
	Files func(name string) bool // the files that they apply to; nil means all
	Rules map[string]Severity
}

// severity returns the configured severity of a finding.
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

// check applies a rule to one query.
type check struct {
	rule    *Rule
	db      *verdict.Database
	query   *verdict.Query
	options *Options
	known   map[string]*verdict.Query
	lockers map[*catalog.Table][]*verdict.Query
	found   []Finding
}

// at adds a finding with the rule's own severity; the caller may change it.
func (c *check) at(offset int, table string, lines ...string) *Finding {
	c.found = append(c.found, Finding{
		Rule: c.rule, Severity: c.rule.Severity, Query: c.query, Table: table, Offset: max(offset, 0), Lines: lines,
	})
	return &c.found[len(c.found)-1]
}

// on adds a finding about a write.
func (c *check) on(w *verdict.Write, lines ...string) *Finding {
	f := c.at(w.Location, w.Table(), lines...)
	f.Write = w
	if w.Function != "" { // it is in another text: point at the query
		f.Offset = start(c.query)
		f.Lines = append(f.Lines, "The write is in the function "+w.Function+".")
	}
	return f
}

// place moves a finding further into the query's text. A finding inside a function stays at the call:
// its offsets refer to another text.
func (f *Finding) place(offset int) {
	if f.Write == nil || f.Write.Function == "" {
		f.Offset = max(offset, f.Offset)
	}
}

// Check applies all rules to a database, and then the waivers in its queries.
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

// settle applies the configured severities, and sorts.
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
