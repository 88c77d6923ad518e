package api_test

import (
	"strings"
	"testing"
)

// What is no address is refused wherever one is taken, by name, and by the database itself;
// what is one is taken everywhere.
func TestOneRuleSaysWhatAnEmailAddressIs(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := "/v1/users/" + s.hub.id.String()
	for _, c := range []struct {
		email string
		good  bool
	}{
		{"ada@x", true}, {"ada@clinic.example", true}, {"o'neil+lab/7@x-y.example", true}, {"a..b@x.example", true},
		{"müller@bücher.example", true}, {"用户@例子.example", true}, {strings.Repeat("a", 64) + "@x.example", true},
		{"ada@" + strings.Repeat("x", 63) + ".example", true}, {"ada@1.example", true},
		{"Bob<bob@x>", false}, {"<bob@x>", false}, {"bob@x>", false}, {`"bob"@x`, false}, {"(bob)@x", false},
		{"bob,eve@x", false}, {"bob;eve@x", false}, {"mailto:bob@x", false}, {`bob\@x`, false}, {"bob@[127.0.0.1]", false},
		{"bob", false}, {"@x", false}, {"bob@", false}, {"bob@@x", false}, {"bob@x@y", false}, {"bob@x..y", false},
		{"bob@.x", false}, {"bob@x.", false}, {"bob@-x", false}, {"bob@x-", false}, {"bob@x_y", false}, {"bob@x/y", false},
		{"bob@x?y=z", false}, {"bob@x:25", false}, {"bob @x", false}, {"bob@ x", false}, {" bob@x", false}, {"bob@x\n", false},
		{"bob\t@x", false}, {"bob\u00a0@x", false}, {"bob\u200b@x", false}, {"b\u202eob@x", false}, {"bob@x\u3000", false}, {"bob\u007f@x", false}, {strings.Repeat("a", 65) + "@x", false},
		{"ada@" + strings.Repeat("x", 64), false},
		{"ada@" + strings.Repeat("x.", 130) + "x", false},
	} {
		if stored := scan[bool](s, "SELECT is_email_address($1)", c.email); stored != c.good {
			t.Errorf("%q: the database says %t", c.email, stored)
		}
		answers := []*answer{
			s.do(s.admin, "PATCH", path, object{"email": c.email}, "If-Match", s.do(s.admin, "GET", path, nil).etag()),
			s.do(s.foreign.admin, "POST", "/v1/users", object{
				"email": c.email, "name": "N", "role": "hub", "password": "correct horse"}),
		}
		for _, a := range answers {
			if ok := a.status < 300; ok != c.good {
				t.Errorf("%q: %v", c.email, a)
			} else if !c.good {
				a.refused(422, "validation_failed", "email")
			}
		}
	}
}

// Likewise for phone numbers: of users, of patients, and of a facility's list.
func TestOneRuleSaysWhatAPhoneNumberIs(t *testing.T) {
	t.Parallel()
	s := start(t)
	user := "/v1/users/" + s.hub.id.String() + "/phone-numbers"
	patient := s.do(s.staff, "POST", "/v1/patients", s.newPatient()).want(201).header.Get("Location")
	for _, c := range []struct {
		number string
		good   bool
	}{
		{"+1415555", true}, {"+14155550123", true}, {"+123456789012345", true},
		{"14155550123", false}, {"0014155550123", false}, {"+04155550123", false}, {"+141555", false},
		{"+1234567890123456", false}, {"+1 415 555 0123", false}, {"+1-415-555-0123", false}, {"+1(415)5550123", false},
		{"tel:+14155550123", false}, {"+14155550123;ext=7", false}, {"+1415555012x", false}, {"＋14155550123", false},
		{"+１４１５５５５０１２３", false}, {"+١٤١٥٥٥٥٠١٢٣", false}, {"+14155550123\n", false}, {" +14155550123", false},
	} {
		_, ofUser := s.base.Owner().Exec(t.Context(), "UPDATE phone_numbers SET number = $2 WHERE user_id = $1", s.staff.id, c.number)
		_, ofPatient := s.base.Owner().Exec(t.Context(), "UPDATE patients SET phone = $1", c.number)
		if (ofUser == nil) != c.good || (ofPatient == nil) != c.good {
			t.Errorf("%q: the database says %v, %v", c.number, ofUser, ofPatient)
		}
		s.exec("UPDATE phone_numbers SET number = '+10000000' WHERE user_id = $1", s.staff.id) // free again
		record := newRecord(1)
		record["patient"].(object)["phone"] = c.number
		answers := []*answer{
			s.do(s.admin, "POST", user, object{"number": c.number}),
			s.do(s.staff, "POST", "/v1/patients", with(s.newPatient(), object{"phone": c.number})),
			s.do(s.staff, "PATCH", patient, object{"phone": c.number}, "If-Match", s.do(s.staff, "GET", patient, nil).etag()),
			s.feed(s.staff, []object{record}),
		}
		for _, a := range answers {
			if ok := a.status < 300; ok != c.good {
				t.Errorf("%q: %v", c.number, a)
			}
			if field := a.str("field"); !c.good && !strings.HasSuffix(field, "phone") && field != "number" {
				t.Errorf("%q: the field is %q", c.number, field)
			}
		}
	}
}
