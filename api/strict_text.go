package api

import (
	"strings"
	"unicode"
)

// visible is the pattern of a text that must not be blank. What it calls white space is
// Go's to some, and a browser's to others: isBlank has the last word.
const visible = `\S`

const notBlank = "expected text that is not blank"

// isBlank tells whether there is nothing to see in a text, in whatever script.
func isBlank(text string) bool { return !strings.ContainsFunc(text, isVisible) }

// isVisible tells whether a character leaves a mark by itself: it is no white space, no
// control, no format character (of no width, such as U+200B and U+FEFF), no variation
// selector or other one that is ignored where it cannot be shown, and none of the letters
// and signs that are blank by design.
func isVisible(r rune) bool {
	switch r {
	case 0x115f, 0x1160, 0x3164, 0xffa0, // Hangul fillers
		0x2800,         // Braille without a dot
		0x17b4, 0x17b5: // Khmer vowels that are not written
		return false
	}
	return !unicode.IsSpace(r) &&
		!unicode.In(r, unicode.Cc, unicode.Cf, unicode.Z, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}
