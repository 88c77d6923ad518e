package report

import (
	"fmt"
	"io"
	"strings"

	"waybill/cmd/sqlguard/rules"
)

// painter adds colours to text, if enabled.
type painter bool

const (
	bold   = "1"
	dim    = "2"
	red    = "1;31"
	yellow = "1;33"
	blue   = "1;34"
	green  = "32"
)

func (p painter) paint(style, s string) string {
	if !p || s == "" {
		return s
	}
	return "\x1b[" + style + "m" + s + "\x1b[0m"
}

func style(s rules.Severity) string {
	switch s {
	case rules.Error:
		return red
	case rules.Warning:
		return yellow
	}
	return blue
}

// text prints a report for the terminal.
func text(out io.Writer, r *Report, colour bool) error {
	p := painter(colour)
	for _, f := range r.Findings {
		p.finding(out, f)
	}
	for _, entry := range r.LeftOut {
		fmt.Fprintf(out, "skipped: %s\n", entry)
	}
	for _, line := range r.Gone {
		fmt.Fprintf(out, "no longer needed in the baseline: %s\n", strings.ReplaceAll(line, "\t", " "))
	}
	_, err := fmt.Fprintln(out, summary(r))
	return err
}

func (p painter) finding(out io.Writer, f rules.Finding) {
	line, column := place(f)
	fmt.Fprintf(out, "%s %s  %s (%s)\n", p.paint(bold, fmt.Sprintf("%s:%d:%d", f.Query.File.Path, line, column)),
		name(f), p.paint(style(f.Severity), f.Rule.ID), f.Severity)
	source := f.Query.File.Lines().Line(line)
	if strings.TrimSpace(source) != "" {
		fmt.Fprintf(out, "  %s\n  %s\n", p.paint(dim, fmt.Sprintf("%4d | %s", line, source)),
			p.paint(style(f.Severity), "     | "+caret(source, column)))
	}
	for _, l := range f.Lines {
		fmt.Fprintf(out, "  %s\n", l)
	}
	if f.Try() != "" {
		fmt.Fprintf(out, "  %s %s\n", p.paint(green, "try:"), f.Try())
	}
	fmt.Fprintln(out)
}

// caret marks a column on the line below; tabs are kept, so that it lines up.
func caret(source string, column int) string {
	var pad strings.Builder
	for i, c := range []rune(source) {
		if i+1 >= column {
			break
		}
		if c != '\t' {
			c = ' '
		}
		pad.WriteRune(c)
	}
	return pad.String() + "^"
}
