package api_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/uuid"

	"waybill/db/dbtest"
)

// secret must not occur in any answer.
const secret = "xyzzy-secret-value"

// tries are requests that are wrong in one way each.
func (s *server) tries(op *described, c call) map[string]call {
	out := map[string]call{}
	add := func(name string, change func(*call)) {
		n := call{c.path, c.body, slices.Clone(c.headers)}
		change(&n)
		out[name] = n
	}
	add("unknown parameter", query("unknown="+secret))
	add("unknown parameter without value", query("unknown"))
	add("malformed query", query("a=%zz"))
	add("semicolon", query("a;b"))
	parameterTries(op, add)
	if op.body == nil {
		for name, body := range strayBodies {
			add("body: "+name, func(n *call) { n.body = body })
		}
		return out
	}
	bodyTries(op, c, add)
	s.memberTries(op, c, add)
	return out
}

// query returns a change that sets a parameter of the query.
func query(q string) func(*call) { return func(n *call) { n.path = withQuery(n.path, q) } }

// isSearched has the parameters that can be any text.
var isSearched = map[string]bool{"name": true, "external_id": true, "text": true}

// parameterTries are requests with one parameter that is wrong.
func parameterTries(op *described, add func(string, func(*call))) {
	for _, p := range op.parameters {
		name, in := p["name"].(string), p["in"].(string)
		switch in {
		case "query":
			add(name+" empty", query(name+"="))
			add(name+" without =", query(name))
			add(name+" twice", query(name+"=1&"+name+"=1"))
			add(name+" NUL", query(name+"=%00"))
			add(name+" no UTF-8", query(name+"=%ff"))
			if !isSearched[name] {
				add(name+" garbage", query(name+"="+secret))
			}
			if name == "limit" {
				for _, v := range []string{"0", "-1", "201", "1000000000", "99999999999999999999",
					"1.0", "1e1", "0x10", "+5", "%205", "5%20", "NaN"} {
					add("limit "+v, query("limit="+v))
				}
			}
		case "path":
			schema := theDocument().resolve(p["schema"].(object))
			values := []string{"%00", "%ff", secret, strings.Repeat("x", 300), "..%2f..%2fetc", "%20", "null"}
			if schema["format"] == "uuid" {
				values = append(values, "0", "00000000-0000-0000-0000-00000000000g",
					"%7B"+newID().String()+"%7D", "urn:uuid:"+newID().String(),
					strings.ReplaceAll(newID().String(), "-", ""), newID().String()+"%00")
			}
			for _, v := range values {
				add(name+" is "+v, func(n *call) {
					n.path = strings.Replace(pathWith(op, n.path, name, v), "//", "/", 1)
				})
			}
		}
	}
}

// strayBodies are sent to operations that have no body.
var strayBodies = map[string]string{
	"a body": `{"a":1}`, "an array": `[]`, "text": secret, "broken": `{`,
	"two nulls": `null null`, "two": `{}{}`,
	"late": strings.Repeat(" ", 100) + `{"a":1}`, "large": strings.Repeat("x", 100_000), "no UTF-8": "\xff",
}

