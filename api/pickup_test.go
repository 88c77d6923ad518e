package api_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"waybill/db"
)

// What each role is shown of a pickup. Null is shown, where there is nothing.
const (
	everybodys = "id status version facility_id requested_by created_at updated_at"
	way        = " driver_id pickup_address pickup_latitude pickup_longitude dropoff_address window_start window_end " +
		"submitted_at"
	money = " account_id price_cents charged_cents refunded_cents"
)

var shownTo = map[db.UserRole]string{
	db.UserRoleAdmin:      everybodys + way + money + " patient_id note cancel_reason",
	db.UserRoleDispatcher: everybodys + way + money + " patient_id note cancel_reason",
	db.UserRoleStaff:      everybodys + way + money + " patient_id note cancel_reason",
	db.UserRoleDriver:     everybodys + way + " patient_id note",
	db.UserRoleHub:        everybodys + way,
}

// tagOf is the suffix of the ETag for a role.
var tagOf = map[db.UserRole]string{db.UserRoleDriver: "-1", db.UserRoleHub: "-2"}

func membersAre(t *testing.T, what string, shown object, want string) {
	t.Helper()
	got, expected := slices.Sorted(maps.Keys(shown)), strings.Fields(want)
	slices.Sort(expected)
	if !slices.Equal(got, expected) {
		t.Errorf("%s shows %v, want %v", what, got, expected)
	}
}

func TestEachRoleIsShownWhatItsWorkNeeds(t *testing.T) {
	t.Parallel()
	s := start(t)
	role := func(u *user, what string, shown object) {
		t.Helper()
		membersAre(t, string(u.role)+": "+what, shown, shownTo[u.role])
	}
	id := s.pickupIn(s.tenant, db.PickupStatusCOLLECTED, s.facility, s.driverID)
	path := "/v1/pickups/" + id.String()
	for _, u := range []*user{s.admin, s.dispatcher, s.staff, s.tenant.driver, s.hub} {
		a := s.do(u, "GET", path, nil).want(200)
		role(u, "get-pickup", a.object())
		if a.etag() != `"4`+tagOf[u.role]+`"` {
			t.Errorf("%s: ETag %s", u.role, a.etag())
		}
		s.do(u, "GET", path, nil, "If-None-Match", a.etag()).want(304)
		for _, other := range []*user{s.staff, s.tenant.driver, s.hub} {
			if tagOf[other.role] != tagOf[u.role] {
				s.do(u, "GET", path, nil, "If-None-Match", `"4`+tagOf[other.role]+`"`).want(200)
			}
		}
		for _, item := range s.do(u, "GET", "/v1/pickups", nil).want(200).items() {
			role(u, "list-pickups", item)
		}
	}
	for _, u := range []*user{s.dispatcher, s.staff} {
		body := with(s.newPickup(), object{"id": newID()})
		made := s.do(u, "POST", "/v1/pickups", body).fresh(201)
		role(u, "create-pickup", made.object())
		role(u, "create-pickup again", s.do(u, "POST", "/v1/pickups", body).replayed().object())
		for _, item := range s.do(u, "POST", "/v1/pickups/batch",
			object{"items": []object{s.newPickup(), s.newPickup()}}).want(201).items() {
			role(u, "create-pickups", item)
		}
		at := "/v1/pickups/" + made.str("id")
		if u == s.staff {
			role(u, "edit-pickup", s.do(u, "PATCH", at, object{"note": "Ring"}, "If-Match", made.etag()).want(200).
				object())
		}
		role(u, "submit-pickup", s.do(u, "POST", at+"/submit", nil, "Idempotency-Key", "s").fresh(200).object())
		role(u, "submit-pickup again", s.do(u, "POST", at+"/submit", nil, "Idempotency-Key", "s").replayed().object())
		role(u, "cancel-pickup", s.do(u, "POST", at+"/cancel", nil).want(200).object())
	}
	assigned := "/v1/pickups/" + s.pickupIn(s.tenant, db.PickupStatusSUBMITTED, s.facility, s.driverID).String()
	role(s.dispatcher, "assign-pickup",
		s.do(s.dispatcher, "POST", assigned+"/assign", object{"driver_id": s.driverID}).want(200).object())
	for range 2 { // If-Match compares only the version, whatever the role of its ETag
		role(s.tenant.driver, "collect-pickup",
			s.do(s.tenant.driver, "POST", assigned+"/collect", nil, "If-Match", `"3-1"`, "Idempotency-Key", "c").
				want(200).object())
	}
	role(s.hub, "receive-pickup", s.do(s.hub, "POST", assigned+"/receive", nil, "If-Match", `"4"`).want(200).object())
}

