package gate

import (
	"encoding/json"
	"fmt"
	"io"

	"waybill/cmd/schemaguard/finding"
)

// JSON prints a finding a line.
func JSON(out io.Writer, r *Result) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	for _, f := range r.Findings {
		if err := e.Encode(f); err != nil {
			return err
		}
	}
	return nil
}

// Text prints the findings for people.
func Text(out io.Writer, r *Result) error {
	fmt.Fprintf(out, "compared with %.12s, %s: %s\n", r.Base.Commit, r.Base.Why, count(len(r.New), "new migration"))
	for _, what := range r.Skipped {
		fmt.Fprintln(out, "not tried: "+what)
	}
	refused := 0
	for _, f := range r.Findings {
		if !f.Note {
			refused++
		}
		if err := text(out, f); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "%s refused, %s told\ntime: %s\n", count(refused, "finding"),
		count(len(r.Findings)-refused, "note"), spentText(r.Spent))
	return err
}

func text(out io.Writer, f finding.Finding) error {
	kind := "refused"
	if f.Note {
		kind = "note"
	}
	_, err := fmt.Fprintf(out, "\n%s:%d: %s (%s)\n  %s\n", f.File, f.Line, f.Rule, kind, f.Message)
	if err == nil && f.Load != "" {
		_, err = fmt.Fprintf(out, "  under load: %s\n", f.Load)
	}
	if err == nil && f.Safe != "" {
		_, err = fmt.Fprintf(out, "  instead:    %s\n", f.Safe)
	}
	return err
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
