// Package syntax wraps PostgreSQL's own parser and has helpers for its parse trees. All functions
// accept nil nodes.
package syntax

import (
	"errors"
	"fmt"
	"unicode/utf8"

	pg "github.com/sqlc-dev/oliphant"
	"github.com/sqlc-dev/oliphant/parser"
)

// Error is a syntax error with its byte offset.
type Error struct {
	Offset  int
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("%s (at byte %d)", e.Message, e.Offset) }

// Parse returns the statements of text.
func Parse(text string) ([]*pg.Node, error) {
	if !utf8.ValidString(text) {
		return nil, &Error{Offset: invalid(text), Message: "not valid UTF-8"}
	}
	tree, err := pg.Parse(text)
	if err != nil {
		return nil, located(err, text)
	}
	var statements []*pg.Node
	for _, raw := range tree.GetStmts() {
		if raw.GetStmt() != nil {
			statements = append(statements, raw.GetStmt())
		}
	}
	return statements, nil
}

// invalid returns the offset of the first byte that is not valid UTF-8.
func invalid(text string) int {
	for i, c := range text {
		if _, size := utf8.DecodeRuneInString(text[i:]); c == utf8.RuneError && size == 1 {
			return i
		}
	}
	return len(text)
}

// located converts the parser's position (a character count from 1) into a byte offset.
func located(err error, text string) *Error {
	var parse *parser.Error
	if !errors.As(err, &parse) {
		return &Error{Message: err.Error()}
	}
	characters := 0
	for offset := range text {
		if characters++; characters >= parse.Cursorpos {
			return &Error{Offset: offset, Message: parse.Message}
		}
	}
	return &Error{Offset: len(text), Message: parse.Message}
}
