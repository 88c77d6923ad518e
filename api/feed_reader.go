package api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"waybill/db"
)

// feedReader takes the records of a feed from its body, one at a time: what it holds
// does not grow with them.
type feedReader struct {
	in     *bufio.Reader
	lines  bool
	record []byte // the text of the one at hand
	at     int    // its position, from 0
}

func newFeedReader(body io.Reader, lines bool) *feedReader {
	return &feedReader{in: bufio.NewReaderSize(body, 64<<10), lines: lines}
}

// records gives each record, or at last what is wrong with one.
func (r *feedReader) records(yield func(db.FeedRecord, error) bool) {
	for ; ; r.at++ {
		more, err := r.next()
		if err == nil && more && r.at == feedRecords {
			err = r.refuse(bodyTooLarge, "", fmt.Sprintf("a feed has %d at most", feedRecords))
		}
		var record db.FeedRecord
		if err == nil && more {
			record, err = r.parse()
		}
		if err == nil && !more || !yield(record, err) || err != nil {
			return
		}
	}
}

// next puts the text of the next record into r.record.
func (r *feedReader) next() (more bool, err error) {
	r.record = r.record[:0]
	if r.lines {
		more, err = r.nextLine()
	} else {
		more, err = r.nextElement()
	}
	return more, r.explain(err)
}

// What can end the reading of a text.
var (
	errNoArray  = errors.New("no array")
	errNoObject = errors.New("no object")
	errTrailing = errors.New("trailing text")
	errTooLong  = errors.New("too long")
	errMark     = errors.New("a byte order mark")
)

// nextLine reads a line that is not blank. The last one may lack its end.
func (r *feedReader) nextLine() (more bool, err error) {
	for {
		part, err := r.in.ReadSlice('\n')
		r.record = append(r.record, part...)
		switch {
		case len(r.record) > feedRecordMax+1: // its end
			return false, errTooLong
		case errors.Is(err, bufio.ErrBufferFull):
		case err != nil && !errors.Is(err, io.EOF):
			return false, err
		case len(trimmed(r.record)) > 0:
			return true, nil
		case err != nil:
			return false, nil
		default:
			r.record = r.record[:0]
		}
	}
}

// trimmed is a text without the white space that JSON has, which is less than Unicode's.
func trimmed(text []byte) []byte { return bytes.Trim(text, " \t\r\n") }

// nextElement reads the next object of the one array.
func (r *feedReader) nextElement() (more bool, err error) {
	c, err := r.sign()
	if r.at == 0 {
		if c == byteOrderMark[0] {
			return false, errMark
		}
		if err != nil || c != '[' {
			return false, cmpError(err, errNoArray)
		}
		c, err = r.sign()
	} else if c == ',' {
		if c, err = r.sign(); c == ']' {
			return false, errNoObject
		}
	} else if err == nil && c != ']' {
		return false, errNoObject
	}
	switch {
	case err != nil:
		return false, unexpectedEnd(err)
	case c == ']':
		if _, err := r.sign(); !errors.Is(err, io.EOF) {
			return false, cmpError(err, errTrailing)
		}
		return false, nil
	case c != '{':
		return false, errNoObject
	}
	return true, r.object()
}

// cmpError is err, unless there is none or nothing came.
func cmpError(err, otherwise error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return otherwise
	}
	return err
}

func unexpectedEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// sign reads the next byte that is not white space.
func (r *feedReader) sign() (byte, error) {
	for {
		c, err := r.in.ReadByte()
		if err != nil || c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return c, err
		}
	}
}

// object reads on to the end of the object whose brace has been read.
func (r *feedReader) object() error {
	r.record = append(r.record, '{')
	for depth, quoted, escaped := 1, false, false; depth > 0; {
		c, err := r.in.ReadByte()
		if err != nil {
			return unexpectedEnd(err)
		}
		if len(r.record) == feedRecordMax {
			return errTooLong
		}
		r.record = append(r.record, c)
		switch {
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{', c == '[':
			depth++
		case c == '}', c == ']':
			depth--
		}
	}
	return nil
}

// explain turns what ended the reading into the answer.
func (r *feedReader) explain(err error) error {
	var network net.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errNoArray):
		return problem(unreadableBody, "", "The body is not a JSON array.")
	case errors.Is(err, errMark):
		return problem(unreadableBody, "", "The body begins with "+aMark+".")
	case errors.Is(err, errTrailing):
		return problem(unreadableBody, "", "Text follows the array.")
	case errors.Is(err, errTooLong):
		return r.refuse(bodyTooLarge, "", fmt.Sprintf("it is longer than %d KiB", feedRecordMax>>10))
	case errors.Is(err, errNoObject):
		return r.refuse(unreadableBody, "", "expected an object, between commas and brackets as JSON has them")
	case errors.As(err, &network) && network.Timeout():
		return problem(requestTimeout, "", "")
	}
	return r.refuse(unreadableBody, "", "the body ended before it was whole")
}

