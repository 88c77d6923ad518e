package gate

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
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

// Text prints the findings for people, those that refuse last: of findings that are alike some, and how many there
// are; all of them, if it is asked to.
func Text(out io.Writer, r *Result, all bool) error {
	var text strings.Builder
	fmt.Fprintf(&text, "compared with %.12s, %s: %s\n", r.Base.Commit, r.Base.Why, count(len(r.New), "new migration"))
	for _, what := range r.Skipped {
		fmt.Fprintln(&text, "not tried: "+what)
	}
	refused := 0
	for _, f := range r.Findings {
		if !f.Note {
			refused++
		}
	}
	left := 0
	for _, g := range groups(r.Findings) {
		left += g.print(&text, all)
	}
	if left > 0 {
		fmt.Fprintf(&text, "\n%s left out: --all prints them, --json each on a line\n", count(left, "finding"))
	}
	_, err := fmt.Fprintf(out, "%s%s refused, %s told\ntime: %s\n", &text, count(refused, "finding"),
		count(len(r.Findings)-refused, "note"), spentText(r.Spent))
	return err
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
