// Package races plays the races that the rules' pages tell against PostgreSQL: each
// line of a page is one statement of one of the sessions, and says what it gives.
package races

import (
	"fmt"
	"strings"
)

// Line is one line of a race: "A UPDATE …; -- 1 row". A line without SQL says what
// the session's waiting statement gives in the end.
type Line struct {
	Session string
	SQL     string
	Want    string // "waits", "1 row", "ok", "error 23505", or the values of the first row
}

// Parse reads the lines of a race.
func Parse(text string) ([]Line, error) {
	var lines []Line
	for raw := range strings.Lines(text) {
		raw = strings.TrimSpace(raw)
		if raw == "" {
			continue
		}
		session, rest, ok := strings.Cut(raw, " ")
		if !ok {
			return nil, fmt.Errorf("%q: a session and a statement", raw)
		}
		l := Line{Session: session, SQL: rest}
		if i := strings.LastIndex(" "+rest, " -- "); i >= 0 {
			l.SQL, l.Want = strings.TrimSpace(rest[:max(i-1, 0)]), strings.TrimSpace(rest[i+3:])
		}
		lines = append(lines, l)
	}
	return lines, nil
}
