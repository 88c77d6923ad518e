package api_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// bodyOf returns the schema of an operation's body, and its required members.
func bodyOf(op *described) (properties object, required []any) {
	schema := theDocument().resolve(op.body)
	required, _ = schema["required"].([]any)
	return schema["properties"].(object), required
}

// withNulls is a body with null for each optional member that it does not have.
func withNulls(properties object, required []any, body object) object {
	out := maps.Clone(body)
	for name := range properties {
		if _, given := out[name]; !given && !slices.Contains(required, any(name)) {
			out[name] = nil
		}
	}
	return out
}

func TestNullIsLeftOutOfWhatIsCreated(t *testing.T) {
	t.Parallel()
	s := start(t)
	nulls := 0
	for _, op := range theDocument().operations {
		if !op.isCreate() && op.id != "charge-account" && op.id != "deposit-to-account" {
			continue
		}
		as := s.whoMay(op.id)
		c := s.call(op, as.role, "own", s.tenant)
		properties, required := bodyOf(op)
		if op.id == "create-pickups" {
			single := theDocument().operation("create-pickup")
			properties, required = bodyOf(single)
			plain := with(s.newPickup(), object{"id": newID()})
			s.do(as, op.method, c.path, object{"items": []object{plain}}).fresh(201)
			s.do(as, op.method, c.path, object{"items": []object{withNulls(properties, required, plain)}}).replayed()
			items := []any{plain, nil}
			s.do(as, op.method, c.path, object{"items": items}).refused(422, "validation_failed", "items[1]")
			continue
		}
		plain := with(c.body.(object), object{"id": newID()})
		full := withNulls(properties, required, plain)
		for _, v := range full {
			if v == nil {
				nulls++
			}
		}
		s.do(as, op.method, c.path, plain).fresh(201)
		s.do(as, op.method, c.path, full).replayed() // the same request
		for _, name := range required {
			full := maps.Clone(full)
			full[name.(string)] = nil
			if a := s.do(as, op.method, c.path, full).
				refused(422, "validation_failed", name.(string)); !strings.Contains(a.str("detail"), "required") {
				t.Errorf("%s with null for %s: %s", op.id, name, a)
			}
		}
		full["unknown"] = nil
		s.do(as, op.method, c.path, full).refused(422, "unknown_field", "unknown")
	}
	if nulls < 8 {
		t.Errorf("%d nulls were sent", nulls)
	}
}

func TestNullIsLeftOutOfAFeed(t *testing.T) {
	t.Parallel()
	s := start(t)
	record := with(newRecord(1), object{"status": nil})
	record["status"] = nil
	patient := with(record["patient"].(object), object{"phone": nil})
	patient["phone"] = nil
	record["patient"] = patient
	if got := s.feed(s.staff, []object{record}).counts(); got != "1 0 0 0 false" {
		t.Errorf("with nulls: %s", got)
	}
	plain := with(newRecord(1), object{"status": nil, "patient": with(patient, object{"phone": nil})})
	if got := s.feed(s.staff, asLines(plain), "Content-Type", "application/x-ndjson").counts(); got != "0 0 1 0 false" {
		t.Errorf("without them: %s", got)
	}
}

// Every edit is tried with the whole row as it was read: the error names the read-only members and the
// accepted ones, and with only those the edit succeeds and increments the version.
func TestEditTakesOfTheRowAsReadWhatItWrites(t *testing.T) {
	t.Parallel()
	s := start(t)
	edits := 0
	for _, op := range theDocument().operations {
		if op.method != "PATCH" && op.id != "set-flag" {
			continue
		}
		edits++
		as := s.whoMay(op.id)
		c := s.call(op, as.role, "own", s.tenant)
		read := s.do(as, "GET", c.path, nil).want(200)
		edit := func(body any) *answer { return s.do(as, op.method, c.path, body, "If-Match", read.etag()) }
		properties, _ := bodyOf(op)
		writable := maps.Clone(read.object())
		maps.DeleteFunc(writable, func(name string, _ any) bool { return properties[name] == nil })
		for name, value := range read.object() {
			if properties[name] != nil {
				continue
			}
			body := maps.Clone(writable)
			body[name] = value
			a := edit(body).refused(422, "read_only_field", name)
			for takes := range properties {
				if !strings.Contains(a.str("detail"), takes) {
					t.Errorf("%s: %s does not list %s as accepted", op.id, a, takes)
				}
			}
		}
		if a := edit(read.object()); a.status != 422 || a.str("code") != "read_only_field" {
			t.Errorf("%s with the row as read: %s", op.id, a)
		}
		edit(with(writable, object{"unknown": 1})).refused(422, "unknown_field", "unknown")
		edited := edit(writable).want(200)
		for name, value := range read.object() {
			if name != "version" && name != "updated_at" && name != "located_at" &&
				fmt.Sprint(edited.object()[name]) != fmt.Sprint(value) {
				t.Errorf("%s: %s was %v and is %v", op.id, name, value, edited.object()[name])
			}
		}
		if edited.etag() == read.etag() {
			t.Errorf("%s: the version did not rise", op.id)
		}
	}
	if edits < 8 {
		t.Errorf("the document has %d edits", edits)
	}
}

func TestCreateOfWhatWasReadNamesWhatIsReadOnly(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.do(s.admin, "POST", "/v1/groups", object{"name": "A", "version": 1}).refused(422, "read_only_field", "version")
	s.do(s.admin, "POST", "/v1/groups", `{"name":"A","version":null}`).refused(422, "read_only_field", "version")
	items := []object{s.newPickup(), with(s.newPickup(), object{"status": "DRAFT"})}
	s.do(s.staff, "POST", "/v1/pickups/batch", object{"items": items}).
		refused(422, "read_only_field", "items[1].status")
}

