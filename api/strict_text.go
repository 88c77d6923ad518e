package api

import (
	"strings"
	"unicode"
)

// textRule is what a pattern of the document means in every script. What `\s` is differs
// from Go, where it is a few characters, to a browser: the pattern alone would let
// through what nobody sees.
type textRule struct {
	holds     func(text string) bool
	otherwise string
}

const notBlank = "expected text that is not blank"

// textRules are known by the patterns of the members that they hold for.
var textRules = map[string]*textRule{
	`\S`: {func(text string) bool { return !isBlank(text) }, notBlank},
}

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
		!unicode.In(r, unicode.Cc, unicode.Cf, unicode.Z, unicode.Variation_Selector,
			unicode.Other_Default_Ignorable_Code_Point)
}
