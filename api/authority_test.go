package api_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"waybill/db"
	"waybill/db/dbtest"
)

// halves is a body that arrives in two parts, with a callback between them. It is called after the
// request was admitted: nothing of a body is read before.
type halves struct {
	parts   [][]byte
	between func()
}

func (h *halves) Read(p []byte) (int, error) {
	if len(h.parts) == 0 {
		return 0, io.EOF
	}
	if len(h.parts) == 1 && h.between != nil {
		h.between()
		h.between = nil
	}
	n := copy(p, h.parts[0])
	if h.parts[0] = h.parts[0][n:]; len(h.parts[0]) == 0 {
		h.parts = h.parts[1:]
	}
	return n, nil
}

// doMeanwhile sends a request in two parts.
func (s *server) doMeanwhile(as *user, method string, c call, between func()) *answer {
	s.t.Helper()
	body := []byte(" ")
	if c.body != nil {
		var err error
		body, err = json.Marshal(c.body)
		s.must(err)
	}
	half := len(body) / 2
	r := httptest.NewRequestWithContext(s.t.Context(), method, c.path,
		&halves{[][]byte{body[:half], body[half:]}, between})
	if c.body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Authorization", "Bearer "+as.token)
	for i := 0; i < len(c.headers); i += 2 {
		r.Header.Set(c.headers[i], c.headers[i+1])
	}
	return s.serve(r)
}

// everything is a checksum of each table.
func (s *server) everything() map[string]string {
	s.t.Helper()
	rows, err := s.base.Owner().Query(s.t.Context(),
		"SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT "+
			"relispartition")
	s.must(err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	s.must(err)
	sums := map[string]string{}
	for _, table := range tables {
		sums[table] = scan[string](s,
			fmt.Sprintf("SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM "+
				"%s AS t", table))
	}
	return sums
}

// end is a way to end a user's authority during their request.
type end struct {
	name   string
	happen func(*server, *user)
	status int
	code   string
}

func (s *server) otherRole(u *user) db.UserRole {
	return roles[(slices.Index(roles, u.role)+1)%len(roles)]
}

var ends = []end{
	{"deactivated", func(s *server, u *user) {
		_, err := s.store.DeactivateUser(s.t.Context(), db.SystemViewer(s.tenant.id, u.id, db.UserRoleAdmin), u.id)
		s.must(err)
	}, 401, "unauthenticated"},
	{"deactivated by hand", func(s *server, u *user) {
		s.exec("UPDATE users SET active = false WHERE id = $1", u.id)
	}, 401, "unauthenticated"},
	{"logged out", func(s *server, u *user) {
		s.must(s.store.CloseSession(s.t.Context(), db.Token(u.token)))
	}, 401, "unauthenticated"},
	{"the session expired", func(s *server, u *user) {
		s.exec("UPDATE sessions SET expires_at = now() WHERE user_id = $1", u.id)
	}, 401, "unauthenticated"},
	{"another password", func(s *server, u *user) {
		_, err := s.store.ChangePassword(s.t.Context(), db.SystemViewer(s.tenant.id, u.id, u.role),
			db.ChangePasswordParams{ID: u.id, PasswordEpoch: 1, NewPasswordHash: passwordHash()})
		s.must(err)
	}, 401, "unauthenticated"},
	{"another role", func(s *server, u *user) {
		s.exec("UPDATE users SET role = $2 WHERE id = $1", u.id, s.otherRole(u))
	}, 403, "forbidden"},
	{"another driver", func(s *server, u *user) {
		s.exec("UPDATE drivers SET user_id = NULL WHERE user_id = $1", u.id)
		s.exec("UPDATE drivers SET user_id = $1 WHERE id = $2", u.id, s.newDriver(s.tenant))
	}, 403, "forbidden"},
}

// restore resets the user and makes its session valid again.
func (s *server) restore(u *user) {
	s.exec("UPDATE users SET active = true, role = $2, password_epoch = 1, password_hash = $3 WHERE id = $1",
		u.id, u.role, passwordHash())
	s.exec("UPDATE sessions SET revoked_at = NULL, expires_at = now() + interval '1 day' WHERE user_id = $1", u.id)
	s.exec("UPDATE drivers SET user_id = NULL WHERE user_id = $1", u.id)
	if u.id == s.tenant.driver.id {
		s.exec("UPDATE drivers SET user_id = $1 WHERE id = $2", u.id, s.driverID)
	}
}

// writing are the operations that change anything.
func writing() (ops []*described) {
	for _, op := range theDocument().operations {
		if op.method != http.MethodGet && op.id != "login" { // a login has no session yet
			ops = append(ops, op)
		}
	}
	return ops
}

// A request is admitted before its body is read. If its authorization ends meanwhile, it is rejected,
// whatever the operation, and whether its session was looked up or cached, and writes nothing. A user
// whose role or driver has changed by then is rejected, or, if the session was cached, answered like
// one whose request begins only now.
func TestAuthorityThatEndsUnderWayWritesNothing(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "what happens in between is SQL")
	ops := writing()
	if len(ops) < 30 {
		t.Fatalf("only %d operations write?", len(ops))
	}
	for _, cached := range []bool{false, true} {
		for _, e := range slices.Concat([]end{{name: "nothing"}}, ends) {
			t.Run(fmt.Sprintf("%s/cached %t", e.name, cached), func(t *testing.T) {
				t.Parallel()
				s, twin := start(t), (*server)(nil)
				s.newUser(s.tenant, db.UserRoleAdmin) // the other one may be deactivated
				if cached && e.status == 403 {
					twin = start(t)
					twin.newUser(twin.tenant, db.UserRoleAdmin)
				}
				for _, op := range ops {
					s.endsUnderWay(op, e, cached, twin)
				}
			})
		}
	}
}

