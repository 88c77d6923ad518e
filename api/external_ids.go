package api

import "strings"

// trimID is an id from a facility's records without what cannot be seen around it, in
// whatever script: records that were typed have blanks, and "7 " is the same id as "7".
func trimID(id string) string {
	return strings.TrimFunc(id, func(r rune) bool { return !isVisible(r) })
}
