package api_test

import (
	"testing"
	"time"

	"waybill/db"
)

func TestNewestLocationWins(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := "/v1/drivers/" + s.driverID.String()
	seen := s.do(s.dispatcher, "GET", path, nil).want(200)
	now := time.Now().UTC().Truncate(time.Microsecond)
	locate := func(latitude float64, at time.Time) *answer {
		return s.do(s.tenant.driver, "PUT", path+"/location",
			object{"latitude": latitude, "longitude": 2, "located_at": at})
	}
	located := locate(1, now).want(200)
	if located.object()["applied"] != true || located.object()["driver"].(object)["latitude"] != 1.0 {
		t.Errorf("got %s", located)
	}
	for _, older := range []time.Time{now, now.Add(-time.Second), now.Add(-24 * time.Hour)} {
		if a := locate(5, older).
			want(200); a.object()["applied"] != false || a.object()["driver"].(object)["latitude"] != 1.0 {
			t.Errorf("an older location: %s", a)
		}
	}
	locate(1, now.Add(2*time.Minute)).refused(422, "validation_failed", "located_at")
	locate(91, now).refused(422, "validation_failed", "latitude")
	after := s.do(s.dispatcher, "GET", path, nil, "If-None-Match", seen.etag()).want(200)
	if after.etag() != located.etag() {
		t.Errorf("ETag %s, but locate returned %s", after.etag(), located.etag())
	}
	// A moving driver is edited with the version seen before the move.
	s.do(s.dispatcher, "PATCH", path, object{"name": "Grace"}, "If-Match", seen.etag()).want(200)
	s.do(s.dispatcher, "PATCH", path, object{"name": "Joan"}, "If-Match", after.etag()).refused(412, "stale_version")
}

func TestLocationsAtOnceLeaveTheNewest(t *testing.T) {
	t.Parallel()
	s := start(t, roomy)
	begin := time.Now().Add(-time.Minute)
	atOnce(32, func(i int) *answer {
		return s.do(s.tenant.driver, "PUT", "/v1/drivers/"+s.driverID.String()+"/location",
			object{"latitude": i, "longitude": 0, "located_at": begin.Add(time.Duration(i) * time.Second)}).want(200)
	})
	if got := s.do(s.staff, "GET", "/v1/drivers/"+s.driverID.String(), nil).str("latitude"); got != "31" {
		t.Errorf("latitude %s, want the newest, 31", got)
	}
}

func TestDriversAreCreatedOnce(t *testing.T) {
	t.Parallel()
	s := start(t)
	login := s.newUser(s.tenant, db.UserRoleDriver)
	body := object{"id": newID(), "name": "Grace", "user_id": login.id}
	a := s.do(s.dispatcher, "POST", "/v1/drivers", body).fresh(201)
	if a.str("on_duty") != "false" || a.str("located_at") != "" {
		t.Errorf("got %s", a)
	}
	if got := s.do(login, "GET", a.header.Get("Location"), nil).want(200); string(got.body) != string(a.body) {
		t.Errorf("Location returns %s", got)
	}
	s.do(s.dispatcher, "POST", "/v1/drivers", body).replayed()
	s.do(s.dispatcher, "POST", "/v1/drivers", with(body, object{"on_duty": true})).refused(409, "id_reused", "id")
	s.do(s.dispatcher, "POST", "/v1/drivers", with(body, object{"id": newID()})).
		refused(409, "driver_user_taken", "user_id")
	s.do(s.dispatcher, "PATCH", a.header.Get("Location"), object{"name": "Joan"}, "If-Match", a.etag()).want(200)
	s.do(s.dispatcher, "POST", "/v1/drivers", body).replayed()
	for _, absent := range []any{newID(), s.foreign.driver.id} {
		s.do(s.dispatcher, "POST", "/v1/drivers", object{"name": "X", "user_id": absent}).
			refused(422, "user_not_found", "user_id")
		s.do(s.dispatcher, "PATCH", a.header.Get("Location"), object{"user_id": absent}, "If-Match", `"2"`).
			refused(422, "user_not_found", "user_id")
	}
	s.do(s.dispatcher, "PATCH", a.header.Get("Location"), object{"user_id": s.rival.id}, "If-Match", `"2"`).
		refused(409, "driver_user_taken", "user_id")
	s.do(s.dispatcher, "POST", "/v1/drivers", object{"name": "X", "latitude": 1}).
		refused(422, "validation_failed", "longitude")
	s.do(s.dispatcher, "PATCH", a.header.Get("Location"), object{"longitude": 1}, "If-Match", `"2"`).
		refused(422, "validation_failed", "latitude")
	if moved := s.do(s.dispatcher, "PATCH", a.header.Get("Location"), object{"latitude": 1, "longitude": 2},
		"If-Match", `"2"`).want(200); moved.str("located_at") == "" {
		t.Errorf("got %s", moved)
	}
}
