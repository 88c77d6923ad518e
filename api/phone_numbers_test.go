package api_test

import (
	"testing"

	"github.com/google/uuid"
)

func TestPhoneNumbersAreAddedAndRemoved(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := "/v1/users/" + s.staff.id.String() + "/phone-numbers"
	body := object{"id": newID(), "number": "+14155550199"}
	a := s.do(s.staff, "POST", path, body).fresh(201)
	s.do(s.staff, "POST", path, body).replayed()
	s.do(s.staff, "POST", path, with(body, object{"number": "+14155550198"})).refused(409, "id_reused", "id")
	s.do(s.staff, "POST", path, with(body, object{"id": newID()})).refused(409, "phone_number_taken", "number")
	s.do(s.admin, "POST", "/v1/users/"+s.hub.id.String()+"/phone-numbers", with(body, object{"id": newID()})).
		refused(409, "phone_number_taken", "number")
	s.do(s.admin, "POST", "/v1/users/"+s.hub.id.String()+"/phone-numbers", body).refused(409, "id_reused", "id")
	if n := len(s.do(s.staff, "GET", a.header.Get("Location"), nil).want(200).items()); n != 2 {
		t.Errorf("%d numbers", n)
	}
	s.do(s.admin, "DELETE", "/v1/users/"+s.hub.id.String()+"/phone-numbers/"+a.str("id"), nil).refused(404, "not_found")
	s.do(s.staff, "DELETE", path+"/"+a.str("id"), nil).want(204)
	s.do(s.staff, "DELETE", path+"/"+a.str("id"), nil).refused(404, "not_found")
	s.do(s.foreign.admin, "POST", "/v1/users/"+s.foreign.hub.id.String()+"/phone-numbers",
		with(body, object{"id": newID()})).want(201)
}

func TestPhoneNumberNeedsItsUser(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, id := range []uuid.UUID{newID(), s.foreign.staff.id} {
		path := "/v1/users/" + id.String() + "/phone-numbers"
		s.do(s.admin, "POST", path, object{"number": phoneNumber()}).refused(404, "user_not_found", "")
		s.do(s.admin, "GET", path, nil).refused(404, "user_not_found", "")
	}
	s.do(s.staff, "POST", "/v1/users/"+s.hub.id.String()+"/phone-numbers", object{"number": phoneNumber()}).
		refused(404, "user_not_found")
	for _, number := range []string{"", "4155550123", "+0155550123", "+1415", "+1 415 555 0123",
		"+1415555012345678", "+1415555012x", " +14155550123"} {
		s.do(s.admin, "POST", "/v1/users/"+s.hub.id.String()+"/phone-numbers", object{"number": number}).
			refused(422, "validation_failed", "number")
	}
}

func TestPhoneNumberAtOnceIsOneUsers(t *testing.T) {
	t.Parallel()
	s := start(t, roomy)
	answers := atOnce(12, func(i int) *answer {
		u := []*user{s.staff, s.hub, s.admin}[i%3]
		return s.do(s.admin, "POST", "/v1/users/"+u.id.String()+"/phone-numbers", object{"number": "+14155550177"})
	})
	if got := tally(answers); got["201"] != 1 || got["409"] != 11 {
		t.Errorf("got %v", got)
	}
}