// bodyTries are requests whose body is no JSON object, or of another media type.
func bodyTries(op *described, c call, add func(string, func(*call))) {
	raw := func(name, text string) { add("body: "+name, func(n *call) { n.body = text }) }
	good, _ := json.Marshal(c.body)
	if op.bodyRequired {
		add("no body", func(n *call) { n.body = nil })
		raw("empty", "")
		raw("null", "null")
	}
	raw("blank", "   ")
	raw("array", "[]")
	raw("string", `"`+secret+`"`)
	raw("number", "1")
	raw("text", secret)
	raw("truncated", string(good[:len(good)-1]))
	raw("trailing", string(good)+secret)
	raw("two", string(good)+string(good))
	raw("trailing comma", string(good[:len(good)-1])+",}")
	raw("no UTF-8", string(good[:len(good)-1])+",\"x\":\"\xff\xfe\"}")
	raw("BOM", "\xef\xbb\xbf"+string(good))
	raw("UTF-16", "{\x00}\x00")
	raw("deep", strings.Repeat(`{"a":`, 20000)+"1"+strings.Repeat("}", 20000))
	raw("deep arrays", strings.Repeat("[", 50000))
	limit := 1 << 20
	if op.id == "create-pickups" {
		limit = 4 << 20
	}
	raw("huge", `{"a":"`+strings.Repeat("x", limit)+`"}`)
	raw("huge number", `{"a":1e999}`)
	raw("NaN", `{"a":NaN}`)
	raw("comment", "{/* */}")
	raw("single quotes", "{'a':1}")
	add("wrong media type", func(n *call) { n.headers = append(n.headers, "Content-Type", "text/plain") })
	add("form", func(n *call) { n.headers = append(n.headers, "Content-Type", "application/x-www-form-urlencoded") })
	add("nonsense media type", func(n *call) { n.headers = append(n.headers, "Content-Type", secret) })
	add("gzip", func(n *call) {
		n.body = "\x1f\x8b\x08\x00"
		n.headers = append(n.headers, "Content-Encoding", "gzip")
	})
}

// memberTries are bodies with one member that is wrong.
func (s *server) memberTries(op *described, c call, add func(string, func(*call))) {
	body, ok := c.body.(object)
	if !ok {
		return
	}
	set := func(name, what string, value any) {
		add("body: "+name+" is "+what, func(n *call) {
			changed := with(body, nil)
			changed[name] = value
			n.body = changed
		})
	}
	set("unknown_"+secret[:5], "unknown", secret)
	set("", "an empty name", 1)
	set("__proto__", "unknown", object{})
	schema := theDocument().resolve(op.body)
	required, _ := schema["required"].([]any)
	for name, p := range schema["properties"].(object) {
		member := theDocument().resolve(p.(object))
		types := typesOf(member)
		if !slices.Contains(types, "null") &&
			(op.method == "PATCH" || slices.Contains(required, any(name))) { // otherwise it is omitted
			set(name, "null", nil)
		}
		set(name, "another type", map[bool]any{true: 12345, false: secret}[slices.Contains(types, "string")])
		set(name, "an object", object{"a": secret})
		set(name, "nested arrays", []any{[]any{secret}})
		set(strings.ToUpper(name), "in capitals", secret)
		if slices.Contains(required, any(name)) {
			add("body: no "+name, func(n *call) { n.body = with(body, object{name: nil}) })
		}
		wrongValues(op, name, member, func(what string, value any) { set(name, what, value) })
	}
}

// wrongFormats are texts that are not of a format.
var wrongFormats = map[any][]string{
	"date-time": {"2024-02-30T00:00:00Z", "2024-01-01", "24:00", "10000-01-01T00:00:00Z",
		"0000-01-01T00:00:00Z", "-0001-01-01T00:00:00Z",
		"2024-01-01T25:00:00Z", "2024-01-01 00:00:00Z", "9999-12-31T23:59:59-23:59",
		"0001-01-01T00:00:00Z", "2024-01-01T00:00:00", "1700000000"},
	"date": {"2024-02-30", "2024-2-3", "0000-01-01", "1799-12-31", "9998-01-01",
		"10000-01-01", "-1990-01-01", "1990-01-01T00:00:00Z", "1990"},
	"uuid": {"1", newID().String() + "0", newID().String()[1:], " " + newID().String()},
}

