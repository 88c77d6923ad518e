package api_test

import (
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

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

// Drivers are listed by what they do and by their distance from a point, those who are nowhere last.
func TestDriversAreListedByWhatTheyDoAndWhereTheyAre(t *testing.T) {
	t.Parallel()
	s := start(t, roomy)
	s.exec(
		"UPDATE drivers SET on_duty = false, latitude = NULL, longitude = NULL, located_at = NULL WHERE tenant_id = $1",
		s.tenant.id)
	s.exec("UPDATE driver_slots SET pickup_id = NULL WHERE tenant_id = $1", s.tenant.id)
	ids := map[string]string{}
	for name, at := range map[string][]any{
		"here": {37.7599, -122.4148}, "a degree north": {38.7599, -122.4148},
		"behind": {37.7599, 57.5852}, "nowhere": nil,
	} {
		body := object{"name": name, "on_duty": true}
		if at != nil {
			body["latitude"], body["longitude"] = at[0], at[1]
		}
		ids[name] = s.do(s.admin, "POST", "/v1/drivers", body).fresh(201).str("id")
	}
	pickup := s.pickupIn(s.tenant, db.PickupStatusSUBMITTED, s.facility, uuid.Nil)
	s.do(s.dispatcher, "POST", fmt.Sprint("/v1/pickups/", pickup, "/assign"),
		object{"driver_id": ids["a degree north"]}).want(200)
	const near = "near_latitude=37.7599&near_longitude=-122.4148"
	for query, want := range map[string][]string{
		"state=busy": {ids["a degree north"]}, "state=busy&" + near: {ids["a degree north"]},
		"state=free&" + near: {ids["here"], ids["behind"], ids["nowhere"]},
	} {
		if got := s.do(s.staff, "GET", "/v1/drivers?"+query, nil).want(200).ids(); !slices.Equal(got, want) {
			t.Errorf("%s: listed %v, want %v", query, got, want)
		}
		if got := s.pagesIn(s.staff, "/v1/drivers?limit=1&"+query); !slices.Equal(got, want) {
			t.Errorf("%s: in pages %v, want %v", query, got, want)
		}
	}
	free, off := s.listed(s.staff, "/v1/drivers", "state", "free"), s.listed(s.staff,
		"/v1/drivers", "state", "off_duty")
	all := s.listed(s.staff, "/v1/drivers")
	if len(free) != 3 || len(off) == 0 || len(free)+len(off)+1 != len(all) {
		t.Errorf("%d free, %d off duty and 1 busy of %d", len(free), len(off), len(all))
	}
	for _, d := range s.do(s.staff, "GET", "/v1/drivers?limit=200&"+near, nil).want(200).items() {
		got, _ := d["distance_meters"].(float64)
		want := map[any][2]float64{ids["here"]: {0, 0.001}, ids["a degree north"]: {111_100, 111_300},
			ids["behind"]: {11_600_000, 11_700_000}}[d["id"]]
		if _, known := d["latitude"].(float64); !known && d["distance_meters"] != nil || got < want[0] ||
			got > want[1] {
			t.Errorf("%s is %v metres away, want %v", d["name"], d["distance_meters"], want)
		}
	}
	for _, d := range s.do(s.staff, "GET", "/v1/drivers", nil).want(200).items() {
		if distance, has := d["distance_meters"]; !has || distance != nil {
			t.Errorf("without a point, %s is %v metres away", d["name"], distance)
		}
	}
	if got := s.do(s.driver, "GET", "/v1/drivers?"+near, nil).want(200).ids(); !slices.Equal(got,
		[]string{s.driverID.String()}) {
		t.Errorf("a driver sees %v", got)
	}
	s.refusesPoints(near)
}

// refusesPoints tries points that are half given or nowhere, and cursors of other lists.
func (s *server) refusesPoints(near string) {
	s.t.Helper()
	s.do(s.staff, "GET", "/v1/drivers?near_latitude=0", nil).refused(422, "validation_failed", "near_longitude")
	s.do(s.staff, "GET", "/v1/drivers?near_longitude=0", nil).refused(422, "validation_failed", "near_latitude")
	for _, number := range []string{"NaN", "nan", "Inf", "-Infinity", "0x1p3", "1_0", "+1", ".5", "1.", "01"} {
		s.do(s.staff, "GET", "/v1/drivers?near_longitude=0&near_latitude="+url.QueryEscape(number), nil).
			refused(422, "validation_failed", "near_latitude")
	}
	s.do(s.staff, "GET", "/v1/drivers?near_latitude=0&near_longitude=181", nil).
		refused(422, "validation_failed", "near_longitude")
	next := s.do(s.staff, "GET", "/v1/drivers?limit=1&"+near, nil).want(200).str("next_cursor")
	s.do(s.staff, "GET", "/v1/drivers?cursor="+next, nil).refused(422, "validation_failed", "cursor")
	s.do(s.staff, "GET", "/v1/drivers?near_latitude=0&near_longitude=0&cursor="+next, nil).
		refused(422, "validation_failed", "cursor")
}