// endsUnderWay has the end happen between the two halves of a request. With a twin, where
// it happens before the request, the two are answered alike.
func (s *server) endsUnderWay(op *described, e end, cached bool, twin *server) {
	s.t.Helper()
	as := s.whoMay(op.id)
	c := s.writeCall(op, as)
	s.startSession(as)
	if cached {
		s.do(as, "GET", "/v1/session", nil).want(200)
	}
	var before map[string]string
	a := s.doMeanwhile(as, op.method, c, func() {
		if e.happen != nil {
			e.happen(s, as)
			before = s.everything()
		}
	})
	switch {
	case e.happen == nil && a.status >= 300:
		s.t.Errorf("%s with unchanged authority: got %s", op.id, a)
	case e.happen == nil: // the same request would have been done
	case before == nil:
		s.t.Errorf("%s: the authority did not change during the request: got %s", op.id, a)
	case twin != nil && op.id != "sync-appointments": // which looks every session up
		if want := twin.answerAfter(op, e); a.status != want.status || a.code() != want.code() {
			s.t.Errorf("%s by %s: got %s, want the answer of a later request: %s", op.id, as.role, a, want)
		}
		if a.status >= 300 {
			s.unchanged(op.id, before)
		}
	default:
		if a.status != e.status || a.code() != e.code {
			s.t.Errorf("%s by %s: got %s, want %d %s", op.id, as.role, a, e.status, e.code)
		}
		s.unchanged(op.id, before)
	}
	s.restore(as)
}

// code is that of a problem, "" of any other answer.
func (a *answer) code() string {
	if a.status < 400 {
		return ""
	}
	return a.str("code")
}

// answerAfter is what a request is answered that begins after the end.
func (s *server) answerAfter(op *described, e end) *answer {
	s.t.Helper()
	as := s.whoMay(op.id)
	c := s.writeCall(op, as)
	s.startSession(as)
	e.happen(s, as)
	defer s.restore(as)
	return s.doMeanwhile(as, op.method, c, func() {})
}

// writeCall is a write that the user may make.
func (s *server) writeCall(op *described, as *user) call {
	c := s.call(op, as.role, "own", s.tenant)
	if op.id == "locate-driver" { // newer than the known location
		c.body = with(c.body.(object), object{"located_at": time.Now()})
	}
	return c
}

// startSession gives the user a session that the server has not seen.
func (s *server) startSession(u *user) {
	s.t.Helper()
	token, _, err := s.store.OpenSession(s.t.Context(), s.tenant.id, u.id, passwordHash(), time.Hour)
	s.must(err)
	u.token = string(token)
}

