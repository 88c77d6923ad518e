package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"waybill/cmd/sqlguard/rules"
)

type jsonFinding struct {
	Rule     string `json:"rule"`
	Severity string `json:"severity"`
	File     string `json:"file"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	Query    string `json:"query"`
	Table    string `json:"table,omitempty"`
	Verdict  string `json:"verdict,omitempty"`
	Message  string `json:"message"`
	Try      string `json:"try,omitempty"`
}

type jsonOutput struct {
	Findings []jsonFinding  `json:"findings"`
	Queries  int            `json:"queries"`
	Verdicts map[string]int `json:"verdicts"`
	Baseline int            `json:"baseline"`
	Gone     []string       `json:"baseline_not_needed"`
	LeftOut  []string       `json:"not_looked_at"`
}

func jsonReport(out io.Writer, r *Report, _ bool) error {
	queries, verdicts, _ := count(r.Databases)
	o := jsonOutput{Findings: []jsonFinding{}, Queries: queries, Verdicts: verdicts, Baseline: r.Baseline,
		Gone: append([]string{}, r.Gone...), LeftOut: append([]string{}, r.LeftOut...)}
	for _, f := range r.Findings {
		line, column := place(f)
		j := jsonFinding{f.Rule.ID, string(f.Severity), f.Query.File.Path, line, column,
			f.Query.Name, f.Table, "", message(f), f.Try()}
		if f.Write != nil {
			j.Verdict = string(f.Write.Verdict)
		}
		o.Findings = append(o.Findings, j)
	}
	return encode(out, o)
}

func encode(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// github prints workflow commands, which GitHub shows as annotations of the lines.
func github(out io.Writer, r *Report, _ bool) error {
	for _, f := range r.Findings {
		line, column := place(f)
		_, err := fmt.Fprintf(out, "::%s file=%s,line=%d,col=%d,title=%s::%s\n", level(f.Severity),
			property(f.Query.File.Path), line, column, property(f.Rule.ID+" in "+name(f)),
			data(strings.Join(append(f.Lines, tryLine(f)...), "\n")))
		if err != nil {
			return err
		}
	}
	return nil
}

func tryLine(f rules.Finding) []string {
	if f.Try() == "" {
		return nil
	}
	return []string{"try: " + f.Try()}
}

func level(s rules.Severity) string {
	if s == rules.Note {
		return "notice"
	}
	return string(s)
}

var escapes = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")

func data(s string) string { return escapes.Replace(s) }

func property(s string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(escapes.Replace(s))
}
