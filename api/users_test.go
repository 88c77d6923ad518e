package api_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"waybill/db"
)

func newUserBody() object {
	return object{"id": newID(), "email": newID().String() + "@example.com",
		"password": password, "name": "Ada", "role": "staff"}
}

func TestCreatedUserCanLogIn(t *testing.T) {
	t.Parallel()
	s := start(t)
	body := newUserBody()
	a := s.do(s.admin, "POST", "/v1/users", body).fresh(201)
	if got := s.do(s.admin, "GET", a.header.Get("Location"), nil).
		want(200); string(got.body) != string(a.body) || got.etag() != a.etag() {
		t.Errorf("Location returns %s", got)
	}
	if strings.Contains(string(a.body), "password") {
		t.Errorf("the answer contains a password: %s", a)
	}
	s.login(body["email"].(string), password).want(201)
}

func TestCreateUserRepeatedIsOneUser(t *testing.T) {
	t.Parallel()
	s := start(t, roomy)
	body := newUserBody()
	create := func(body object) *answer { return s.do(s.admin, "POST", "/v1/users", body) }
	first := create(body).fresh(201)
	create(body).replayed()
	create(with(body, object{"password": "another horse"})).refused(409, "id_reused", "id")
	create(with(body, object{"name": "Eve"})).refused(409, "id_reused", "id")
	create(with(body, object{"id": newID()})).refused(409, "email_taken", "email")
	create(with(body, object{"id": newID(), "email": strings.ToUpper(body["email"].(string))})).
		refused(409, "email_taken", "email")
	path := first.header.Get("Location")
	s.do(s.admin, "PATCH", path, object{"name": "Grace", "email": "grace@example.com"}, "If-Match", first.etag()).
		want(200)
	if again := create(body).replayed(); again.str("name") != "Grace" {
		t.Errorf("the replay returns %s", again)
	}
	other := newUserBody()
	answers := atOnce(8, func(int) *answer { return create(other) })
	if got := tally(answers); got["201"] != 1 || got["200 replayed"] != 7 {
		t.Errorf("concurrent requests: %v", got)
	}
	rivals := atOnce(8, func(int) *answer { return create(with(newUserBody(), object{"email": "one@example.com"})) })
	if got := tally(rivals); got["201"] != 1 || got["409"] != 7 {
		t.Errorf("concurrent requests with one address: %v", got)
	}
}

func TestUsersAreValidated(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, c := range []struct {
		changes object
		field   string
	}{
		{object{"email": "no address"}, "email"}, {object{"email": "a@b c"}, "email"}, {object{"email": ""}, "email"},
		{object{"email": strings.Repeat("a", 251) + "@b.c"}, "email"},
		{object{"password": "short"}, "password"}, {object{"password": strings.Repeat("x", 73)}, "password"},
		{object{"password": strings.Repeat("ä", 37)}, "password"},
		{object{"name": ""}, "name"}, {object{"name": "   "}, "name"}, {object{"name": "\t"}, "name"},
		{object{"name": strings.Repeat("x", 201)}, "name"},
		{object{"role": "owner"}, "role"}, {object{"role": ""}, "role"},
		{object{"id": "1"}, "id"}, {object{"id": uuid.Nil}, "id"},
		{object{"name": nil}, "name"}, {object{"email": nil}, "email"},
		{object{"password": nil}, "password"}, {object{"role": nil}, "role"},
	} {
		a := s.do(s.admin, "POST", "/v1/users", with(newUserBody(), c.changes))
		if a.status != 422 || a.str("code") != "validation_failed" || a.str("field") != c.field {
			t.Errorf("%v: got %s", c.changes, a)
		}
	}
	s.do(s.admin, "POST", "/v1/users", with(newUserBody(), object{"password": strings.Repeat("ä", 36)})).want(201)
	s.do(s.admin, "POST", "/v1/users",
		`{"email":"a@example.com","password":"long enough","PASSWORD":"x","name":"A","role":"staff"}`).
		refused(422, "unknown_field", "PASSWORD")
}

func TestEditsNeedTheVersionSeen(t *testing.T) {
	t.Parallel()
	s := start(t)
	for path, body := range map[string]object{
		"/v1/users/" + s.staff.id.String():      {"name": "New"},
		"/v1/facilities/" + s.facility.String(): {"name": "New"},
		"/v1/groups/" + s.group.String():        {"name": "New"},
		"/v1/accounts/" + s.account.String():    {"name": "New"},
		"/v1/drivers/" + s.driverID.String():    {"name": "New"},
		"/v1/flags/auto_dispatch":               {"enabled": true},
	} {
		method := "PATCH"
		if strings.HasPrefix(path, "/v1/flags") {
			method = "PUT"
		}
		edit := func(headers ...string) *answer { return s.do(s.admin, method, path, body, headers...) }
		seen := s.do(s.admin, "GET", path, nil).want(200)
		edit().refused(428, "precondition_required", "If-Match")
		edit("If-Match", "").refused(422, "validation_failed", "If-Match")
		edit("If-Match", "*").refused(428, "precondition_required", "If-Match")
		for _, tag := range []string{`"99"`, `W/"99"`, `"99-1"`, `"9223372036854775807"`} {
			edit("If-Match", tag).refused(412, "stale_version", "If-Match")
		}
		for _, tag := range notOurs {
			edit("If-Match", tag).refused(422, "validation_failed", "If-Match")
		}
		changed := edit("If-Match", "W/"+seen.etag()).want(200) // as a proxy that compresses makes it
		if changed.etag() == seen.etag() || changed.str("version") != "2" {
			t.Errorf("%s: after the edit %s with ETag %s", path, changed, changed.etag())
		}
		edit("If-Match", seen.etag()).refused(412, "stale_version", "If-Match")
		now := s.do(s.admin, "GET", path, nil, "If-None-Match", seen.etag()).want(200)
		if now.etag() != changed.etag() || string(now.body) != string(changed.body) {
			t.Errorf("%s: read %s, the edit returned %s", path, now, changed)
		}
		s.do(s.admin, "GET", path, nil, "If-None-Match", `"0", W/`+now.etag()).want(304)
	}
}

