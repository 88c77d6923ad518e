package sqltext

import "strings"

// Clauses holds the offsets of the clauses of a SELECT, UPDATE or DELETE, or of the DO UPDATE of an
// INSERT.
type Clauses struct {
	SetEnd   int // after the last assignment
	Where    int // the start of the condition; -1 without one
	WhereEnd int // after the condition, or where a WHERE can be inserted
	End      int // after the statement
	Ordered  bool
}

// ends are the keywords that end a WHERE at the statement's own nesting level.
var ends = map[string]bool{"returning": true, "group": true, "having": true,
	"order": true, "limit": true, "offset": true,
	"fetch": true, "for": true, "union": true, "intersect": true, "except": true, "window": true}

// ClausesOf finds the clauses after the table name at the offset from. For an upsert it finds those of
// DO UPDATE.
func ClausesOf(text string, from int, upsert bool) Clauses {
	c := clauseReader{Clauses: Clauses{SetEnd: -1, Where: -1, WhereEnd: -1}, waiting: upsert}
	for t := range Tokens(text[from:]) {
		if !c.token(text[from:], t, from) {
			break
		}
	}
	c.close(c.last)
	c.End = c.last
	return c.Clauses
}

// clauseReader scans one statement.
type clauseReader struct {
	Clauses
	waiting  bool   // for DO UPDATE
	depth    int    // of parentheses
	previous string // the word before
	last     int    // after the last token that is neither white space nor a comment
	on       int    // the offset of the last ON, after the token before it
}

// token processes a token, and reports whether the statement continues.
func (c *clauseReader) token(text string, t Token, from int) bool {
	switch t.Kind {
	case Space, Comment:
		return true
	case Semicolon:
		return false
	case Other:
		c.depth += strings.Count(text[t.Start:t.End], "(") - strings.Count(text[t.Start:t.End], ")")
		if c.depth < 0 {
			return false
		}
	}
	word := ""
	if t.Kind == Word && c.depth == 0 {
		word = strings.ToLower(text[t.Start:t.End])
		c.word(word, from+t.End)
	}
	c.previous = word
	c.last = from + t.End
	return true
}

func (c *clauseReader) word(word string, end int) {
	switch {
	case c.waiting:
		c.waiting = !(word == "update" && c.previous == "do")
	case word == "on":
		c.on = c.last
	case word == "conflict" && c.previous == "on": // the conflict of the INSERT around a SELECT
		c.close(c.on)
	case word == "where" && c.Where < 0 && c.WhereEnd < 0:
		c.assignments()
		c.Where = end
	case word == "from" && c.previous != "distinct":
		c.assignments()
	case ends[word]:
		c.close(c.last)
		c.Ordered = c.Ordered || word == "order"
	}
}

// assignments marks the end of the SET, if it is not marked yet.
func (c *clauseReader) assignments() {
	if c.SetEnd < 0 {
		c.SetEnd = c.last
	}
}

// close marks the end of the SET and the WHERE, if they are not marked yet.
func (c *clauseReader) close(at int) {
	c.assignments()
	if c.WhereEnd < 0 {
		c.WhereEnd = at
	}
}

// And returns the edits that add a condition to the WHERE, or create one.
func (c Clauses) And(condition string) []Edit {
	if c.Where < 0 {
		return []Edit{{c.WhereEnd, c.WhereEnd, " WHERE " + condition}}
	}
	return []Edit{{c.Where, c.Where, " ("}, {c.WhereEnd, c.WhereEnd, ") AND " + condition}}
}

// Value returns the span of the value in the assignment at the offset.
func Value(text string, assignment int) Span {
	s := Span{-1, -1}
	depth := 0
	for t := range Tokens(text[assignment:]) {
		word := text[assignment+t.Start : assignment+t.End]
		switch {
		case t.Kind == Space || t.Kind == Comment:
			continue
		case s.Start < 0 && depth == 0 && word == "=":
			s.Start = assignment + t.End
			continue
		case t.Kind == Other:
			depth += strings.Count(word, "(") - strings.Count(word, ")")
		}
		ended := t.Kind == Semicolon || depth < 0 || depth == 0 && word == ","
		if t.Kind == Word && depth == 0 {
			lower := strings.ToLower(word)
			ended = ended || lower == "where" || lower == "from" || lower == "returning"
		}
		if ended && s.Start >= 0 {
			return s
		}
		s.End = assignment + t.End
	}
	return s
}

// After returns the offset after the first two consecutive words, or -1.
func After(text string, from int, first, second string) int {
	previous := ""
	for t := range Tokens(text[from:]) {
		word := ""
		switch t.Kind {
		case Space, Comment:
			continue
		case Word:
			word = strings.ToLower(text[from+t.Start : from+t.End])
		}
		if previous == first && word == second {
			return from + t.End
		}
		previous = word
	}
	return -1
}
