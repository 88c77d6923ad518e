package api_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/crypto/bcrypt"

	"waybill/api"
	"waybill/db"
	"waybill/db/seed"
)

var times = regexp.MustCompile(`"\d{4}-\d\d-\d\dT[^"]*"`)

// A session's row, request state and answer are as large for a user who sees 10,000 facilities as for
// one who sees none.
func TestSessionStaysSmallWhateverTheUserSees(t *testing.T) {
	t.Parallel()
	s := start(t)
	wide, narrow := s.newUser(s.tenant, db.UserRoleStaff), s.newUser(s.tenant, db.UserRoleStaff)
	s.make(s.tenant, func(r *seed.Rows) { r.FacilitiesSeenBy(wide.id, 10_000, 1000) })

	sizes := map[*user]string{}
	for _, u := range []*user{wide, narrow} {
		u.token = s.login(u.email, password).want(201).str("token")
		answer := times.ReplaceAllString(string(s.do(u, "GET", "/v1/session", nil).want(200).body), `"time"`)
		viewer, err := s.store.Authenticate(t.Context(), db.Token(u.token), time.Hour)
		s.must(err)
		viewer.ExpiresAt = time.Time{}
		carried, err := json.Marshal(viewer)
		s.must(err)
		stored := scan[int](s, "SELECT max(pg_column_size(s)) FROM sessions AS s WHERE user_id = $1", u.id)
		sizes[u] = fmt.Sprintf("%d bytes stored, %d carried, %d answered", stored, len(carried), len(answer))
	}
	t.Log(sizes[wide])
	if sizes[wide] != sizes[narrow] {
		t.Errorf("with 10,000 facilities: %s; with none: %s", sizes[wide], sizes[narrow])
	}
	id := s.do(wide, "GET", "/v1/facilities?limit=1", nil).want(200).ids()[0]
	body := with(s.newPatient(), object{"facility_id": id})
	path := s.do(wide, "POST", "/v1/patients", body).want(201).header.Get("Location")
	for _, path := range []string{path, "/v1/session", "/v1/facilities/" + id, "/v1/patients?facility_id=" + id,
		"/v1/patients", "/v1/pickups", "/v1/facilities"} {
		begin := time.Now()
		s.do(wide, "GET", path, nil).want(200)
		t.Logf("%v for %s", time.Since(begin), path)
	}
}

// another is a further process on the server's database.
func (s *server) another() *server {
	s.t.Helper()
	store, err := db.Open(s.t.Context(), db.Config{URL: s.base.AppURL, MaxConns: 4, AcquireTimeout: 5 * time.Second})
	s.must(err)
	s.t.Cleanup(store.Close)
	a, err := api.New(s.t.Context(), store.Store, api.Options{PasswordCost: bcrypt.MinCost})
	s.must(err)
	other := *s
	other.store, other.api = store, a
	return &other
}

func TestEndOfARightIsTheNextRequestsOnEveryProcess(t *testing.T) {
	t.Parallel()
	s := start(t)
	processes := []*server{s, s.another()}
	path := s.patient()
	s.feed(s.staff, []object{newRecord(1)}).want(200)
	on := func(as *user, path string, want int) {
		t.Helper()
		for _, p := range processes {
			p.do(as, "GET", path, nil).want(want)
		}
	}
	facility := func(want int) { // its appointments and its feed
		t.Helper()
		for _, p := range processes {
			p.appointments(s.staff, s.facility, "2030-01-01T00:00:00Z", "2030-01-31T00:00:00Z").want(want)
			p.feed(s.staff, []object{newRecord(1)}).want(want)
		}
	}
	facility(200)
	on(s.staff, path, 200)
	member := "/v1/groups/" + s.group.String() + "/members/" + s.staff.id.String()
	s.do(s.admin, "DELETE", member, nil).want(204)
	on(s.staff, path, 404)
	facility(404)
	s.do(s.admin, "PUT", member, nil).want(204)
	on(s.staff, path, 200)
	shown := "/v1/groups/" + s.group.String() + "/facilities/" + s.facility.String()
	s.do(s.admin, "DELETE", shown, nil).want(204)
	on(s.staff, path, 404)
	facility(404)
	s.do(s.admin, "PUT", shown, nil).want(204)
	facility(200)
	s.allow(uuid.MustParse(path[len("/v1/patients/"):]), s.hidden)
	s.do(s.staff, "DELETE", path+"/facilities/"+s.facility.String(), nil).want(204)
	on(s.staff, path, 404)

	on(s.stranger, "/v1/session", 200)
	s.do(s.stranger, "DELETE", "/v1/session", nil).want(204)
	on(s.stranger, "/v1/session", 401)
	on(s.staff, "/v1/session", 200)
	s.do(s.admin, "POST", "/v1/users/"+s.staff.id.String()+"/deactivate", nil).want(200)
	on(s.staff, "/v1/session", 401)
	on(s.staff, path, 401)
	facility(401)
}
