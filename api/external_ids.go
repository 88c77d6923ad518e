package api

import "strings"

// trimID removes invisible characters around an external id, in any script: typed records contain
// blanks, and "7 " is the same id as "7".
func trimID(id string) string {
	return strings.TrimFunc(id, func(r rune) bool { return !isVisible(r) })
}
