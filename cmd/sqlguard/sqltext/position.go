package sqltext

import (
	"sort"
	"strings"
	"unicode/utf8"
)

// Lines is an index of the lines of a text.
type Lines struct {
	text   string
	starts []int
}

// NewLines indexes the lines of text.
func NewLines(text string) *Lines {
	l := &Lines{text: text, starts: []int{0}}
	for i := range len(text) {
		if text[i] == '\n' {
			l.starts = append(l.starts, i+1)
		}
	}
	return l
}

// Position returns the line and column of an offset, both from 1; columns count characters.
func (l *Lines) Position(offset int) (line, column int) {
	offset = max(0, min(offset, len(l.text)))
	line = sort.SearchInts(l.starts, offset+1)
	start := l.starts[line-1]
	return line, utf8.RuneCountInString(l.text[start:offset]) + 1
}

// Line returns a line without its line ending.
func (l *Lines) Line(line int) string {
	if line < 1 || line > len(l.starts) {
		return ""
	}
	rest := l.text[l.starts[line-1]:]
	if i := strings.IndexByte(rest, '\n'); i >= 0 {
		rest = rest[:i]
	}
	return strings.TrimSuffix(rest, "\r")
}
