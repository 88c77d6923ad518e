package api

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Time is an instant in a body or a query. It accepts what parseTime accepts, and normalizes to UTC and
// microseconds, like answers: two spellings of a time are the same request.
type Time struct{ time.Time }

// UnmarshalText implements encoding.TextUnmarshaler, for parameters.
func (t *Time) UnmarshalText(text []byte) error {
	parsed, wrong := parseTime(string(text))
	if wrong != "" {
		return errors.New(wrong)
	}
	t.Time = parsed
	return nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *Time) UnmarshalJSON(data []byte) error {
	var text *string
	if err := json.Unmarshal(data, &text); err != nil || text == nil {
		return err
	}
	return t.UnmarshalText([]byte(*text))
}

// timeFormat is the name of the format in the document.
const timeFormat = "date-time"

// Schema implements huma.SchemaProvider: an RFC 3339 time. The format is set as an extension, which
// huma does not validate: Go's rules differ from RFC 3339 in both directions.
func (Time) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString, Extensions: map[string]any{"format": timeFormat}}
	s.PrecomputeMessages()
	return s
}

// standard returns the time for the database.
func (t *Time) standard() *time.Time {
	if t == nil {
		return nil
	}
	return &t.Time
}

const (
	noTime     = "expected an RFC 3339 time between the years 1900 and 9998"
	leapSecond = "expected a time other than a leap second: the second 60 cannot be stored"
	plainPlus  = "expected an RFC 3339 time: encode the + of its offset as %2B in a query, where a + is "
)

// parseTime parses an RFC 3339 time according to its grammar, with T and Z in either case, and returns
// it in UTC with the database's microseconds. wrong explains what is invalid. Times whose year may have
// more or less than four digits in some zone do not round-trip as RFC 3339, and the year 1, Go's zero
// time, would look like no time: both are rejected.
func parseTime(text string) (t time.Time, wrong string) {
	const whole = len("2030-01-01T09:00:00")
	if len(text) <= whole || !hasForm(text[:whole], "0000-00-00T00:00:00") {
		return t, noTime
	}
	rest := text[whole:]
	nanoseconds, rest, ok := fraction(rest)
	if !ok {
		return t, noTime
	}
	offset, ok := offsetOf(rest)
	if !ok {
		return t, noTime
	}
	year, month, day := number(text[0:4]), time.Month(number(text[5:7])), number(text[8:10])
	hour, minute, second := number(text[11:13]), number(text[14:16]), number(text[17:19])
	t = time.Date(year, month, day, hour, minute, second, nanoseconds, time.UTC)
	isLeap := second == 60
	if isLeap {
		second, t = 59, t.Add(-time.Second)
	}
	if t.Month() != month || t.Day() != day || t.Hour() != hour || t.Minute() != minute || t.Second() != second {
		return t, noTime // a day or an hour that does not exist
	}
	t = t.Add(-offset).Truncate(time.Microsecond)
	switch {
	case t.Year() < 1900 || t.Year() > 9998:
		return t, noTime
	case isLeap:
		return t, leapSecond
	}
	return t, ""
}

// hasForm reports whether text matches a form, in which 0 stands for a digit; letters match in either
// case.
func hasForm(text, form string) bool {
	if len(text) != len(form) {
		return false
	}
	for i := range len(form) {
		isDigit := text[i] >= '0' && text[i] <= '9'
		switch {
		case form[i] == '0' && !isDigit:
			return false
		case form[i] == 'T' && text[i] == 't', form[i] == 'Z' && text[i] == 'z':
		case form[i] != '0' && text[i] != form[i]:
			return false
		}
	}
	return true
}

func number(digits string) (n int) {
	for i := range len(digits) {
		n = 10*n + int(digits[i]-'0')
	}
	return n
}

// fraction parses an optional fraction of a second.
func fraction(text string) (nanoseconds int, rest string, ok bool) {
	if text[0] != '.' {
		return 0, text, true
	}
	rest = strings.TrimLeft(text[1:], "0123456789")
	digits := text[1 : len(text)-len(rest)]
	if digits == "" {
		return 0, "", false
	}
	return number((digits + "000000000")[:9]), rest, true
}

// offsetOf parses the UTC offset at the end of a time.
func offsetOf(text string) (offset time.Duration, ok bool) {
	if hasForm(text, "Z") {
		return 0, true
	}
	if !hasForm(text, "+00:00") && !hasForm(text, "-00:00") {
		return 0, false
	}
	hours, minutes := number(text[1:3]), number(text[4:6])
	offset = time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if text[0] == '-' {
		offset = -offset
	}
	return offset, hours <= 23 && minutes <= 59
}

// wrongTime returns the violation of a time in the query, or "".
func wrongTime(value string) string {
	_, wrong := parseTime(value)
	if space := strings.LastIndexByte(value, ' '); wrong != "" && space >= 0 {
		if _, other := parseTime(value[:space] + "+" + value[space+1:]); other == "" {
			return plainPlus
		}
	}
	return wrong
}
