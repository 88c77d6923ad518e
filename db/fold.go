package db

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// FoldCase returns the one form of texts that differ in case or composition alone, as SQL's
// fold_case does: what that holds for one, this does too.
func FoldCase(text string) string { return strings.Map(foldRune, norm.NFC.String(text)) }

// foldRune returns the lower case of the least of the characters that fold to each other.
func foldRune(r rune) rune {
	if r < unicode.MaxASCII {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}
	least, alone := r, true
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least, alone = min(least, next), false
	}
	if alone {
		return r
	}
	return unicode.ToLower(unicode.ToUpper(least))
}