func TestEditsAtOnceOneWins(t *testing.T) {
	t.Parallel()
	s := start(t, roomy)
	path := "/v1/users/" + s.staff.id.String()
	answers := atOnce(16, func(i int) *answer {
		return s.do(s.admin, "PATCH", path, object{"name": strings.Repeat("x", i+1)}, "If-Match", `"1"`)
	})
	if got := tally(answers); got["200"] != 1 || got["412"] != 15 {
		t.Errorf("got %v", got)
	}
}

func TestNullIsNoEdit(t *testing.T) {
	t.Parallel()
	s := start(t)
	for path, names := range map[string][]string{
		"/v1/users/" + s.staff.id.String():      {"name", "email", "role"},
		"/v1/facilities/" + s.facility.String(): {"name", "address", "latitude", "longitude"},
		"/v1/groups/" + s.group.String():        {"name"},
		"/v1/accounts/" + s.account.String():    {"name"},
		"/v1/drivers/" + s.driverID.String():    {"name", "on_duty", "latitude", "longitude"},
	} {
		for _, name := range names {
			s.do(s.admin, "PATCH", path, `{"`+name+`": null}`, "If-Match", `"1"`).
				refused(422, "validation_failed", name)
		}
	}
	if version := s.do(s.admin, "PATCH", "/v1/drivers/"+s.driverID.String(), `{"user_id": null}`, "If-Match", `"1"`).
		want(200); version.str("user_id") != "" {
		t.Errorf("got %s", version)
	}
}

func TestEmailStaysUnique(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := "/v1/users/" + s.staff.id.String()
	s.do(s.staff, "PATCH", path, object{"email": strings.ToUpper(s.hub.email)}, "If-Match", `"1"`).
		refused(409, "email_taken", "email")
	s.do(s.staff, "PATCH", path, object{"email": strings.ToUpper(s.staff.email)}, "If-Match", `"1"`).want(200)
	s.do(s.staff, "PATCH", path, object{"email": s.foreign.hub.email}, "If-Match", `"2"`).want(200)
}

func TestTheLastAdminStays(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := func(u *user) string { return "/v1/users/" + u.id.String() }
	s.do(s.admin, "POST", path(s.admin)+"/deactivate", nil).refused(409, "last_admin", "")
	s.do(s.admin, "PATCH", path(s.admin), object{"role": "staff"}, "If-Match", `"1"`).refused(409, "last_admin", "role")
	s.do(s.admin, "PATCH", path(s.admin), object{"role": "staff"}, "If-Match", `"7"`).refused(412, "stale_version")
	s.do(s.admin, "PATCH", path(s.admin), object{"role": "admin", "name": "Still admin"}, "If-Match", `"1"`).want(200)
	second := s.newUser(s.tenant, db.UserRoleAdmin)
	s.do(s.admin, "POST", path(second)+"/deactivate", nil).want(200)
	s.do(s.admin, "POST", path(s.admin)+"/deactivate", nil).refused(409, "last_admin", "")
	s.do(s.admin, "POST", path(second)+"/reactivate", nil).want(200)
	// Two admins who deactivate each other concurrently: one remains, and gets an error.
	got := tally(atOnce(2, func(i int) *answer {
		pair := []*user{s.admin, second}
		if i == 1 {
			pair = []*user{second, s.admin}
		}
		as := &user{token: pair[0].token}
		return s.do(as, "POST", path(pair[1])+"/deactivate", nil)
	}))
	if n := scan[int](s, "SELECT count(*) FROM users WHERE tenant_id = $1 AND role = 'admin' AND active",
		s.tenant.id); n != 1 || got["200"] != 1 {
		t.Errorf("%d admins remain, %v", n, got)
	}
}

func TestReactivatedUsersLogInAgain(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := "/v1/users/" + s.staff.id.String()
	if v := s.do(s.admin, "POST", path+"/reactivate", nil).want(200).str("version"); v != "1" {
		t.Errorf("an active user's version is raised to %s", v)
	}
	s.do(s.admin, "POST", path+"/deactivate", nil).want(200)
	s.login(s.staff.email, password).refused(401, "unauthenticated")
	a := s.do(s.admin, "POST", path+"/reactivate", nil).want(200)
	if a.str("active") != "true" || a.str("version") != "3" || a.etag() != `"3"` {
		t.Errorf("got %s", a)
	}
	s.do(s.staff, "GET", "/v1/session", nil).refused(401, "unauthenticated") // the earlier session
	s.login(s.staff.email, password).want(201)
	s.do(s.admin, "POST", "/v1/users/"+newID().String()+"/reactivate", nil).refused(404, "not_found")
	s.do(s.admin, "POST", "/v1/users/"+s.foreign.staff.id.String()+"/reactivate", nil).refused(404, "not_found")
}
