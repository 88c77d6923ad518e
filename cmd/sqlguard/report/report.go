// Package report prints findings: for people, for programs, and for the services
// that show them beside the code.
package report

import (
	"fmt"
	"io"
	"strings"

	"waybill/cmd/sqlguard/rules"
	"waybill/cmd/sqlguard/verdict"
)

// Report is the outcome of a run.
type Report struct {
	Databases []*verdict.Database
	Findings  []rules.Finding
	Baseline  int      // how many findings the baseline holds back
	Gone      []string // the baseline's lines that are not needed any more
	LeftOut   []string // what the project has that is not PostgreSQL
}

// Fails reports whether the findings should fail a run: notes do not.
func (r *Report) Fails() bool {
	for _, f := range r.Findings {
		if f.Severity != rules.Note {
			return true
		}
	}
	return false
}

// Formats are the ways to print a report.
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

// name is the query's name, or what stands for it.
func name(f rules.Finding) string {
	if f.Query.Name == "" {
		return "(no name)"
	}
	return f.Query.Name
}

// message is what a finding says, in one line.
func message(f rules.Finding) string {
	return strings.Join(f.Lines, " ")
}

// place is where a finding is, from 1.
func place(f rules.Finding) (line, column int) { return f.Query.Place(f.Offset) }