// refuse is the answer for the record at hand, or a member of it.
func (r *feedReader) refuse(code db.Code, member, what string) *Problem {
	field := fmt.Sprintf("[%d]", r.at)
	if member == "" {
		return problem(code, field, fmt.Sprintf("Record %d: %s.", r.at+1, what))
	}
	return problem(code, field+"."+member, fmt.Sprintf("Record %d, %s: %s.", r.at+1, member, what))
}

// parse reads the record at hand.
func (r *feedReader) parse() (out db.FeedRecord, err error) {
	data := trimmed(r.record)
	switch {
	case bytes.HasPrefix(data, byteOrderMark):
		return out, r.refuse(unreadableBody, "", "it begins with "+aMark)
	case !utf8.Valid(data):
		return out, r.refuse(unreadableBody, "", "it is not valid UTF-8")
	case !json.Valid(data):
		return out, r.refuse(unreadableBody, "", "it is not one whole JSON text")
	case data[0] != '{':
		return out, r.refuse(db.ValidationFailed, "", "expected an object")
	}
	if odd := badEscape(data); odd != "" {
		what := strings.TrimSuffix(strings.TrimPrefix(odd, "The body holds "), ".")
		return out, r.refuse(db.ValidationFailed, "", "it holds "+what)
	}
	p := recordParser{out: db.FeedRecord{Status: db.AppointmentStatusBOOKED}}
	if p.object(data, "", appointmentMembers); p.wrong != "" {
		return out, r.refuse(p.code, p.member, p.wrong)
	}
	return p.out, p.whole(r)
}

// whole is what the members have to be to each other.
func (p *recordParser) whole(r *feedReader) error {
	switch d := p.out.EndsAt.Sub(p.out.StartsAt); {
	case d <= 0:
		return r.refuse(db.ValidationFailed, "ends_at", "expected a time after starts_at")
	case d > db.LongestAppointment:
		return r.refuse(db.ValidationFailed, "ends_at", fmt.Sprintf("expected a time within %d hours of starts_at", db.LongestAppointment/time.Hour))
	}
	return nil
}

// recordParser fills a record from a JSON text that is known to be one, and keeps the
// first thing that is wrong.
type recordParser struct {
	out    db.FeedRecord
	code   db.Code
	member string
	wrong  string
}

// recordMember reads a member's value, "" being what is wrong with it if nothing is.
type recordMember struct {
	name     string
	optional bool
	read     func(p *recordParser, value []byte) (wrong string)
}

var appointmentMembers = []recordMember{
	{"external_id", false, func(p *recordParser, v []byte) string { return idOf(v, &p.out.ExternalID) }},
	{"patient", false, func(p *recordParser, v []byte) string {
		if v[0] != '{' {
			return "expected an object"
		}
		p.object(v, "patient.", patientMembers)
		return ""
	}},
	{"starts_at", false, func(p *recordParser, v []byte) string { return timeOf(v, &p.out.StartsAt) }},
	{"ends_at", false, func(p *recordParser, v []byte) string { return timeOf(v, &p.out.EndsAt) }},
	{"status", true, func(p *recordParser, v []byte) string {
		text, ok := textOf(v)
		p.out.Status = db.AppointmentStatus(text)
		if !ok || !p.out.Status.Valid() {
			return "expected one of " + strings.Join(names(db.AllAppointmentStatusValues()), ", ")
		}
		return ""
	}},
}

