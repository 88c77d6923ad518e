package api

import (
	"strings"
	"unicode"
)

// textRule implements a pattern of the document for all scripts. The meaning of `\s` ranges from a few
// characters in Go to many in a browser: the pattern alone would accept invisible text.
type textRule struct {
	holds   func(text string) bool
	message string
}

const notBlank = "expected text that is not blank"

// textRules maps the patterns of members to their rules.
var textRules = map[string]*textRule{
	`\S`: {func(text string) bool { return !isBlank(text) }, notBlank},
}

// isBlank reports whether a text has no visible character, in any script.
func isBlank(text string) bool { return !strings.ContainsFunc(text, isVisible) }

// isVisible reports whether a character is visible by itself: not white space, a control or format
// character (zero width, such as U+200B and U+FEFF), a variation selector or another default-ignorable
// character, nor one of the letters and symbols that are blank by design.
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
