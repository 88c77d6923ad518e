package api_test

import (
	"strings"
	"testing"
	"time"
)

// goodRecord is a valid record of a list, as a line of JSON.
var goodRecord = strings.TrimSpace(asLines(newRecord(17)))

// validTimes are the members of a record that say when the appointment is.
const validTimes = `"starts_at":"2030-01-01T09:00:00Z","ends_at":"2030-01-01T10:00:00Z"`

// recordOf returns a record whose patient has these members besides an external id.
func recordOf(patient string) string {
	return `{"external_id":1,` + validTimes + `,"patient":{"external_id":1,` + patient + `}}`
}

// recordWith returns a record of a valid patient that has these members as well.
func recordWith(members string) string {
	return `{"external_id":1,"patient":{"external_id":1,"given_name":"` + secret +
		`","family_name":"B","birth_date":"1990-05-17"},` + members + `}`
}

// wrongRecords are records that are refused, with the problem's code, if it is always the same, and the
// path of the wrong member within the record.
var wrongRecords = map[string]struct{ record, code, field string }{
	"no member":        {`{}`, "validation_failed", ".external_id"},
	"null":             {`null`, "", ""},
	"text":             {`"` + secret + `"`, "", ""},
	"array":            {`[]`, "", ""},
	"unknown":          {recordWith(validTimes + `,"more":"` + secret + `"`), "unknown_field", ".more"},
	"unknown and long": {recordWith(validTimes + `,"` + secret + `":1`), "unknown_field", ""},
	"other case":       {recordWith(`"Starts_At":1`), "unknown_field", ".Starts_At"},
	"unknown within":   {recordOf(`"age":3`), "unknown_field", ".patient.age"},
	"twice":            {recordWith(validTimes + `,"external_id":2`), "validation_failed", ".external_id"},
	"twice, escaped":   {recordWith(validTimes + `,"external\u005fid":2`), "validation_failed", ".external_id"},
	"null, required": {recordWith(`"starts_at":null,"ends_at":"2030-01-01T10:00:00Z"`),
		"validation_failed", ".starts_at"},
	"null, unknown": {recordWith(validTimes + `,"reason":null`), "unknown_field", ".reason"},
	"null, twice":   {recordWith(validTimes + `,"status":null,"status":"BOOKED"`), "validation_failed", ".status"},
	"no ends_at":    {recordWith(`"starts_at":"2030-01-01T09:00:00Z"`), "validation_failed", ".ends_at"},
	"no time": {recordWith(`"starts_at":"tomorrow","ends_at":"2030-01-01T10:00:00Z"`),
		"validation_failed", ".starts_at"},
	"number for time": {recordWith(`"starts_at":1893456000,"ends_at":"2030-01-01T10:00:00Z"`),
		"validation_failed", ".starts_at"},
	"out of time": {recordWith(`"starts_at":"10000-01-01T09:00:00Z","ends_at":"2030-01-01T10:00:00Z"`),
		"validation_failed", ".starts_at"},
	"ends before": {recordWith(`"starts_at":"2030-01-01T09:00:00Z","ends_at":"2030-01-01T08:00:00Z"`),
		"validation_failed", ".ends_at"},
	"ends at once": {recordWith(`"starts_at":"2030-01-01T09:00:00Z","ends_at":"2030-01-01T09:00:00.0000001Z"`),
		"validation_failed", ".ends_at"},
	"too long": {recordWith(`"starts_at":"2030-01-01T09:00:00Z","ends_at":"2030-01-02T10:00:01Z"`),
		"validation_failed", ".ends_at"},
	"status":          {recordWith(validTimes + `,"status":"booked"`), "validation_failed", ".status"},
	"patient is text": {`{"external_id":1,"patient":"` + secret + `"}`, "validation_failed", ".patient"},
	"no name": {recordOf(`"family_name":"B","birth_date":"1990-05-17"`),
		"validation_failed", ".patient.given_name"},
	"blank name":      {recordOf(`"given_name":"  "`), "validation_failed", ".patient.given_name"},
	"blank, escaped":  {recordOf(`"given_name":" \t"`), "validation_failed", ".patient.given_name"},
	"number for name": {recordOf(`"given_name":1`), "validation_failed", ".patient.given_name"},
	"long name": {recordOf(`"given_name":"` + strings.Repeat("é", 201) + `"`),
		"validation_failed", ".patient.given_name"},
	"NUL":            {recordOf(`"given_name":"` + secret + `\u0000"`), "validation_failed", ""},
	"NUL as it is":   {recordOf(`"given_name":"` + secret + "\x00\"" + ``), "unreadable_body", ""},
	"half surrogate": {recordOf(`"given_name":"\ud800"`), "validation_failed", ""},
	"no UTF-8":       {recordOf(`"given_name":"` + secret + "\xff\"" + ``), "unreadable_body", ""},
	"no date": {recordOf(`"given_name":"A","family_name":"B","birth_date":"1990-02-30"`),
		"validation_failed", ".patient.birth_date"},
	"long ago": {recordOf(`"given_name":"A","family_name":"B","birth_date":"1799-12-31"`),
		"validation_failed", ".patient.birth_date"},
	"in the future": {recordOf(`"given_name":"A","family_name":"B","birth_date":"9000-01-01"`),
		"validation_failed", ".patient.birth_date"},
	"phone": {recordOf(`"given_name":"A","family_name":"B","birth_date":"1990-05-17","phone":"555-0100"`),
		"validation_failed", ".patient.phone"},
	"empty phone": {recordOf(`"given_name":"A","family_name":"B","birth_date":"1990-05-17","phone":""`),
		"validation_failed", ".patient.phone"},
	"a zero before": {`{"external_id":007}`, "unreadable_body", ""},
	"a plus before": {`{"external_id":+7}`, "unreadable_body", ""},
	"deep": {`{"external_id":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`,
		"validation_failed", ".external_id"},
	"very deep": {`{"external_id":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`,
		"unreadable_body", ""},
	"a byte order mark":  {"\xef\xbb\xbf" + recordOf(`"given_name":"A"`), "unreadable_body", ""},
	"other white space":  {"\u00a0", "unreadable_body", ""},
	"broken":             {`{"external_id":` + secret + `}`, "unreadable_body", ""},
	"wrong bracket":      {`{"external_id":[1}`, "unreadable_body", ""},
	"half":               {`{"external_id":"` + secret, "unreadable_body", ""},
	"longer than it may": {`{"external_id":"` + strings.Repeat("x", 64<<10) + `"}`, "body_too_large", ""},
	"an id again":        {goodRecord, "validation_failed", ".external_id"},
	"two of one patient": {strings.Replace(strings.Replace(goodRecord, `"external_id":"17"`, `"external_id":"18"`, 1),
		canaryBirth, "1931-07-14", 1), "validation_failed", ".patient"},
}