func TestEditOfNothingRaisesNoVersion(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, op := range theDocument().operations {
		if op.method != "PATCH" {
			continue
		}
		as := s.whoMay(op.id)
		c := s.call(op, as.role, "own", s.tenant)
		read := s.do(as, "GET", c.path, nil).want(200)
		for range 2 {
			a := s.do(as, op.method, c.path, "{}", "If-Match", read.etag()).want(200)
			if a.etag() != read.etag() || string(a.body) != string(read.body) {
				t.Errorf("%s with an empty body: %s, before %s", op.id, a, read)
			}
		}
		s.do(as, op.method, c.path, "{}").refused(428, "precondition_required", "If-Match")
		s.do(as, op.method, c.path, "{}", "If-Match", `"99"`).refused(412, "stale_version", "If-Match")
		s.do(as, op.method, c.path, "null", "If-Match", read.etag()).refused(422, "validation_failed", "")
		absent := s.call(op, as.role, "absent", s.tenant)
		s.do(as, op.method, absent.path, "{}", "If-Match", `"1"`).refused(404, "not_found", "")
	}
	submitted := s.pickup()
	tag := s.do(s.staff, "POST", submitted+"/submit", nil).want(200).etag()
	s.do(s.staff, "PATCH", submitted, "{}", "If-Match", tag).refused(409, "not_editable", "")
}

func TestNoBodyIsWrittenAsNullOrAnEmptyObjectToo(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, body := range []any{nil, "", "null", " null\n", "{}", "{ }"} {
		path := s.pickup()
		s.do(s.staff, "POST", path+"/submit", body).want(200)
		s.do(s.dispatcher, "POST", path+"/dispatch", body).want(200)
		s.do(s.dispatcher, "POST", path+"/release", body).want(200)
		if body != "" { // which is no JSON, where some may be
			s.do(s.dispatcher, "POST", path+"/cancel", body).want(200)
		}
	}
}

// blanks are texts of which nothing is to be seen.
var blanks = []string{" ", "\t", "\v", "\u0085", "\u00a0", "\u1680", "\u2003", "\u2028",
	"\u202f", "\u205f", "\u3000", "\ufeff", "\u200b", "\u2060",
	"\u00ad", "\u180e", "\u200e", "\u3164", "\u2800", "\ufe0f", "\U000e0020", " \v\u00a0\u3000\ufeff\u200b "}

func TestBlankIsBlankInEveryScript(t *testing.T) {
	t.Parallel()
	s := start(t)
	tried := 0
	for _, op := range theDocument().operations {
		if op.body == nil || op.id == "create-pickups" || op.id == "sync-appointments" {
			continue
		}
		as := s.whoMay(op.id)
		c := s.call(op, as.role, "own", s.tenant)
		body, ok := c.body.(object)
		properties, _ := bodyOf(op)
		for name, p := range properties {
			if theDocument().resolve(p.(object))["pattern"] != `\S` {
				continue
			}
			for _, blank := range blanks {
				tried++
				if !ok {
					body = object{}
				}
				s.do(as, op.method, c.path, with(body, object{name: blank}), c.headers...).
					refused(422, "validation_failed", name)
			}
		}
	}
	if tried < 15*len(blanks) {
		t.Errorf("%d blanks were sent", tried)
	}
	for _, blank := range blanks {
		items := []object{s.newPickup(), with(s.newPickup(), object{"note": blank})}
		s.do(s.staff, "POST", "/v1/pickups/batch", object{"items": items}).
			refused(422, "validation_failed", "items[1].note")
		for _, name := range []string{"external_id", "patient.external_id",
			"patient.given_name", "patient.family_name"} {
			record, inner := newRecord(1), strings.TrimPrefix(name, "patient.")
			if inner != name {
				record["patient"] = with(record["patient"].(object), object{inner: blank})
			} else {
				record[name] = blank
			}
			s.feed(s.staff, []object{record}).refused(422, "validation_failed", "[0]."+name)
		}
	}
	for _, blank := range blanks {
		for _, email := range []string{"a" + blank + "b@clinic.example",
			blank + "@clinic.example", "a@clinic.example" + blank} {
			s.do(s.admin, "POST", "/v1/users", with(newUserBody(), object{"email": email})).
				refused(422, "validation_failed", "email")
		}
	}
	for _, name := range []string{"x", "\u00a0é", "ま", "\U0001F600\ufe0f", "\u0301", "क\u200d"} {
		s.do(s.admin, "POST", "/v1/groups", object{"name": name}).want(201)
	}
}

func TestCharsetUTF8HasSeveralNames(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, charset := range []string{"utf-8", "UTF-8", "utf8", "UTF8", `"utf-8"`, `"UTF8"`, "Utf-8"} {
		s.do(s.admin, "POST", "/v1/groups", `{"name":"A"}`, "Content-Type", "application/json; charset="+charset).
			want(201)
		s.feed(s.staff, asLines(newRecord(1)), "Content-Type", "application/x-ndjson;charset="+charset).want(200)
	}
	for _, charset := range []string{"utf-16", "latin1", "utf", `"utf 8"`} {
		s.do(s.admin, "POST", "/v1/groups", `{"name":"A"}`, "Content-Type", "application/json; charset="+charset).
			refused(415, "unsupported_media_type", "Content-Type")
	}
}
