package api_test

import (
	"slices"
	"strings"
	"testing"
)

// The API and the database accept the same email addresses, in every place that takes one.
func TestOneRuleSaysWhatAnEmailAddressIs(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := "/v1/users/" + s.hub.id.String()
	good := []string{
		"ada@x", "ada@clinic.example", "o'neil+lab/7@x-y.example", "a..b@x.example", "müller@bücher.example",
		"用户@例子.example", strings.Repeat("a", 64) + "@x.example", "ada@" + strings.Repeat("x", 63) + ".example",
		"ada@1.example",
	}
	bad := []string{
		"Bob<bob@x>", "<bob@x>", "bob@x>", `"bob"@x`, "(bob)@x", "bob,eve@x", "bob;eve@x", "mailto:bob@x",
		`bob\@x`, "bob@[127.0.0.1]", "bob", "@x", "bob@", "bob@@x", "bob@x@y", "bob@x..y", "bob@.x", "bob@x.",
		"bob@-x", "bob@x-", "bob@x_y", "bob@x/y", "bob@x?y=z", "bob@x:25", "bob @x", "bob@ x", " bob@x",
		"bob@x\n", "bob\t@x", "bob\u00a0@x", "bob\u200b@x", "b\u202eob@x", "bob@x\u3000", "bob\u007f@x",
		strings.Repeat("a", 65) + "@x", "ada@" + strings.Repeat("x", 64),
		"ada@" + strings.Repeat("x.", 130) + "x",
	}
	for i, email := range slices.Concat(good, bad) {
		isGood := i < len(good)

		if stored := scan[bool](s, "SELECT is_email_address($1)", email); stored != isGood {
			t.Errorf("%q: the database says %t", email, stored)
		}
		answers := []*answer{
			s.do(s.admin, "PATCH", path, object{"email": email}, "If-Match", s.do(s.admin, "GET", path, nil).etag()),
			s.do(s.foreign.admin, "POST", "/v1/users", object{
				"email": email, "name": "N", "role": "hub", "password": "correct horse"}),
		}
		for _, a := range answers {
			if ok := a.status < 300; ok != isGood {
				t.Errorf("%q: %v", email, a)
			} else if !isGood {
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
	good := []string{
		"+1415555", "+14155550123", "+123456789012345",
	}
	bad := []string{
		"14155550123", "0014155550123", "+04155550123", "+141555", "+1234567890123456", "+1 415 555 0123",
		"+1-415-555-0123", "+1(415)5550123", "tel:+14155550123", "+14155550123;ext=7", "+1415555012x",
		"＋14155550123", "+１４１５５５５０１２３", "+١٤١٥٥٥٥٠١٢٣", "+14155550123\n", " +14155550123",
	}
	for i, number := range slices.Concat(good, bad) {
		isGood := i < len(good)

		owner := s.base.Owner()
		_, ofUser := owner.Exec(t.Context(), "UPDATE phone_numbers SET number = $2 WHERE user_id = $1",
			s.staff.id, number)
		_, ofPatient := owner.Exec(t.Context(), "UPDATE patients SET phone = $1", number)
		if (ofUser == nil) != isGood || (ofPatient == nil) != isGood {
			t.Errorf("%q: the database says %v, %v", number, ofUser, ofPatient)
		}
		s.exec("UPDATE phone_numbers SET number = '+10000000' WHERE user_id = $1", s.staff.id) // free again
		record := newRecord(1)
		record["patient"].(object)["phone"] = number
		answers := []*answer{
			s.do(s.admin, "POST", user, object{"number": number}),
			s.do(s.staff, "POST", "/v1/patients", with(s.newPatient(), object{"phone": number})),
			s.do(s.staff, "PATCH", patient, object{"phone": number},
				"If-Match", s.do(s.staff, "GET", patient, nil).etag()),
			s.feed(s.staff, []object{record}),
		}
		for _, a := range answers {
			if ok := a.status < 300; ok != isGood {
				t.Errorf("%q: %v", number, a)
			}
			if field := a.str("field"); !isGood && !strings.HasSuffix(field, "phone") && field != "number" {
				t.Errorf("%q: the field is %q", number, field)
			}
		}
	}
}
