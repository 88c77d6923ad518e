package api_test

import (
	"testing"

	"github.com/google/uuid"
)

func TestMembershipNeedsBothSides(t *testing.T) {
	t.Parallel()
	s := start(t)
	group := "/v1/groups/" + s.group.String()
	for _, absent := range []uuid.UUID{newID(), s.foreign.staff.id} {
		s.do(s.admin, "PUT", group+"/members/"+absent.String(), nil).refused(404, "user_not_found", "")
		s.do(s.admin, "DELETE", group+"/members/"+absent.String(), nil).refused(404, "not_found", "")
		s.do(s.admin, "PUT", "/v1/groups/"+absent.String()+"/members/"+s.staff.id.String(), nil).
			refused(404, "not_found", "")
		s.do(s.admin, "PUT", group+"/facilities/"+absent.String(), nil).refused(404, "facility_not_found", "")
		s.do(s.admin, "PUT", "/v1/groups/"+absent.String()+"/facilities/"+s.facility.String(), nil).
			refused(404, "not_found", "")
		s.do(s.admin, "GET", "/v1/groups/"+absent.String()+"/members", nil).refused(404, "not_found", "")
	}
}

func TestFacilityOfAGroupIsSeenFromTheNextRequestOn(t *testing.T) {
	t.Parallel()
	s := start(t)
	shown := "/v1/groups/" + s.group.String() + "/facilities/" + s.hidden.String()
	s.do(s.staff, "GET", "/v1/facilities/"+s.hidden.String(), nil).refused(404, "not_found")
	s.do(s.admin, "PUT", shown, nil).want(204)
	s.do(s.admin, "PUT", shown, nil).want(204)
	s.do(s.staff, "GET", "/v1/facilities/"+s.hidden.String(), nil).want(200)
	s.do(s.admin, "DELETE", shown, nil).want(204)
	s.do(s.staff, "GET", "/v1/facilities/"+s.hidden.String(), nil).refused(404, "not_found")
	s.do(s.admin, "DELETE", shown, nil).refused(404, "not_found")
}

func TestMemberAddedAtOnceIsOne(t *testing.T) {
	t.Parallel()
	s := start(t, roomy)
	path := "/v1/groups/" + s.group.String() + "/members"
	for _, method := range []string{"PUT", "DELETE"} {
		answers := atOnce(12, func(int) *answer { return s.do(s.admin, method, path+"/"+s.stranger.id.String(), nil) })
		if got := tally(answers); method == "PUT" && got["204"] != 12 ||
			method == "DELETE" && (got["204"] != 1 || got["404"] != 11) {
			t.Errorf("%s: %v", method, got)
		}
	}
}
