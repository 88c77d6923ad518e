package db

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// FoldCase returns the same text for texts that differ only in case or Unicode composition, like
// fold_case in SQL.
func FoldCase(text string) string { return strings.Map(foldRune, norm.NFC.String(text)) }

// foldRune returns the lower case of the smallest character that folds to r.
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