// wrongArrays are bodies that are not an array of records.
var wrongArrays = map[string]string{
	"nothing": "", "an object": goodRecord, "text": secret, "trailing text": "[" + goodRecord + "]" + secret,
	"two arrays": "[" + goodRecord + "][]", "no end": "[" + goodRecord,
	"no end after a comma": "[" + goodRecord + ",", "a comma too many": "[" + goodRecord + ",]",
	"no comma": "[" + goodRecord + goodRecord + "]", "a comma first": "[," + goodRecord + "]",
	"a byte order mark": "\xef\xbb\xbf[" + goodRecord + "]", "null": "null", "nested": "[[" + goodRecord + "]]",
	"deep":        strings.Repeat("[", 100_000),
	"deep within": `[{"a":` + strings.Repeat("[", 100_000),
}

// wrongLines are bodies that are not one record a line, with the problem's code and field.
var wrongLines = map[string]struct{ body, code, field string }{
	"an array":                 {"[" + goodRecord + "]", "validation_failed", "[0]"},
	"a byte order mark":        {"\xef\xbb\xbf" + goodRecord + "\n", "unreadable_body", "[0]"},
	"trailing text":            {goodRecord + " " + secret + "\n", "unreadable_body", "[0]"},
	"two on a line":            {goodRecord + goodRecord, "unreadable_body", "[0]"},
	"one on two lines":         {strings.Replace(goodRecord, ",", ",\n", 1), "unreadable_body", "[0]"},
	"an end in the middle":     {goodRecord + "\n\n" + goodRecord[:40], "unreadable_body", "[1]"},
	"a line that is too long":  {goodRecord + "\n" + strings.Repeat(" ", 70_000) + "\n", "body_too_large", "[1]"},
	"compressed, without word": {"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", "unreadable_body", "[0]"},
}

