// Package races runs the races on the rules' pages against PostgreSQL: each line of a page is one
// statement of a session with its expected result.
package races

import (
	"fmt"
	"regexp"
	"strings"
)

// Line is one line of a race: "A UPDATE …; -- 1 row". A line without SQL states the result of the
// session's blocked statement.
type Line struct {
	Session string
	SQL     string
	Want    string // "waits", "1 row", "ok", "error 23505", or the values of the first row
}

// continuation matches the line break before an indented line.
var continuation = regexp.MustCompile(`\n[ \t]+`)

// Parse parses the lines of a race. An indented line continues the one before it.
func Parse(text string) ([]Line, error) {
	var lines []Line
	for raw := range strings.Lines(continuation.ReplaceAllString(text, " ")) {
		raw = strings.TrimSpace(raw)
		if raw == "" {
			continue
		}
		session, rest, ok := strings.Cut(raw, " ")
		if !ok {
			return nil, fmt.Errorf("%q: expected a session and a statement", raw)
		}
		l := Line{Session: session, SQL: rest}
		if i := strings.LastIndex(" "+rest, " -- "); i >= 0 {
			l.SQL, l.Want = strings.TrimSpace(rest[:max(i-1, 0)]), strings.TrimSpace(rest[i+3:])
		}
		lines = append(lines, l)
	}
	return lines, nil
}
