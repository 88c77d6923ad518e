package project

import (
	"regexp"
	"strings"
)

// The lines at which a migration turns, whatever tool runs it: goose, sql-migrate,
// dbmate and tern. (golang-migrate has a file of its own for the way down.)
var (
	goesDown = regexp.MustCompile(
		`(?i)^\s*--\s*(\+goose\s+down|\+migrate\s+down|migrate:down)\b|^---- create above / drop below ----`)
	goesUp   = regexp.MustCompile(`(?i)^\s*--\s*(\+goose\s+up|\+migrate\s+up|migrate:up)\b`)
	copyData = regexp.MustCompile(`(?i)^COPY\s.*\sFROM\s+stdin\b.*;\s*$`)
)

// Up is a migration without its way back, and a dump without psql's own commands
// and the data between COPY and "\.". What is left out becomes spaces, so that
// every byte keeps its place.
func Up(text string) string {
	var out strings.Builder
	down, data := false, false
	for line := range strings.Lines(text) {
		content := strings.TrimRight(line, "\r\n")
		switch {
		case goesUp.MatchString(content):
			down = false
		case goesDown.MatchString(content):
			down = true
		}
		starts := !down && copyData.MatchString(content)
		if down || data || starts || isMeta(content) {
			out.WriteString(strings.Repeat(" ", len(content)) + line[len(content):])
		} else {
			out.WriteString(line)
		}
		data = starts || data && content != `\.`
	}
	return out.String()
}

// isMeta reports whether a line is a command of psql, like \connect.
func isMeta(line string) bool {
	return len(line) > 1 && line[0] == '\\' && line[1]|0x20 >= 'a' && line[1]|0x20 <= 'z'
}