// wrongValues sets values of the member's type that its schema does not allow.
func wrongValues(op *described, name string, member object, set func(what string, value any)) {
	switch types := typesOf(member); {
	case slices.Contains(types, "string"):
		set("NUL", "a\x00b")
		set("empty", "")
		set("too long", strings.Repeat(secret, 1000))
		if member["format"] == nil && op.id != "login" && !strings.Contains(name, "password") {
			set("blank", " \t\n ")
		}
		for _, v := range wrongFormats[member["format"]] {
			set(v, v)
		}
	case slices.Contains(types, "integer"):
		for _, v := range []string{"1e3", "1.0", "1.5", "9007199254740993", "9007199254740992", "-1",
			"18446744073709551616", "1e400", `"1"`, "true", "1E400", "-0.5"} {
			set(v, json.RawMessage(v))
		}
	case slices.Contains(types, "number"):
		for _, v := range []string{"1e999", "-1e999", `"NaN"`, `"1"`, "1000", "-1000", "true"} {
			set(v, json.RawMessage(v))
		}
	}
}

// withQuery returns the path with q replacing its parameter of that name, or appended.
func withQuery(path, q string) string {
	path, old, _ := strings.Cut(path, "?")
	name, _, _ := strings.Cut(q, "=")
	for pair := range strings.SplitSeq(old, "&") {
		if pair != "" && !strings.HasPrefix(pair, name+"=") {
			q = pair + "&" + q
		}
	}
	return path + "?" + q
}

// pathWith is the path with another value for one of its parameters.
func pathWith(op *described, path, name, value string) string {
	parts := strings.Split(path, "/")
	for i, part := range strings.Split(op.path, "/") {
		if part == "{"+name+"}" {
			parts[i] = value
		}
	}
	return strings.Join(parts, "/")
}

// Each operation of the document rejects invalid requests with one problem that explains the error and
// does not repeat the value.
func TestWhatIsWrongIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	n := 0
	for _, op := range theDocument().operations {
		as := s.whoMay(op.id)
		which := "own"
		if op.id == "logout" || op.id == "deactivate-user" || op.id == "change-password" {
			which = "absent"
		}
		c := s.call(op, as.role, which, s.tenant)
		for name, try := range s.tries(op, c) { // in any order: others are left out each time
			if n++; n%raceFactor > 0 {
				continue
			}
			if text, ok := try.body.(object); ok {
				raw, err := marshalRaw(text)
				if err != nil {
					t.Fatal(err)
				}
				try.body = raw
			}
			a := s.do(as, op.method, try.path, try.body, try.headers...)
			if a.status < 400 || a.status >= 500 {
				t.Errorf("%s, %s: got %s", op.id, name, a)
			} else if a.status == 401 || a.status == 403 {
				t.Errorf("%s, %s: rejected for another reason: %s", op.id, name, a)
			}
			if strings.Contains(string(a.body), secret) {
				t.Errorf("%s, %s: the error contains the submitted value: %s", op.id, name, a)
			}
		}
	}
	t.Logf("%d requests, each wrong in one way", n/raceFactor)
}

// marshalRaw is json.Marshal for bodies that hold numbers as no encoder writes them.
func marshalRaw(o object) (string, error) {
	parts := []string{}
	for name, value := range o {
		text, err := json.Marshal(value)
		if raw, ok := value.(json.RawMessage); ok {
			text, err = raw, nil
		}
		if err != nil {
			return "", err
		}
		key, _ := json.Marshal(name)
		parts = append(parts, string(key)+":"+string(text))
	}
	return "{" + strings.Join(parts, ",") + "}", nil
}

