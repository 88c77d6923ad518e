// Package sqltext scans SQL text: tokens, statements, comments and parameters. It never fails; an
// unterminated token ends with the text.
package sqltext

import (
	"iter"
	"strings"
	"unicode/utf8"
)

// Kind is the kind of a token.
type Kind uint8

const (
	Space Kind = iota
	Comment
	Word      // identifier or keyword, not quoted
	Quoted    // "identifier"
	String    // 'text', E'text', $tag$text$tag$
	Operator  // a run of operator characters
	Semicolon // ;
	Other     // a digit, a parenthesis, a comma …
)

// Token is text[Start:End].
type Token struct {
	Kind       Kind
	Start, End int
}

// Tokens returns an iterator over the tokens of text, in order and without gaps.
func Tokens(text string) iter.Seq[Token] {
	return func(yield func(Token) bool) {
		for at := 0; at < len(text); {
			kind, end := next(text, at)
			if !yield(Token{kind, at, end}) {
				return
			}
			at = end
		}
	}
}

func next(text string, at int) (Kind, int) {
	rest, c := text[at:], text[at]
	switch {
	case isSpace(c):
		return Space, at + span(rest, isSpace)
	case strings.HasPrefix(rest, "--"):
		return Comment, at + until(rest, "\n", 0, 0)
	case strings.HasPrefix(rest, "/*"):
		return Comment, at + blockComment(rest)
	case c == '\'':
		return String, at + quoted(rest, '\'', 1, false)
	case (c == 'e' || c == 'E') && strings.HasPrefix(rest[1:], "'"):
		return String, at + quoted(rest, '\'', 2, true)
	case c == '"':
		return Quoted, at + quoted(rest, '"', 1, false)
	case c == '$':
		return dollar(rest, at)
	case c == ';':
		return Semicolon, at + 1
	case isIdentStart(c):
		return Word, at + span(rest, isIdent)
	case isOperator(c):
		return Operator, at + operator(rest)
	}
	_, size := utf8.DecodeRuneInString(rest)
	return Other, at + size
}

// operator returns the length of a run of operator characters; a comment ends it.
func operator(rest string) int {
	n := span(rest, isOperator)
	for _, comment := range []string{"--", "/*"} {
		if i := strings.Index(rest[:n], comment); i > 0 {
			n = i
		}
	}
	return n
}

// dollar returns a dollar-quoted string, or else a single character: $1 is Other twice.
func dollar(rest string, at int) (Kind, int) {
	tag := 1 + span(rest[1:], isIdent)
	if tag >= len(rest) || rest[tag] != '$' || (tag > 1 && isDigit(rest[1])) {
		return Other, at + 1
	}
	open := rest[:tag+1]
	return String, at + until(rest, open, len(open), len(open))
}

// until returns the length up to and including the next stop after from; keep of its bytes are not
// consumed.
func until(rest, stop string, from, keep int) int {
	if i := strings.Index(rest[from:], stop); i >= 0 {
		return from + i + keep
	}
	return len(rest)
}

// quoted returns the length of a quoted text whose content begins at from.
func quoted(rest string, quote byte, from int, escapes bool) int {
	for i := from; i < len(rest); i++ {
		switch {
		case escapes && rest[i] == '\\':
			i++
		case rest[i] == quote && i+1 < len(rest) && rest[i+1] == quote:
			i++
		case rest[i] == quote:
			return i + 1
		}
	}
	return len(rest)
}

// blockComment returns the length of a comment, including nested ones.
func blockComment(rest string) int {
	depth := 0
	for i := 0; i+1 < len(rest); i++ {
		switch rest[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			depth--
			i++
		}
		if depth == 0 {
			return i + 1
		}
	}
	return len(rest)
}

func span(s string, is func(byte) bool) int {
	for i := range len(s) {
		if !is(s[i]) {
			return i
		}
	}
	return len(s)
}

func isSpace(c byte) bool      { return c == ' ' || (c >= '\t' && c <= '\r') }
func isDigit(c byte) bool      { return c >= '0' && c <= '9' }
func isIdent(c byte) bool      { return isIdentStart(c) || isDigit(c) }
func isOperator(c byte) bool   { return strings.IndexByte("+-*/<>=~!@#%^&|`?", c) >= 0 }
func isIdentStart(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80 }
