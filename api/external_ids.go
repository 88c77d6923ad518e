package api

import (
	"strings"
	"unicode"

	"waybill/db"
)

// trimID is an id from a facility's records without the blanks around it, in whatever
// script: records that were typed have them, and "7 " is the same id as "7".
func trimID(id string) string { return strings.TrimFunc(id, isBlank) }

// isBlank also knows what shows as nothing and is no white space to Unicode.
func isBlank(r rune) bool {
	switch r {
	case '\u180e', '\u200b', '\u2060', '\ufeff':
		return true
	}
	return unicode.IsSpace(r)
}

// blankID refuses an id that is nothing but blanks.
func blankID(field, id string) []error {
	if id == "" || trimID(id) != "" {
		return nil
	}
	return []error{problem(db.ValidationFailed, field, field+": expected text that is not blank.")}
}