var patientMembers = []recordMember{
	{"external_id", false, func(p *recordParser, v []byte) string { return idOf(v, &p.out.PatientExternalID) }},
	{"given_name", false, func(p *recordParser, v []byte) string { return nameOf(v, &p.out.GivenName) }},
	{"family_name", false, func(p *recordParser, v []byte) string { return nameOf(v, &p.out.FamilyName) }},
	{"birth_date", false, func(p *recordParser, v []byte) string {
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
	{"phone", true, func(p *recordParser, v []byte) string {
		text, ok := textOf(v)
		p.out.Phone = text
		if !ok || !e164.MatchString(text) {
			return "expected an E.164 number"
		}
		return ""
	}},
}

var e164 = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// plainName is a member's name that can be told again.
var plainName = regexp.MustCompile(`^[A-Za-z_]{1,40}$`)

// object reads each member of an object once, and misses none that is required.
func (p *recordParser) object(data []byte, path string, members []recordMember) {
	fail := func(code db.Code, name, what string) { p.code, p.member, p.wrong = code, path+name, what }
	seen, left := 0, 0 // members that are there, and those that are null
	for c := (cursor{data, 1}); p.wrong == "" && c.sign() != '}'; {
		if c.data[c.at] == ',' {
			c.at++
			c.sign()
		}
		name, _ := textOf(c.value())
		c.sign()
		c.at++ // the colon
		c.sign()
		value := c.value()
		i := memberNamed(members, name)
		switch {
		case i < 0 && plainName.MatchString(name):
			fail(unknownField, name, "there is no such member")
		case i < 0:
			fail(unknownField, "", "it has a member that there is not")
		case (seen|left)&(1<<i) != 0:
			fail(db.ValidationFailed, name, "the member is given more than once")
		case string(value) == "null": // left out
			left |= 1 << i
		default:
			seen |= 1 << i
			if wrong := members[i].read(p, value); wrong != "" {
				fail(db.ValidationFailed, name, wrong)
			}
		}
	}
	p.member = strings.TrimSuffix(p.member, ".")
	for i, m := range members {
		if p.wrong == "" && !m.optional && seen&(1<<i) == 0 {
			fail(db.ValidationFailed, m.name, "it is required")
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

// cursor goes through a JSON text that is known to be one.
type cursor struct {
	data []byte
	at   int
}

// sign goes to the next byte that is not white space.
func (c *cursor) sign() byte {
	for c.data[c.at] == ' ' || c.data[c.at] == '\n' || c.data[c.at] == '\t' || c.data[c.at] == '\r' {
		c.at++
	}
	return c.data[c.at]
}

// value gives the text of the value that begins here, and goes behind it.
func (c *cursor) value() []byte {
	begin := c.at
	for depth, quoted := 0, false; ; c.at++ {
		switch b := c.data[c.at]; {
		case quoted && b == '\\':
			c.at++
		case b == '"':
			quoted = !quoted
			if !quoted && depth == 0 {
				c.at++
				return c.data[begin:c.at]
			}
		case quoted:
		case b == '{', b == '[':
			depth++
		case depth == 0 && (b == ',' || b == '}' || b == ']' || b == ':' || b <= ' '):
			return c.data[begin:c.at]
		case b == '}', b == ']':
			depth--
			if depth == 0 {
				c.at++
				return c.data[begin:c.at]
			}
		}
	}
}

// textOf is a string's text.
func textOf(value []byte) (text string, ok bool) {
	if value[0] != '"' {
		return "", false
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return string(value[1 : len(value)-1]), true
	}
	return text, json.Unmarshal(value, &text) == nil
}

// longestText is what the database takes, in characters.
const longestText = 200

// idOf takes a string, without the blanks around it, or a number that is its digits as
// they were sent: never a float.
func idOf(value []byte, into *string) (wrong string) {
	text, ok := textOf(value)
	if !ok {
		text = string(value)
		for _, c := range value {
			if c < '0' || c > '9' {
				return "expected a string, or a number without sign, fraction or exponent"
			}
		}
	}
	*into = trimID(text)
	return oddText(*into)
}

func nameOf(value []byte, into *string) (wrong string) {
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
		return fmt.Sprintf("expected %d characters at most", longestText)
	}
	return ""
}

// timeOf takes what parseTime does.
func timeOf(value []byte, into *time.Time) (wrong string) {
	text, ok := textOf(value)
	if !ok {
		return noTime
	}
	*into, wrong = parseTime(text)
	return wrong
}
