package project

import (
	"regexp"
	"strings"
)

// Lines that separate the up and down parts of a migration: goose, sql-migrate, dbmate and tern.
// (golang-migrate keeps the down part in a file of its own.)
var (
	goesDown = regexp.MustCompile(
		`(?i)^\s*--\s*(\+goose\s+down|\+migrate\s+down|migrate:down)\b|^---- create above / drop below ----`)
	goesUp   = regexp.MustCompile(`(?i)^\s*--\s*(\+goose\s+up|\+migrate\s+up|migrate:up)\b`)
	copyData = regexp.MustCompile(`(?i)^COPY\s.*\sFROM\s+stdin\b.*;\s*$`)
)

// Up returns the up part of a migration, or a dump without psql commands and COPY data. Removed text is
// replaced by spaces, so that byte offsets stay the same.
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

// isMeta reports whether a line is a psql meta-command, like \connect.
func isMeta(line string) bool {
	return len(line) > 1 && line[0] == '\\' && line[1]|0x20 >= 'a' && line[1]|0x20 <= 'z'
}
