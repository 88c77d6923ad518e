package api

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"waybill/db"
)

const notOneText = "not one complete JSON text"

// parse parses the current record.
func (r *feedReader) parse() (out db.FeedRecord, fault *db.FeedFault) {
	data := trimmed(r.record)
	switch {
	case bytes.HasPrefix(data, byteOrderMark):
		return out, r.refuse(unreadableBody, "", "it begins with "+aMark)
	case !utf8.Valid(data):
		return out, r.refuse(unreadableBody, "", "not valid UTF-8")
	case r.array == nil && !isJSON(data):
		return out, r.refuse(unreadableBody, "", notOneText)
	case data[0] != '{':
		return out, r.refuse(db.ValidationFailed, "", "expected an object")
	}
	if odd := badEscape(data); odd != "" {
		what := strings.TrimSuffix(strings.TrimPrefix(odd, "The body holds "), ".")
		return out, r.refuse(db.ValidationFailed, "", "it holds "+what)
	}
	p := recordParser{out: db.FeedRecord{Status: db.AppointmentStatusBOOKED}}
	if p.record(data); p.wrong != "" {
		return out, r.refuse(p.code, p.member, p.wrong)
	}
	return p.out, p.whole(r)
}

// whole checks the members against each other.
func (p *recordParser) whole(r *feedReader) *db.FeedFault {
	switch d := p.out.EndsAt.Sub(p.out.StartsAt); {
	case d <= 0:
		return r.refuse(db.ValidationFailed, "ends_at", "expected a time after starts_at")
	case d > db.LongestAppointment:
		what := fmt.Sprintf("expected a time within %d hours of starts_at", db.LongestAppointment/time.Hour)
		return r.refuse(db.ValidationFailed, "ends_at", what)
	}
	return nil
}

// recordParser fills a record from a text that isJSON has accepted, and keeps the first violation.
type recordParser struct {
	text   *jsonText
	out    db.FeedRecord
	code   db.Code
	member string
	wrong  string
}

// recordMember describes a member of an object. read takes the first token of its value, and returns
// the violation or "".
type recordMember struct {
	name     string
	optional bool
	read     func(p *recordParser, v jsontext.Token) (wrong string)
}

var appointmentMembers = []recordMember{
	{"external_id", false, func(p *recordParser, v jsontext.Token) string { return idOf(v, &p.out.ExternalID) }},
	{"patient", false, func(p *recordParser, v jsontext.Token) string {
		if v.Kind() != '{' {
			return "expected an object"
		}
		p.object("patient.", patientMembers)
		return ""
	}},
	{"starts_at", false, func(p *recordParser, v jsontext.Token) string { return timeOf(v, &p.out.StartsAt) }},
	{"ends_at", false, func(p *recordParser, v jsontext.Token) string { return timeOf(v, &p.out.EndsAt) }},
	{"status", true, func(p *recordParser, v jsontext.Token) string {
		text, ok := textOf(v)
		p.out.Status = db.AppointmentStatus(text)
		if !ok || !p.out.Status.Valid() {
			return "expected one of " + strings.Join(names(db.AllAppointmentStatusValues()), ", ")
		}
		return ""
	}},
}

var patientMembers = []recordMember{
	{"external_id", false, func(p *recordParser, v jsontext.Token) string { return idOf(v, &p.out.PatientExternalID) }},
	{"given_name", false, func(p *recordParser, v jsontext.Token) string { return nameOf(v, &p.out.GivenName) }},
	{"family_name", false, func(p *recordParser, v jsontext.Token) string { return nameOf(v, &p.out.FamilyName) }},
	{"birth_date", false, func(p *recordParser, v jsontext.Token) string {
		text, ok := textOf(v)
		day, err := db.ParseDate(text)
		p.out.BirthDate = day
		switch {
		case !ok || err != nil || len(text) != len(time.DateOnly):
			return "expected a date of the form 1990-05-17"
		case !isBirthDate(day):
			return birthDateExpected
		}
		return ""
	}},
	{"phone", true, func(p *recordParser, v jsontext.Token) string {
		text, ok := textOf(v)
		p.out.Phone = text
		if !ok || !e164.MatchString(text) {
			return "expected an E.164 number"
		}
		return ""
	}},
}

// plainName matches a member's name that an answer may repeat.
var plainName = regexp.MustCompile(`^[A-Za-z_]{1,40}$`)

// record parses the whole record.
func (p *recordParser) record(data []byte) {
	p.text = readText(data)
	defer p.text.release()
	p.text.ReadToken() // the opening brace
	p.object("", appointmentMembers)
}

// object parses an object after its opening brace. It keeps the first violation: an unknown, duplicate
// or invalid member, or a missing one.
func (p *recordParser) object(path string, members []recordMember) {
	fail := func(code db.Code, name, what string) { p.code, p.member, p.wrong = code, path+name, what }
	seen := 0 // members that are present and not null
	for p.wrong == "" && p.text.PeekKind() != '}' {
		token, err := p.text.ReadToken()
		if err != nil {
			wrong := wrongName(err)
			fail(db.ValidationFailed, wrong.field, wrong.what)
			break
		}
		name := token.String()
		i := memberNamed(members, name)
		value, _ := p.text.ReadToken()
		switch {
		case i < 0 && plainName.MatchString(name):
			fail(unknownField, name, "unknown member")
		case i < 0:
			fail(unknownField, "", "it has an unknown member")
		case value.Kind() == 'n': // omitted
		default:
			seen |= 1 << i
			if wrong := members[i].read(p, value); wrong != "" {
				fail(db.ValidationFailed, name, wrong)
			}
		}
	}
	p.text.ReadToken() // the closing brace, unless there is a violation
	p.member = strings.TrimSuffix(p.member, ".")
	for i, m := range members {
		if p.wrong == "" && !m.optional && seen&(1<<i) == 0 {
			fail(db.ValidationFailed, m.name, "required")
		}
	}
}

func memberNamed(members []recordMember, name string) int {
	for i := range members {
		if members[i].name == name {
			return i
		}
	}
	return -1
}

// textOf returns the text of a string token.
func textOf(value jsontext.Token) (text string, ok bool) {
	if value.Kind() != '"' {
		return "", false
	}
	return value.String(), true
}

// longestText is the database's limit in characters.
const longestText = 200

// idOf accepts a string, without surrounding blanks, or a number, as its literal digits: never a float.
func idOf(value jsontext.Token, into *string) (wrong string) {
	text := value.String()
	isDigits := value.Kind() == '0' && !strings.ContainsAny(text, "-.eE")
	if value.Kind() != '"' && !isDigits {
		return "expected a string, or a number without sign, fraction or exponent"
	}
	*into = trimID(text)
	return oddText(*into)
}

func nameOf(value jsontext.Token, into *string) (wrong string) {
	text, ok := textOf(value)
	if !ok {
		return "expected a string"
	}
	*into = text
	return oddText(text)
}

func oddText(text string) string {
	switch {
	case isBlank(text):
		return notBlank
	case utf8.RuneCountInString(text) > longestText:
		return fmt.Sprintf("expected at most %d characters", longestText)
	}
	return ""
}

// timeOf accepts the times that parseTime accepts.
func timeOf(value jsontext.Token, into *time.Time) (wrong string) {
	text, ok := textOf(value)
	if !ok {
		return noTime
	}
	*into, wrong = parseTime(text)
	return wrong
}