func TestRecordThatIsWrongRefusesTheListByItsPosition(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.feed(s.staff, []object{newRecord(1)}).want(200)
	state := func() string {
		return scan[string](s, `SELECT concat(
			(SELECT string_agg(a::text, '' ORDER BY id) FROM appointments AS a),
			    (SELECT string_agg(p::text, '' ORDER BY id) FROM patients AS p),
			(SELECT string_agg(f::text, '') FROM appointment_feeds AS f),
			    (SELECT count(*) FROM appointment_feed_chunks))`)
	}
	before := state()
	s.refusesWrongRecords()
	s.refusesWrongBodies()
	for _, asOf := range []string{"", "yesterday", "1767225600", "2026-01-01", "2026-01-01T00:00:00",
		"2026-02-30T00:00:00Z", "1800-01-01T00:00:00Z",
		"9999-12-31T23:59:59-23:59", time.Now().Add(2 * time.Hour).Format(time.RFC3339)} {
		s.feedAsOf(s.staff, asOf, "["+goodRecord+"]").refused(422, "validation_failed", "as_of")
	}
	s.do(s.staff, "POST", "/v1/facilities/"+s.facility.String()+"/appointments/sync", "["+goodRecord+"]").
		refused(422, "validation_failed", "as_of")
	s.refusesWrongMediaTypes()
	if state() != before {
		t.Error("a rejected list changed data")
	}
}

// refusesWrongRecords feeds each wrong record as the second of a list.
func (s *server) refusesWrongRecords() {
	s.t.Helper()
	for name, c := range wrongRecords {
		for kind, body := range map[string]string{
			"application/json":     "[" + goodRecord + ",\n" + c.record + "]",
			"application/x-ndjson": goodRecord + "\n" + c.record + "\n",
		} {
			a := s.feed(s.staff, body, "Content-Type", kind)
			if a.status < 400 || a.status >= 500 || c.code != "" && a.str("code") != c.code ||
				a.str("field") != "[1]"+c.field || !strings.Contains(a.str("detail"), "ecord 2") {
				s.t.Errorf("%s, %s: got %s, want %s of [1]%s", name, kind, a, c.code, c.field)
			}
			if strings.Contains(string(a.body), secret) {
				s.t.Errorf("%s: the error contains the submitted value: %s", name, a)
			}
		}
	}
}

// refusesWrongBodies feeds bodies that are not a list in either format.
func (s *server) refusesWrongBodies() {
	s.t.Helper()
	for name, body := range wrongArrays {
		if a := s.feed(s.staff, body); a.status != 400 && a.status != 413 || strings.Contains(string(a.body), secret) {
			s.t.Errorf("%s: got %s", name, a)
		}
	}
	lines := []string{"Content-Type", "application/x-ndjson"}
	for name, c := range wrongLines {
		if a := s.feed(s.staff, c.body, lines...); a.status < 400 || a.status >= 500 || a.str("code") != c.code ||
			a.str("field") != c.field {
			s.t.Errorf("lines, %s: got %s, want %s of %s", name, a, c.code, c.field)
		}
	}
}

// refusesWrongMediaTypes feeds lists that are compressed or of another media type.
func (s *server) refusesWrongMediaTypes() {
	s.t.Helper()
	const refused, lines = "unsupported_media_type", "application/x-ndjson"
	for _, kind := range []string{"application/json", lines} {
		s.feed(s.staff, "\x1f\x8b", "Content-Type", kind, "Content-Encoding", "gzip").
			refused(415, refused, "Content-Encoding")
	}
	s.feed(s.staff, goodRecord, "Content-Type", "text/plain").refused(415, refused, "Content-Type")
	s.feed(s.staff, goodRecord, "Content-Type", lines+"; charset=utf-16").refused(415, refused, "Content-Type")
	s.do(s.admin, "POST", "/v1/groups", `{"name":"A"}`, "Content-Type", lines).refused(415, refused, "Content-Type")
}
