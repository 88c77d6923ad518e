package api_test

import "testing"

func TestFacilitiesAndGroupsAreCreatedOnce(t *testing.T) {
	t.Parallel()
	s := start(t, roomy)
	for path, body := range map[string]object{
		"/v1/facilities": {"id": newID(), "name": "Clinic", "address": "1 Main St",
			"latitude": 37.5, "longitude": -122.5},
		"/v1/groups":   {"id": newID(), "name": "Group"},
		"/v1/accounts": {"id": newID(), "name": "Account", "currency": "USD"},
		"/v1/drivers":  {"id": newID(), "name": "Driver"},
	} {
		create := func(body object) *answer { return s.do(s.admin, "POST", path, body) }
		a := create(body).fresh(201)
		if got := s.do(s.admin, "GET", a.header.Get("Location"), nil).
			want(200); string(got.body) != string(a.body) || got.etag() != a.etag() {
			t.Errorf("%s: Location returns %s", path, got)
		}
		create(body).replayed()
		s.do(s.admin, "PATCH", a.header.Get("Location"), object{"name": "Renamed"}, "If-Match", a.etag()).want(200)
		if again := create(body).replayed(); again.str("name") != "Renamed" {
			t.Errorf("%s: the replay returns %s", path, again)
		}
		create(with(body, object{"name": "Renamed"})).refused(409, "id_reused", "id")
		create(with(body, object{"name": "   "})).refused(422, "validation_failed", "name")
		other := with(body, object{"id": newID()})
		answers := atOnce(8, func(int) *answer { return create(other) })
		if got := tally(answers); got["201"] != 1 || got["200 replayed"] != 7 {
			t.Errorf("concurrent %s: %v", path, got)
		}
		if without := create(with(body, object{"id": nil})).
			fresh(201); without.str("id") == a.str("id") || without.str("id")[14] != '7' {
			t.Errorf("%s: the server's id is %s", path, without.str("id"))
		}
		// The same id is free in another tenant.
		s.do(s.foreign.admin, "POST", path, body).fresh(201)
	}
}

func TestFacilitiesAreValidated(t *testing.T) {
	t.Parallel()
	s := start(t)
	good := object{"name": "Clinic", "address": "1 Main St", "latitude": 0, "longitude": 0}
	for _, c := range []struct {
		changes object
		field   string
	}{
		{object{"latitude": 90.0001}, "latitude"}, {object{"latitude": -90.0001}, "latitude"},
		{object{"longitude": 180.0001}, "longitude"},
		{object{"time_zone": "Mars/Olympus"}, "time_zone"}, {object{"time_zone": "Local"}, "time_zone"},
		{object{"time_zone": ""}, "time_zone"}, {object{"time_zone": "../UTC"}, "time_zone"},
		{object{"time_zone": "posix/UTC"}, "time_zone"}, {object{"time_zone": "america/los_angeles"}, "time_zone"},
		{object{"latitude": nil}, "latitude"}, {object{"address": ""}, "address"}, {object{"address": "\n"}, "address"},
	} {
		s.do(s.admin, "POST", "/v1/facilities", with(good, c.changes)).refused(422, "validation_failed", c.field)
	}
	s.do(s.admin, "POST", "/v1/facilities", with(good, object{"latitude": -90, "longitude": 180})).want(201)
}

// A facility has a time zone if it is said, and shows it to all who see the facility; null takes it away.
func TestAFacilityHasTheTimeZoneThatIsSaid(t *testing.T) {
	t.Parallel()
	s := start(t)
	body := object{"name": "Clinic", "address": "1 Main St", "latitude": 0, "longitude": 0}
	silent := s.do(s.admin, "POST", "/v1/facilities", body).fresh(201)
	if zone, ok := silent.object()["time_zone"]; !ok || zone != nil {
		t.Errorf("without one, the time zone is %v", zone)
	}
	for _, zone := range []string{"Asia/Kolkata", "UTC", "Etc/GMT+5", "America/Argentina/Buenos_Aires"} {
		s.do(s.admin, "POST", "/v1/facilities", with(body, object{"time_zone": zone})).fresh(201)
	}
	path := "/v1/facilities/" + s.facility.String()
	tag := s.do(s.admin, "GET", path, nil).etag()
	edit := func(changes object) *answer {
		a := s.do(s.admin, "PATCH", path, changes, "If-Match", tag).want(200)
		tag = a.etag()
		return a
	}
	edit(object{"time_zone": "Europe/Berlin"})
	edit(object{"name": "Renamed"})
	for _, as := range []*user{s.admin, s.staff, s.hub} {
		if zone := s.do(as, "GET", path, nil).want(200).str("time_zone"); zone != "Europe/Berlin" {
			t.Errorf("the %s is shown %q", as.role, zone)
		}
	}
	s.do(s.admin, "PATCH", path, object{"time_zone": "Europe/Bonn"}, "If-Match", tag).
		refused(422, "validation_failed", "time_zone")
	if zone := edit(object{"time_zone": nil}).object()["time_zone"]; zone != nil {
		t.Errorf("after null, the time zone is %v", zone)
	}
}
