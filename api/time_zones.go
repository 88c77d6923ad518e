package api

import (
	"regexp"
	"strings"
	"time"
	_ "time/tzdata" // the same names on every machine, and on those that have none

	"github.com/danielgtaylor/huma/v2"
)

// TimeZone is the name of a time zone in a body: one of the IANA database. The constraint of facilities has its form.
type TimeZone string

var timeZoneForm = regexp.MustCompile(`^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$`)

// Schema implements huma.SchemaProvider.
func (TimeZone) Schema(huma.Registry) *huma.Schema {
	return patternedText(timeZoneForm.String(), "the name of a time zone", 1, 64)
}

func (TimeZone) rule() *textRule {
	return &textRule{isTimeZone, "expected the name of a time zone of the IANA database, such as America/Los_Angeles"}
}

// isTimeZone reports whether a name is one of the IANA database. Local is Go's name for the zone of this machine;
// posix/ and right/ are folders of some machines, whose names no browser knows.
func isTimeZone(name string) bool {
	if name == "Local" || strings.HasPrefix(name, "posix/") || strings.HasPrefix(name, "right/") {
		return false
	}
	_, err := time.LoadLocation(name)
	return err == nil && timeZoneForm.MatchString(name)
}