func (s *server) unchanged(what string, before map[string]string) {
	s.t.Helper()
	for table, sum := range s.everything() {
		if before[table] != sum {
			s.t.Errorf("%s wrote to %s", what, table)
		}
	}
}

// A user who is removed from the group during their request writes nothing of its facility.
func TestAMemberWhoIsRemovedConcurrentlyWritesNothing(t *testing.T) {
	t.Parallel()
	s := start(t)
	byGroup := []string{
		"create-pickup", "create-pickups", "edit-pickup", "submit-pickup", "cancel-pickup",
		"create-patient", "edit-patient", "allow-patient-facility", "disallow-patient-facility", "sync-appointments",
	}
	for _, op := range writing() {
		if !slices.Contains(byGroup, op.id) {
			continue
		}
		c := s.call(op, db.UserRoleStaff, "own", s.tenant)
		var before map[string]string
		a := s.doMeanwhile(s.staff, op.method, c, func() {
			s.exec("DELETE FROM group_members WHERE group_id = $1 AND user_id = $2", s.group, s.staff.id)
			before = s.everything()
		})
		if code := a.str("code"); before == nil || code != "not_found" && code != "facility_not_found" {
			t.Errorf("%s: got %s", op.id, a)
		}
		s.unchanged(op.id, before)
		s.shows(s.tenant, s.facility, s.staff)
	}
}

// Who ends their own authority is answered like anybody.
func TestRevokingOnesOwnAuthorityIsAnswered(t *testing.T) {
	t.Parallel()
	s := start(t)
	self := func(u *user) string { return "/v1/users/" + u.id.String() }
	over := func(u *user) { s.t.Helper(); s.do(u, "GET", "/v1/session", nil).refused(401, "unauthenticated") }

	s.do(s.hub, "DELETE", "/v1/session", nil).want(204)
	over(s.hub)
	s.do(s.staff, "PUT", self(s.staff)+"/password",
		object{"current_password": password, "new_password": password + "!"}).want(200)
	over(s.staff)
	s.newUser(s.tenant, db.UserRoleAdmin)
	if role := s.do(s.admin, "PATCH", self(s.admin), object{"role": "dispatcher"}, "If-Match", `"1"`).want(200).
		str("role"); role != "dispatcher" {
		t.Errorf("the role is %s", role)
	}
	other := s.newUser(s.tenant, db.UserRoleAdmin)
	s.do(other, "PUT", "/v1/groups/"+s.group.String()+"/members/"+other.id.String(), nil).want(204)
	s.do(other, "DELETE", "/v1/groups/"+s.group.String()+"/members/"+other.id.String(), nil).want(204)
	s.do(other, "POST", self(other)+"/deactivate", nil).want(200)
	over(other)

	driver := object{"id": newID(), "name": "Themselves", "user_id": s.dispatcher.id}
	path := s.do(s.dispatcher, "POST", "/v1/drivers", driver).want(201).header.Get("Location")
	s.do(s.dispatcher, "PATCH", path, object{"user_id": nil}, "If-Match", `"1"`).want(200)
	s.do(s.dispatcher, "PATCH", path, object{"user_id": s.dispatcher.id}, "If-Match", `"2"`).want(200)
}

// The problem explains what happened, and does not end the session: the user may be allowed to do the
// same again. A cached session has done nothing by then: its request is retried by itself.
func TestChangedRoleIsNoEndOfTheSession(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := call{path: "/v1/pickups", body: s.newPickup()}
	a := s.doMeanwhile(s.staff, "POST", c,
		func() { s.exec("UPDATE users SET role = 'dispatcher' WHERE id = $1", s.staff.id) })
	a.refused(403, "forbidden")
	if detail := a.str("detail"); !strings.Contains(detail, "was changed during the request") {
		t.Errorf("detail is %q", detail)
	}
	s.do(s.staff, "POST", c.path, c.body).want(201)

	c.body = s.newPickup()
	s.doMeanwhile(s.staff, "POST", c, func() {
		s.exec("UPDATE users SET role = 'staff' WHERE id = $1", s.staff.id)
	}).want(201)
}