func TestWhatIsRightIsTaken(t *testing.T) {
	t.Parallel()
	s := start(t)
	group := func(headers ...string) *answer {
		return s.do(s.admin, "POST", "/v1/groups", `{"name":"A"}`, headers...)
	}
	for _, kind := range []string{"application/json", "application/json; charset=utf-8",
		"application/json;charset=UTF-8", "APPLICATION/JSON", `Application/Json; Charset="utf-8"`} {
		group("Content-Type", kind).want(201)
	}
	for _, kind := range []string{"application/merge-patch+json", "application/problem+json",
		"application/json; charset=utf-16",
		"application/json; charset=utf-8; charset=utf-16", "application/json; charset",
		"json", "application/jsonx", "application/*"} {
		group("Content-Type", kind).refused(415, "unsupported_media_type", "Content-Type")
	}
	group("Content-Encoding", "identity").want(201)
	for _, coding := range []string{"gzip", "br", "x"} { // although the body is not encoded
		group("Content-Encoding", coding).refused(415, "unsupported_media_type", "Content-Encoding")
	}
	s.do(s.admin, "POST", "/v1/groups", " \n{\"name\" : \"\\u00e4 \\\\u0000 \U0001F600\"}\n ").want(201)
	if name := s.do(s.admin, "POST", "/v1/groups", `{"name":"\ud83d\uDE00 \\ud800"}`).want(201).
		str("name"); name != "😀 \\ud800" {
		t.Errorf("the name is %q", name)
	}
	s.do(s.admin, "GET", "/v1/groups?limit=200", nil).want(200)
	s.do(s.admin, "GET", "/v1/groups", `{}`).want(200) // many clients send one
	s.do(s.admin, "HEAD", "/v1/groups", nil).want(200)
	s.do(s.staff, "POST", s.pickup()+"/submit", " {} ").want(200)
	s.do(s.staff, "POST", s.pickup()+"/cancel", nil).want(200)
	s.do(s.staff, "POST", s.pickup()+"/cancel", nil, "Content-Type", "text/plain").
		want(200) // some clients send one always
	s.do(s.staff, "POST", s.pickup()+"/cancel", `{}`).want(200)
	id := newID()
	s.do(s.admin, "POST", "/v1/groups", object{"id": strings.ToUpper(id.String()), "name": "B"}).want(201)
	s.do(s.admin, "GET", "/v1/groups/"+strings.ToUpper(id.String()), nil).want(200)
}

func TestLargeBodiesAreRefusedByTheirLimit(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "megabytes, one after the other")
	s := start(t)
	large := func(n int) string { return `{"name":"` + strings.Repeat("x", n) + `"}` }
	s.do(s.admin, "POST", "/v1/groups", large(1<<20)).refused(413, "body_too_large")
	unread := request(t, s.admin, "POST", "/v1/groups", "{}")
	unread.Body, unread.ContentLength = io.NopCloser(iotest.ErrReader(errors.New("it was read"))), 1<<20
	s.serve(unread).refused(413, "body_too_large")
	unsaid := request(t, s.admin, "POST", "/v1/groups", large(1<<20))
	unsaid.ContentLength = -1
	s.serve(unsaid).refused(413, "body_too_large")
	s.do(s.admin, "POST", "/v1/groups", large(1<<19)).refused(422, "validation_failed", "name")
	items := s.batch(750)
	for i := range items {
		items[i]["note"] = strings.Repeat("n", 1500)
	}
	s.do(s.staff, "POST", "/v1/pickups/batch", object{"items": items}).want(201)
	for i := range items {
		items[i]["note"] = strings.Repeat("\U0001F600", 2000)
	}
	s.do(s.staff, "POST", "/v1/pickups/batch", object{"items": items}).refused(413, "body_too_large")
}

func TestRequestIDIsTheCallersIfPlain(t *testing.T) {
	t.Parallel()
	s := start(t)
	for id, kept := range map[string]bool{"abc-123_x.Y": true, "short": false, "with space": false,
		"<script>x": false, strings.Repeat("a", 65): false} {
		if got := s.do(nil, "GET", "/livez", nil, "X-Request-Id", id).
			header.Get("X-Request-Id"); (got == id) != kept || got == "" {
			t.Errorf("%q is answered with %q", id, got)
		}
	}
}