// A driver sees a pickup only while it is theirs: afterwards they only learn that they delivered it.
func TestADeliveredPickupIsGoneFromItsDriver(t *testing.T) {
	t.Parallel()
	s := start(t)
	id := s.pickupIn(s.tenant, db.PickupStatusSHIPPED, s.hidden, s.driverID)
	path, driver := "/v1/pickups/"+id.String(), s.tenant.driver
	planted := planted{}
	s.plantPickup(planted, id, nil) // not visible to any role after deliver
	s.exec("UPDATE pickups SET patient_id = $2 WHERE id = $1", id, s.plantPatient(planted, s.tenant, s.hidden, nil))
	for _, of := range []string{"", "/events", "/messages", "/patient"} {
		s.do(driver, "GET", path+of, nil).want(200)
	}
	s.do(driver, "GET", "/v1/facilities/"+s.hidden.String(), nil).want(200)
	s.do(driver, "POST", path+"/deliver", nil, "Idempotency-Key", "other", "If-Match", `"99"`).
		refused(412, "stale_version")

	delivered := s.do(driver, "POST", path+"/deliver", nil, "Idempotency-Key", "d").fresh(200)
	again := s.do(driver, "POST", path+"/deliver", nil, "Idempotency-Key", "d").replayed()
	for _, a := range []*answer{delivered, again} {
		membersAre(t, "deliver", a.object(), everybodys)
		planted.leaks(driver.role, a)
		if a.str("status") != "DELIVERED" || a.str("id") != id.String() || a.etag() != delivered.etag() {
			t.Errorf("got %s, ETag %s", a, a.etag())
		}
	}
	for _, of := range []string{"", "/events", "/messages", "/patient"} {
		a := s.do(driver, "GET", path+of, nil)
		a.refused(404, "not_found")
	}
	s.do(driver, "GET", "/v1/facilities/"+s.hidden.String(), nil).refused(404, "not_found")
	for _, list := range []string{"/v1/pickups", "/v1/pickups?status=DELIVERED",
		"/v1/pickups?driver_id=" + s.driverID.String(), "/v1/facilities"} {
		if ids := s.do(driver, "GET", list, nil).want(200).ids(); len(ids) > 0 {
			t.Errorf("%s shows %v", list, ids)
		}
	}
	for _, key := range []string{"e", "other"} {
		s.do(driver, "POST", path+"/deliver", nil, "Idempotency-Key", key).refused(404, "not_found")
	}
	s.do(driver, "POST", path+"/deliver", nil).refused(404, "not_found")
	s.do(s.rival, "POST", path+"/deliver", nil, "Idempotency-Key", "d").refused(404, "not_found")
	s.do(s.hub, "POST", path+"/deliver", nil, "Idempotency-Key", "d").refused(422, "idempotency_key_reused")
	s.do(s.dispatcher, "GET", path, nil).want(200)
}

// A driver whose pickup is released loses it at once, and staff who no longer see its facility get the
// result of their transition again, and no more.
func TestWhatIsTakenAwayIsSeenNoMore(t *testing.T) {
	t.Parallel()
	s := start(t)
	for name, body := range map[string]any{"release": nil, "cancel": object{"reason": "No longer needed"}} {
		path := "/v1/pickups/" + s.pickupIn(s.tenant, db.PickupStatusASSIGNED, s.facility, s.driverID).String()
		s.do(s.tenant.driver, "GET", path, nil).want(200)
		membersAre(t, name, s.do(s.dispatcher, "POST", path+"/"+name, body).want(200).object(),
			shownTo[db.UserRoleDispatcher])
		s.do(s.tenant.driver, "GET", path, nil).refused(404, "not_found")
	}
	path := s.pickup()
	s.do(s.staff, "POST", path+"/submit", nil, "Idempotency-Key", "s").fresh(200)
	s.do(s.dispatcher, "POST", path+"/assign", object{"driver_id": s.driverID}).want(200)
	s.exec("DELETE FROM group_members WHERE user_id = $1", s.staff.id)
	again := s.do(s.staff, "POST", path+"/submit", nil, "Idempotency-Key", "s").replayed()
	membersAre(t, "submit", again.object(), everybodys)
	if again.str("status") != "SUBMITTED" || again.str("version") != "2" {
		t.Errorf("it shows a later state: %s", again)
	}
	s.do(s.staff, "POST", path+"/submit", nil, "Idempotency-Key", "t").refused(404, "not_found")
}

// Rows of pickups are only encoded as one role sees them: db.Pickup has no JSON, and api.Pickup is
// built in one place.
func TestAPickupIsAnsweredInOneWay(t *testing.T) {
	t.Parallel()
	note := "note"
	if text, err := json.Marshal(db.Pickup{Note: &note, PickupAddress: "1 Main St"}); err != nil ||
		string(text) != "{}" {
		t.Errorf("a row of pickups is %s, %v", text, err)
	}
	paths, err := filepath.Glob("*.go")
	if err != nil || len(paths) == 0 {
		t.Fatal("no files: ", err)
	}
	made := 0
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			c, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			if name, ok := c.Type.(*ast.Ident); ok && name.Name == "Pickup" {
				if made++; path != "pickup.go" {
					t.Errorf("%s builds a Pickup itself", path)
				}
			}
			return true
		})
	}
	if made == 0 {
		t.Error("no file builds a Pickup: nothing was tested")
	}
}
