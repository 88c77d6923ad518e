package api_test

import (
	"testing"

	"github.com/google/uuid"
)

func TestConsentTakesEffectOnTheNextRequest(t *testing.T) {
	t.Parallel()
	s := start(t)
	group := newID()
	s.exec("INSERT INTO groups (tenant_id, id, name, request_digest) VALUES ($1, $2, 'Lab', '')", s.tenant.id, group)
	s.exec("INSERT INTO group_members (tenant_id, group_id, user_id) VALUES ($1, $2, $3)", s.tenant.id, group, s.stranger.id)
	s.exec("INSERT INTO group_facilities (tenant_id, group_id, facility_id) VALUES ($1, $2, $3)", s.tenant.id, group, s.hidden)
	path := s.patient()
	facility := path + "/facilities/" + s.hidden.String()
	see := func() *answer { return s.do(s.stranger, "GET", path, nil) }

	see().refused(404, "not_found", "")
	s.do(s.stranger, "PUT", facility, nil).refused(404, "not_found", "") // not by who does not see them
	s.do(s.admin, "PUT", facility, nil).refused(404, "not_found", "")
	s.do(s.foreign.staff, "PUT", facility, nil).refused(404, "not_found", "")
	s.do(s.staff, "PUT", facility, nil).want(204)
	s.do(s.staff, "PUT", facility, nil).want(204)
	see().want(200)
	s.do(s.staff, "DELETE", facility, nil).want(204)
	s.do(s.staff, "DELETE", facility, nil).refused(404, "facility_not_found", "")
	see().refused(404, "not_found", "")
	s.do(s.stranger, "DELETE", facility, nil).refused(404, "not_found", "")

	s.do(s.staff, "PUT", facility, nil).want(204)
	s.do(s.stranger, "DELETE", facility, nil).want(204) // their own sight of them
	see().refused(404, "not_found", "")

	consents := s.do(s.admin, "GET", path+"/consents", nil).want(200)
	var got []any
	for _, c := range consents.items() {
		got = append(got, c["allowed"], c["actor_id"])
		if c["facility_id"] != s.hidden.String() {
			t.Errorf("got %v", c)
		}
	}
	staff, stranger := s.staff.id.String(), s.stranger.id.String()
	if want := []any{false, stranger, true, staff, false, staff, true, staff}; !equal(got, want) {
		t.Errorf("recorded %v, want %v", got, want)
	}
	s.do(s.staff, "GET", path+"/consents", nil).refused(403, "forbidden")
	s.do(s.foreign.admin, "GET", path+"/consents", nil).refused(404, "not_found", "")
}

func equal(a, b []any) bool {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

func TestConsentToNoFacilityOfTheTenant(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := s.patient()
	for _, id := range []uuid.UUID{newID(), s.foreign.facility, uuid.Nil} {
		for _, method := range []string{"PUT", "DELETE"} {
			s.do(s.staff, method, path+"/facilities/"+id.String(), nil).refused(404, "facility_not_found", "")
			s.do(s.staff, method, "/v1/patients/"+newID().String()+"/facilities/"+id.String(), nil).refused(404, "not_found", "")
		}
	}
	if n := scan[int](s, "SELECT count(*) FROM patient_consents"); n != 0 {
		t.Errorf("%d consents", n)
	}
}

func TestConsentAtOnceIsRecordedOnce(t *testing.T) {
	t.Parallel()
	s := start(t, roomy)
	facility := s.patient() + "/facilities/" + s.hidden.String()
	for _, method := range []string{"PUT", "DELETE"} {
		answers := atOnce(8, func(int) *answer { return s.do(s.staff, method, facility, nil) })
		if got := tally(answers); method == "PUT" && got["204"] != 8 || method == "DELETE" && (got["204"] != 1 || got["404"] != 7) {
			t.Errorf("%s: %v", method, got)
		}
	}
	if n := scan[int](s, "SELECT count(*) FROM patient_consents"); n != 2 {
		t.Errorf("%d consents", n)
	}
}
