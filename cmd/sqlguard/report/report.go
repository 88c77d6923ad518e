// Package report prints findings as text, JSON, SARIF or GitHub annotations.
package report

import (
	"fmt"
	"io"
	"strings"

	"waybill/cmd/sqlguard/rules"
	"waybill/cmd/sqlguard/verdict"
)

// Report is the result of a run.
type Report struct {
	Databases []*verdict.Database
	Findings  []rules.Finding
	Baseline  int      // the number of findings suppressed by the baseline
	Gone      []string // stale lines of the baseline
	LeftOut   []string // entries for other databases than PostgreSQL
}

// Fails reports whether the findings fail the run; notes do not.
func (r *Report) Fails() bool {
	for _, f := range r.Findings {
		if f.Severity != rules.Note {
			return true
		}
	}
	return false
}

// Formats maps the name of an output format to its printer.
var Formats = map[string]func(io.Writer, *Report, bool) error{
	"text": text, "json": jsonReport, "sarif": sarif, "github": github,
}

// Verdicts prints the verdict of every write, one a line.
func Verdicts(out io.Writer, databases []*verdict.Database) {
	for _, d := range databases {
		for _, q := range d.Queries {
			for _, w := range q.Writes {
				fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\n", q.File.Name, q.Name, w.Table(), w.Verdict, w.Kind)
			}
			for _, function := range q.Opaque {
				fmt.Fprintf(out, "%s\t%s\t%s\t%s\t\n", q.File.Name, q.Name, function, verdict.Opaque)
			}
		}
	}
}

// name returns the query's name, or a placeholder.
func name(f rules.Finding) string {
	if f.Query.Name == "" {
		return "(no name)"
	}
	return f.Query.Name
}

// message returns a finding's message as one line.
func message(f rules.Finding) string {
	return strings.Join(f.Lines, " ")
}

// place returns the line and column of a finding, from 1.
func place(f rules.Finding) (line, column int) { return f.Query.Place(f.Offset) }