func TestIDsHaveOneForm(t *testing.T) {
	t.Parallel()
	s := start(t)
	id := s.facility.String()
	plain := strings.ReplaceAll(id, "-", "")
	nils := "00000000-0000-0000-0000-000000000000"
	for _, odd := range []string{"{" + id + "}", "urn:uuid:" + id, plain, "urn:uuid:" + nils,
		"{" + nils + "}", id[:35] + " ", "x" + id[1:]} {
		escaped := url.PathEscape(odd)
		s.do(s.admin, "GET", "/v1/facilities/"+escaped, nil).refused(422, "validation_failed", "facility_id")
		s.do(s.admin, "GET", "/v1/pickups?facility_id="+url.QueryEscape(odd), nil).
			refused(422, "validation_failed", "facility_id")
		s.do(s.admin, "POST", "/v1/groups", object{"id": odd, "name": "A"}).refused(422, "validation_failed", "id")
		s.do(s.staff, "POST", "/v1/pickups", with(s.newPickup(), object{"facility_id": odd})).
			refused(422, "validation_failed", "facility_id")
		items := []object{s.newPickup(), with(s.newPickup(), object{"account_id": odd})}
		s.do(s.staff, "POST", "/v1/pickups/batch", object{"items": items}).
			refused(422, "validation_failed", "items[1].account_id")
		s.do(s.admin, "PATCH", "/v1/drivers/"+s.driverID.String(), object{"user_id": odd}, "If-Match", `"1"`).
			refused(422, "validation_failed", "user_id")
	}
	s.do(s.admin, "GET", "/v1/pickups?facility_id="+strings.ToUpper(id), nil).want(200)
}

func TestNilIDNamesNothing(t *testing.T) {
	t.Parallel()
	s := start(t)
	nils := uuid.Nil.String()
	s.do(s.admin, "GET", "/v1/facilities/"+nils, nil).refused(404, "not_found", "")
	s.do(s.staff, "POST", "/v1/pickups", with(s.newPickup(), object{"facility_id": nils})).
		refused(422, "facility_not_found", "facility_id")
	s.do(s.staff, "POST", "/v1/pickups", with(s.newPickup(), object{"account_id": nils})).
		refused(422, "account_not_found", "account_id")
	s.do(s.admin, "POST", "/v1/drivers", object{"name": "A", "user_id": nils}).refused(422, "user_not_found", "user_id")
	s.do(s.admin, "POST", "/v1/groups", object{"id": nils, "name": "A"}).refused(422, "validation_failed", "id")
	s.do(s.admin, "GET", "/v1/pickups?facility_id="+nils, nil).refused(422, "validation_failed", "facility_id")
}

func TestMemberGivenTwiceIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.do(s.admin, "POST", "/v1/groups", `{"name":"A","name":"B"}`).refused(422, "validation_failed", "name")
	s.do(s.admin, "POST", "/v1/groups", `{"name":"A","n\u0061me":"B"}`).refused(422, "validation_failed", "name")
	draft, err := marshalRaw(s.newPickup())
	s.must(err)
	s.do(s.staff, "POST", "/v1/pickups/batch", `{"items":[`+draft+`],"items":[`+draft+`]}`).
		refused(422, "validation_failed", "items")
	twice := draft[:len(draft)-1] + `,"price_cents":1}`
	s.do(s.staff, "POST", "/v1/pickups/batch", `{"items":[`+draft+","+twice+`]}`).
		refused(422, "validation_failed", "items[1].price_cents")
	// An incomplete body is reported as such, whatever a resolver makes of missing members.
	location := "/v1/drivers/" + s.driverID.String() + "/location"
	s.do(s.admin, "PUT", location, `{"latitude":1`).refused(400, "unreadable_body", "")
}

func TestHalfASurrogatePairIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, text := range []string{`\ud800`, `\uDBFFx`, `\udc00`, `\ude00\ud83d`, `\ud83d\ud83d`,
		`\ud83d\\ude00`, `\\\ud800`, `a\ud800\u0041`} {
		s.do(s.admin, "POST", "/v1/groups", `{"name":"`+text+`"}`).refused(422, "validation_failed", "")
	}
}

