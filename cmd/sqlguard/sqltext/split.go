package sqltext

import "strings"

// Span is text[Start:End].
type Span struct{ Start, End int }

// Statements splits text at its semicolons, except those in strings, comments, parentheses and BEGIN
// ATOMIC bodies. Each span begins at its first token that is neither white space nor a comment; empty
// statements are skipped.
func Statements(text string) []Span {
	var spans []Span
	s := splitter{start: -1}
	for t := range Tokens(text) {
		if s.ends(text, t) {
			if s.start >= 0 {
				spans = append(spans, Span{s.start, t.Start})
			}
			s = splitter{start: -1}
		}
	}
	if s.start >= 0 {
		spans = append(spans, Span{s.start, len(text)})
	}
	return spans
}

// splitter scans one statement.
type splitter struct {
	start  int
	parens int
	atomic int // open BEGIN ATOMIC and CASE, each waiting for its END
	begin  bool
}

// ends reports whether t is the semicolon that ends the statement.
func (s *splitter) ends(text string, t Token) bool {
	switch t.Kind {
	case Space, Comment:
		return false
	case Semicolon:
		return s.parens <= 0 && s.atomic == 0
	case Word:
		s.word(strings.ToLower(text[t.Start:t.End]))
	case Other:
		s.parens += strings.Count(text[t.Start:t.End], "(") - strings.Count(text[t.Start:t.End], ")")
	}
	if s.start < 0 {
		s.start = t.Start
	}
	return false
}

func (s *splitter) word(word string) {
	switch {
	case s.begin && word == "atomic", s.atomic > 0 && word == "case":
		s.atomic++
	case s.atomic > 0 && word == "end":
		s.atomic--
	}
	s.begin = word == "begin"
}

// Comments returns the spans of the comments in text.
func Comments(text string) []Span {
	var spans []Span
	for t := range Tokens(text) {
		if t.Kind == Comment {
			spans = append(spans, Span{t.Start, t.End})
		}
	}
	return spans
}

// Blank replaces the span by spaces, keeping line breaks.
func Blank(text string, s Span) string {
	blank := strings.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		return ' '
	}, text[s.Start:s.End])
	if pad := s.End - s.Start - len(blank); pad > 0 { // multi-byte runes
		blank += strings.Repeat(" ", pad)
	}
	return text[:s.Start] + blank + text[s.End:]
}