func TestHeaderGivenTwiceOrEmptyIsRefused(t *testing.T) {
	t.Parallel()
	s := start(t)
	pickup := s.pickup()
	for _, c := range []struct {
		as                        *user
		method, path, name, value string
	}{
		{s.staff, "POST", pickup + "/submit", "Idempotency-Key", "k1"},
		{s.staff, "POST", pickup + "/submit", "If-Match", `"1"`},
		{s.admin, "GET", "/v1/pickups/stream", "Last-Event-ID", "1-1"},
		{s.admin, "GET", "/v1/groups", "Authorization", "Bearer " + s.admin.token},
	} {
		r := request(t, c.as, c.method, c.path, nil, c.name, c.value)
		r.Header.Add(c.name, c.value)
		s.serve(r).refused(422, "validation_failed", c.name)
		if c.name != "Authorization" { // an empty one is no token
			s.do(c.as, c.method, c.path, nil, c.name, " ").refused(422, "validation_failed", c.name)
		}
	}
	tag := s.do(s.staff, "GET", pickup, nil).want(200).etag()
	r := request(t, s.staff, "GET", pickup, nil, "If-None-Match", `"99"`)
	r.Header.Add("If-None-Match", tag) // a list may span several lines
	s.serve(r).want(304)
	s.do(s.staff, "GET", pickup, nil, "If-None-Match", "").refused(422, "validation_failed", "If-None-Match")
}

func TestTimesOfTheQueryAreHeldAgainstTheSameRange(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, name := range []string{"created_from", "created_to"} {
		for _, value := range []string{"0001-01-01T00:00:00Z", "1899-12-31T23:59:59Z",
			"9999-01-01T00:00:00Z", "yesterday"} {
			s.do(s.admin, "GET", "/v1/pickups?"+name+"="+value, nil).refused(422, "validation_failed", name)
		}
		s.do(s.admin, "GET", "/v1/pickups?"+name+"=2024-01-01T00:00:00Z", nil).want(200)
	}
}

func TestRefusedFieldHasItsSentence(t *testing.T) {
	t.Parallel()
	s := start(t)
	pickup := s.pickup()
	edit := func(body object) *answer { return s.do(s.staff, "PATCH", pickup, body, "If-Match", `"1"`) }
	window := func(from, to string) object { return object{"window_start": from, "window_end": to} }
	const early, late = "2030-01-01T00:00:00Z", "2030-01-01T01:00:00Z"
	for _, c := range []struct {
		answer          *answer
		field, sentence string
	}{
		{edit(object{"pickup_latitude": 1}), "pickup_longitude", "pickup_latitude and pickup_longitude must be " +
			"given together."},
		{edit(window(late, early)), "window_end", "window_end must be after window_start."},
		{s.do(s.staff, "POST", "/v1/pickups", with(s.newPickup(), window(early, early))),
			"window_end", "window_end must be after window_start."},
		{s.do(s.staff, "POST", "/v1/pickups/batch",
			object{"items": []object{s.newPickup(), with(s.newPickup(), window(late, early))}}),
			"items[1].window_end", "window_end must be after window_start."},
	} {
		if c.answer.refused(422, "validation_failed", c.field).str("detail") != c.sentence {
			t.Errorf("%s: %s", c.answer.request, c.answer)
		}
	}
	edit(window(early, late)).want(200)
}

func TestUncleanPathIsNotFound(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, path := range []string{"/v1//pickups", "/v1/../v1/pickups", "/v1/./pickups", "//v1/pickups",
		"/v1/pickups//", "/docs/../livez", "/docs/nothing"} {
		for _, method := range []string{"GET", "POST"} {
			r := request(t, s.admin, method, "/", nil)
			r.URL.Path = path
			a := s.serve(r)
			if path != "/docs/nothing" || method == "GET" {
				a.refused(404, "not_found", "")
			}
		}
	}
}

// An error prints a limit in digits, not in scientific notation.
func TestLimitsAreToldInDigits(t *testing.T) {
	t.Parallel()
	s := start(t)
	a := s.do(s.staff, "POST", "/v1/pickups", with(s.newPickup(), object{"price_cents": 1 << 53}))
	a.refused(422, "validation_failed", "price_cents")
	if detail := a.str("detail"); detail != "price_cents: expected number <= 9007199254740991." {
		t.Error(detail)
	}
}
