package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"waybill/api"
	"waybill/db"
	"waybill/db/dbtest"
)

// rights is a row of the permission matrix: a letter for each of admin, dispatcher, staff, driver and
// hub. A: on every row of the tenant. O: on visible rows, the others being not found. -: not at all. on
// is the resource in the path.
type rights struct {
	who string
	on  string
}

var table = map[string]rights{
	"login": {"public", ""}, "livez": {"public", ""}, "readyz": {"public", ""}, "get-error": {"public", ""},
	"get-session": {"AAAAA", ""}, "logout": {"AAAAA", ""},

	"create-user": {"A----", ""}, "list-users": {"AA---", ""}, "get-user": {"AAOOO", "user"},
	"edit-user": {"AOOOO", "user"}, "change-password": {"AOOOO", "user"}, "deactivate-user": {"A----", "user"},
	"reactivate-user":  {"A----", "user"},
	"add-phone-number": {"A-O--", "user"}, "list-phone-numbers": {"AAOOO", "user"},
	"remove-phone-number": {"A-O--", "phone"},

	"create-facility": {"A----", ""}, "list-facilities": {"AAAAA", ""}, "get-facility": {"AAOOO", "facility"},
	"edit-facility": {"A----", "facility"},

	"create-group": {"A----", ""}, "list-groups": {"A----", ""}, "get-group": {"A----", "group"},
	"edit-group":         {"A----", "group"},
	"list-group-members": {"A----", "group"}, "add-group-member": {"A----", "member"},
	"remove-group-member":   {"A----", "member"},
	"list-group-facilities": {"A----", "group"}, "add-group-facility": {"A----", "shown"},
	"remove-group-facility": {"A----", "shown"},

	"list-flags": {"A----", ""}, "get-flag": {"A----", "flag"}, "set-flag": {"A----", "flag"},

	"create-account": {"A----", ""}, "list-accounts": {"AAA--", ""}, "get-account": {"AAO--", "account"},
	"edit-account": {"A----", "account"}, "charge-account": {"A----", "account"},
	"deposit-to-account":   {"A----", "account"},
	"list-account-entries": {"AAO--", "account"}, "get-account-entry": {"AAO--", "entry"},
	"get-account-statement":   {"AAO--", "account"},
	"list-account-facilities": {"AA---", "account"}, "add-account-facility": {"A----", "listed"},
	"remove-account-facility": {"A----", "listed"},

	"create-driver": {"AA---", ""}, "list-drivers": {"AAAAA", ""}, "get-driver": {"AAAOA", "driver"},
	"edit-driver": {"AA-O-", "driver"}, "locate-driver": {"AA-O-", "driver"},

	"create-pickup": {"-AA--", ""}, "create-pickups": {"-AA--", ""},
	"list-pickups": {"AAAAA", ""}, "get-pickup": {"AAOOO", "pickup"}, "edit-pickup": {"--O--", "pickup"},
	"list-pickup-events": {"AAOOO", "pickup"}, "list-pickup-transitions": {"AAAAA", ""},
	"list-pickup-adjustments": {"AAAAA", ""}, "stream-pickups": {"AAAAA", ""},
	"get-pickup-counts":    {"AAAAA", ""},
	"list-pickup-messages": {"AAOOO", "pickup"},
	"submit-pickup":        {"-AO--", "pickup"},
	"assign-pickup":        {"-A---", "pickup"},
	"resend-message":       {"AAO--", "text"},
	"dispatch-pickup":      {"-A---", "pickup"},
	"release-pickup":       {"-A---", "pickup"},
	"cancel-pickup":        {"AAO--", "pickup"},
	"collect-pickup":       {"-A-O-", "pickup"},
	"receive-pickup":       {"----O", "pickup"}, "pack-pickup": {"----O", "pickup"}, "ship-pickup": {"----O", "pickup"},
	"deliver-pickup": {"---OO", "pickup"},
	"reprice-pickup": {"AA---", "pickup"}, "refund-pickup": {"AA---", "pickup"},

	"create-patient": {"AAA--", ""}, "list-patients": {"AAA--", ""}, "get-patient": {"OOO--", "patient"},
	"search-patients":        {"AAA--", ""},
	"edit-patient":           {"OOO--", "patient"},
	"allow-patient-facility": {"OOO--", "allowed"}, "disallow-patient-facility": {"OOO--", "allowed"},
	"get-pickup-patient":        {"OOOO-", "pickup"},
	"list-appointments":         {"OOO--", "facility"},
	"sync-appointments":         {"OOO--", "facility"},
	"list-feeds":                {"AAO--", "facility"},
	"write-batch":               {"AAAAA", ""},
	"list-patient-appointments": {"OOO--", "patient"},
	"list-user-reads":           {"A----", ""},
	"list-stuck-jobs":           {"A----", ""},
	"list-patient-reads":        {"A----", "patient"}, "list-patient-consents": {"A----", "patient"},
}

// begins is the status of a pickup in which an operation is tried. A transition is, in the last of the
// statuses that the dictionary lets it start from.
var begins = map[string]db.PickupStatus{
	"edit-pickup": db.PickupStatusDRAFT,
	"get-pickup":  db.PickupStatusCOLLECTED, "list-pickup-events": db.PickupStatusCOLLECTED,
	"get-pickup-patient":   db.PickupStatusCOLLECTED,
	"list-pickup-messages": db.PickupStatusCOLLECTED, "resend-message": db.PickupStatusSUBMITTED,
	"reprice-pickup": db.PickupStatusSHIPPED, "refund-pickup": db.PickupStatusDELIVERED,
}

// beginsIn returns the operation's status of begins.
func (s *server) beginsIn(op *described) db.PickupStatus {
	s.t.Helper()
	if status, ok := begins[op.id]; ok {
		return status
	}
	rules, err := s.store.ListTransitions(s.t.Context())
	s.must(err)
	for _, r := range rules {
		if op.id == string(r.Transition)+"-pickup" {
			return db.PickupStatus(r.FromStatuses[len(r.FromStatuses)-1])
		}
	}
	s.t.Fatalf("%s: no initial status is known", op.id)
	return ""
}

var roles = []db.UserRole{db.UserRoleAdmin, db.UserRoleDispatcher, db.UserRoleStaff, db.UserRoleDriver, db.UserRoleHub}

func (t *tenant) as(role db.UserRole) *user {
	return map[db.UserRole]*user{
		db.UserRoleAdmin: t.admin, db.UserRoleDispatcher: t.dispatcher, db.UserRoleStaff: t.staff,
		db.UserRoleDriver: t.driver, db.UserRoleHub: t.hub,
	}[role]
}

// may returns the role's letter in the matrix.
func (r rights) may(role db.UserRole) byte {
	if r.who == "public" {
		return 'A'
	}
	return r.who[slices.Index(roles, role)]
}

// rightsOf returns the operation's row of the table.
func (s *server) rightsOf(operation string) rights {
	s.t.Helper()
	right, ok := table[operation]
	if !ok {
		s.t.Fatalf("%s is missing from the role table", operation)
	}
	return right
}

// whoMay returns a permitted user of the tenant.
func (s *server) whoMay(operation string) *user {
	s.t.Helper()
	s.rightsOf(operation)
	return s.tenant.whoMay(operation)
}

// Every operation is called by every role on its own rows, on rows that it may not see, and on another
// tenant's: a role without permission gets 403, invisible rows 404 exactly like missing ones, and no
// answer contains their values.
func TestRolesMayWhatTheTableSays(t *testing.T) {
	t.Parallel()
	dbtest.WithoutRace(t, "permissions, tested one after the other")
	for id := range table {
		if theDocument().operation(id) == nil {
			t.Errorf("the role table has %s, which the document lacks", id)
		}
	}
	for _, op := range theDocument().operations {
		if table[op.id].who == "" {
			t.Errorf("%s is missing from the role table", op.id)
		}
	}
	for _, role := range roles {
		t.Run(string(role), func(t *testing.T) {
			t.Parallel()
			var metrics metered
			s := start(t, metrics.set)
			s.planted = s.plant()
			for _, op := range theDocument().operations {
				if table[op.id].who != "public" && op.id != "stream-pickups" && op.id != "logout" {
					s.tryRole(op, role)
				}
			}
			metrics.check(t)
			if s.shown == 0 && role != db.UserRoleHub {
				t.Error("no answer contained a canary, even for permitted roles: nothing was tested")
			}
			s.do(s.as(role), "DELETE", "/v1/session", nil).want(204)
			s.do(s.as(role), "GET", "/v1/session", nil).refused(401, "unauthenticated")
		})
	}
}

func (s *server) tryRole(op *described, role db.UserRole) {
	s.t.Helper()
	right, as := s.rightsOf(op.id), s.as(role)
	try := func(which string, t *tenant) *answer {
		c := s.call(op, role, which, t)
		a := s.do(as, op.method, c.path, c.body, c.headers...)
		s.planted.leaks(role, a)
		if canaryWords.Match(a.body) {
			s.shown++
		}
		return a
	}
	expect := func(which string, a *answer, want int) {
		if a.status != want && !(want == 200 && a.status < 300) {
			s.t.Errorf("%s by %s on %s: got %s, want %d", op.id, role, which, a, want)
		}
	}
	whiches := []string{"own", "other", "foreign", "absent"}
	if right.on == "" {
		whiches = whiches[:1]
	}
	for _, which := range whiches {
		t := s.tenant
		if which == "foreign" {
			t = s.foreign
		}
		a := try(which, t)
		switch {
		case right.may(role) == '-':
			expect(which, a, 403)
		case which == "own", which == "other" && right.may(role) == 'A':
			expect(which, a, 200)
			if op.id == "change-password" { // the session is over: as it was
				s.exec("UPDATE users SET password_epoch = 1, password_hash = $1", passwordHash())
			}
		default:
			expect(which, a, 404)
			if absent := try("absent", t); !bytes.Equal(withoutID(a), withoutID(absent)) ||
				fmt.Sprint(shape(a)) != fmt.Sprint(shape(absent)) {
				s.t.Errorf("%s by %s: a %s row returns %s, a missing row %s", op.id, role, which, a, absent)
			}
		}
	}
}

// withoutID is a problem without its request_id.
func withoutID(a *answer) []byte {
	o := a.object()
	delete(o, "request_id")
	text, _ := json.Marshal(o)
	return text
}

// shape returns the names of the headers.
func shape(a *answer) []string {
	var names []string
	for name := range a.header {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// call is a valid request, apart perhaps from its user and its resource.
type call struct {
	path    string
	body    any
	headers []string
}

// ownIDs returns the values of the path's parameters for rows that the tenant has from its start.
func (t *tenant) ownIDs(role db.UserRole, which string) map[string]string {
	ids := map[string]string{
		"code": "not_found", "name": "pickup_texts", "user_id": t.as(role).id.String(),
		"phone_number_id": t.phone.String(),
		"facility_id":     t.facility.String(), "group_id": t.group.String(), "account_id": t.account.String(),
		"entry_id": t.entry.String(), "driver_id": t.driverID.String(), "patient_id": "",
	}
	if which == "other" {
		ids["user_id"], ids["facility_id"] = t.stranger.id.String(), t.hidden.String()
		ids["driver_id"] = t.rivalID.String()
	}
	return ids
}

// idsFor returns the values of the path's parameters for call, and makes the rows that they name.
func (s *server) idsFor(op *described, role db.UserRole, which string, t *tenant) map[string]string {
	s.t.Helper()
	ids := t.ownIDs(role, which)
	if which == "absent" {
		return absent(ids)
	}
	switch on := table[op.id].on; {
	case on == "flag" && which == "foreign":
		ids["name"] = "absent" // a flag has its name alone
	case on == "phone":
		owner := ids["user_id"]
		ids["phone_number_id"] = s.newPhone(t, owner)
	case on == "member" && op.method == "DELETE":
		s.exec("INSERT INTO group_members (tenant_id, group_id, user_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
			t.id, t.group, ids["user_id"])
	case on == "shown" && op.method == "DELETE" && role == db.UserRoleAdmin: // admins see everything anyway
		s.exec("INSERT INTO group_facilities (tenant_id, group_id, facility_id) VALUES ($1, $2, $3) ON CONFLICT DO "+
			"NOTHING", t.id, t.group, ids["facility_id"])
	case which == "other" && slices.Contains([]string{"account", "entry", "listed"}, on):
		ids["account_id"], ids["entry_id"] = s.closedAccount(t)
		s.lists(ids["account_id"], ids["facility_id"])
	case on == "listed" && op.method == "DELETE" && which == "own":
		s.lists(ids["account_id"], ids["facility_id"])
	case on == "text":
		ids["message_id"] = s.refusedText(op, role, which, t).String()
	case on == "endpoint" || on == "delivery":
		ids["endpoint_id"], ids["delivery_id"] = s.endpointFor(which, t)
	case on == "pickup":
		ids["pickup_id"] = s.pickupFor(op, role, which, t).String()
	case op.id == "list-patient-appointments":
		ids["patient_id"] = s.appointmentFor(role, which, t).String()
	case on == "patient" || on == "allowed":
		patient := s.patientFor(role, which, t)
		ids["patient_id"], ids["facility_id"] = patient.String(), t.hidden.String()
		if on == "allowed" && op.method == "DELETE" {
			s.allow(patient, t.hidden)
		}
	case op.id == "create-patient":
		s.shows(t, t.facility, t.as(role))
	case op.id == "list-appointments" || op.id == "sync-appointments":
		s.appointmentFor(role, which, t)
	case op.id == "get-facility" && role == db.UserRoleDriver && which == "own":
		s.pickupIn(t, db.PickupStatusCOLLECTED, t.facility, t.driverID)
	case op.id == "change-password" || op.id == "deactivate-user":
		if which == "own" && role == db.UserRoleAdmin || op.id == "deactivate-user" && which == "own" {
			ids["user_id"] = s.newUser(t, db.UserRoleHub).id.String() // not to end this very session
		}
	}
	return ids
}

// absent returns ids of no rows, in place of these and of those that are made for an operation.
func absent(ids map[string]string) map[string]string {
	made := []string{"pickup_id", "message_id", "endpoint_id", "delivery_id"}
	for _, name := range slices.AppendSeq(made, maps.Keys(ids)) {
		ids[name] = newID().String()
	}
	ids["name"] = "absent"
	return ids
}

// call returns a request for the operation on the role's own rows, on other rows of the tenant, on
// another tenant's, or on missing rows.
func (s *server) call(op *described, role db.UserRole, which string, t *tenant) call {
	s.t.Helper()
	c := call{body: s.bodyFor(op, t)}
	if on := table[op.id].on; !slices.Contains([]string{"facility", "phone",
		"group", "member", "shown", "flag", "entry",
		"allowed", "text", "listed"}, on) && !strings.Contains(op.path, "{"+on+"_id}") &&
		(on != "" || strings.Contains(op.path, "_id}")) {
		s.t.Fatalf("%s: no target is known: %q", op.id, on)
	}
	ids := s.idsFor(op, role, which, t)
	s.created(op, role, which, t, ids)
	if op.id == "edit-driver" && role == db.UserRoleDriver {
		c.body = object{"on_duty": true}
	}
	c.path = op.path
	for name, id := range ids {
		c.path = strings.ReplaceAll(c.path, "{"+name+"}", id)
	}
	switch op.id {
	case "write-batch":
		c.body = s.batchFor(role, which, t)
	case "get-account-statement": // without its end, that is the time of the answer
		c.path += "?to=" + time.Now().UTC().Format(time.RFC3339Nano)
	case "list-user-reads":
		c.path += "?user_id=" + t.as(role).id.String()
	case "list-appointments":
		c.path += "?from=2030-01-01T00:00:00Z&to=2030-01-31T00:00:00Z&facility_id=" + ids["facility_id"]
	case "sync-appointments":
		c.path += "?as_of=" + time.Now().UTC().Format(time.RFC3339Nano)
	}
	for _, p := range op.parameters {
		if p["name"] == "If-Match" && p["required"] == true {
			c.headers = []string{"If-Match", s.currentTag(op, c.path, t)}
		}
	}
	return c
}

// batchFor returns a batch of one write that the role may make.
func (s *server) batchFor(role db.UserRole, which string, t *tenant) object {
	s.t.Helper()
	name := map[db.UserRole]string{db.UserRoleAdmin: "cancel", db.UserRoleDispatcher: "submit",
		db.UserRoleStaff: "submit", db.UserRoleDriver: "collect", db.UserRoleHub: "receive"}[role] + "-pickup"
	id := s.pickupFor(theDocument().operation(name), role, which, t)
	return batch(object{"operation": name, "path": object{"pickup_id": id}})
}

// currentTag returns the ETag of the resource in the path, read as a user who sees everything.
func (s *server) currentTag(op *described, path string, t *tenant) string {
	w := httptest.NewRecorder()
	s.api.ServeHTTP(w, request(s.t, t.admin, http.MethodGet, path, nil))
	if tag := w.Header().Get("ETag"); tag != "" {
		return tag
	}
	return `"1"`
}

// pickupFor makes one where the operation begins: seen by the role, or not.
func (s *server) pickupFor(op *described, role db.UserRole, which string, t *tenant) uuid.UUID {
	s.t.Helper()
	status := s.beginsIn(op)
	facility, driver := t.facility, uuid.Nil
	if op.id != "assign-pickup" && op.id != "dispatch-pickup" {
		driver = t.driverID
	}
	if which == "other" {
		facility, driver = t.hidden, uuid.Nil
		if role == db.UserRoleHub {
			status = db.PickupStatusASSIGNED
		}
	}
	id := s.pickupIn(t, status, facility, driver)
	if which != "own" {
		s.plantPickup(s.planted, id, mayOf(which))
	}
	if op.id == "get-pickup-patient" {
		s.exec("UPDATE pickups SET patient_id = $2 WHERE id = $1", id, s.patientFor(role, which, t))
	}
	return id
}

// refusedText makes a text that the gateway has refused, of a pickup that the role sees, or not.
func (s *server) refusedText(op *described, role db.UserRole, which string, t *tenant) (id uuid.UUID) {
	s.t.Helper()
	s.must(s.base.Owner().QueryRow(s.t.Context(), `UPDATE messages
		SET status = 'FAILED', reason = 'refused_410', to_number = '+14155550100'
		WHERE pickup_id = $1 RETURNING id`, s.pickupFor(op, role, which, t)).Scan(&id))
	return id
}

// endpointFor makes a webhook endpoint, whose URL is for the admins of its tenant and whose secret is for nobody, and a
// dead letter.
func (s *server) endpointFor(which string, t *tenant) (endpoint, delivery string) {
	s.t.Helper()
	host, secret := newCanary(), newCanary()
	s.planted[host], s.planted[secret] = []db.UserRole{db.UserRoleAdmin}, nil
	if which == "foreign" {
		s.planted[host] = nil
	}
	id := newID()
	s.exec(`INSERT INTO webhook_endpoint_counts VALUES ($1, 1)
		ON CONFLICT (tenant_id) DO UPDATE SET endpoints = 1`, t.id)
	s.exec(`INSERT INTO webhook_endpoints (tenant_id, id, url, events, secret, request_digest, cursor_first_seq)
		VALUES ($1, $2, 'https://' || $3 || '.example', '{}', $4, '', 0)`, t.id, id, host, secret)
	s.exec(`INSERT INTO webhook_deliveries (tenant_id, endpoint_id, id, type, seq, status, next_attempt_at)
		VALUES ($1, $2, $2, 'webhook.ping', 0, 'FAILED', NULL)`, t.id, id)
	return id.String(), id.String()
}

// mayOf returns the roles that may see restricted values of the tenant.
func mayOf(which string) []db.UserRole {
	if which == "other" {
		return adminAndDispatcher
	}
	return nil
}

var adminAndDispatcher = []db.UserRole{db.UserRoleAdmin, db.UserRoleDispatcher}

// patientFor creates a patient of the facility that the role sees, or of one that no role sees.
func (s *server) patientFor(role db.UserRole, which string, t *tenant) uuid.UUID {
	s.t.Helper()
	if which != "own" { // possibly shown by an earlier operation
		s.exec("DELETE FROM group_facilities WHERE tenant_id = $1 AND facility_id = $2", t.id, t.hidden)
		return s.plantPatient(s.planted, t, t.hidden, nil)
	}
	s.shows(t, t.facility, t.as(role))
	return s.plantPatient(s.planted, t, t.facility, roles)
}

// shows puts the user into the group of the facility, and the facility into the group.
func (s *server) shows(t *tenant, facility uuid.UUID, users ...*user) {
	s.t.Helper()
	s.exec("INSERT INTO group_facilities (tenant_id, group_id, facility_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
		t.id, t.group, facility)
	for _, u := range users {
		s.exec("INSERT INTO group_members (tenant_id, group_id, user_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
			t.id, t.group, u.id)
	}
}

// allow records that the patient allows facilities.
func (s *server) allow(patient uuid.UUID, facilities ...uuid.UUID) {
	s.t.Helper()
	s.exec(`WITH allowed AS (
			INSERT INTO patient_facilities (tenant_id, patient_id, facility_id)
			SELECT p.tenant_id, p.id, f FROM patients AS p CROSS JOIN unnest($2::uuid[]) AS f WHERE p.id = $1
			ON CONFLICT DO NOTHING RETURNING *)
		UPDATE patients SET allowed_facilities = allowed_facilities + (SELECT count(*) FROM allowed) WHERE id = $1`,
		patient, facilities)
}

func (s *server) newPhone(t *tenant, userID string) string {
	id := newID()
	s.exec(`INSERT INTO phone_numbers (tenant_id, id, user_id, number, request_digest) VALUES ($1, $2, $3, $4, '\x00')`,
		t.id, id, userID, phoneNumber())
	return id.String()
}

// bodyFor returns a valid body for the operation, nil for none.
func (s *server) bodyFor(op *described, t *tenant) any {
	id := newID()
	switch op.id {
	case "create-webhook-endpoint":
		return object{"id": id, "url": "https://clinic.example/waybill"}
	case "login":
		return object{"tenant": t.slug, "email": t.staff.email, "password": password}
	case "create-user":
		return object{"id": id, "email": id.String() + "@example.com",
			"password": password, "name": "Ada", "role": "staff"}
	case "change-password":
		return object{"current_password": password, "new_password": password + "!"}
	case "add-phone-number":
		return object{"number": phoneNumber()}
	case "create-facility":
		return object{"id": id, "name": "Clinic", "address": "1 Main St", "latitude": 37.7, "longitude": -122.4}
	case "create-group", "create-driver":
		return object{"id": id, "name": "A name"}
	case "create-account":
		return object{"id": id, "name": "Account", "currency": "USD"}
	case "charge-account", "deposit-to-account":
		return object{"id": id, "amount_cents": 5}
	case "set-flag":
		return object{"enabled": true}
	case "locate-driver":
		return object{"latitude": 37.7, "longitude": -122.4, "located_at": "2024-05-06T07:08:09Z"}
	case "create-pickup":
		return with(t.newPickup(), object{"id": id})
	case "create-pickups":
		return object{"items": []object{with(t.newPickup(), object{"id": id})}}
	case "edit-pickup":
		return object{"price_cents": 4000}
	case "sync-appointments":
		return []object{newRecord(1)}
	case "create-patient":
		return with(t.newPatient(), object{"id": id})
	case "edit-patient":
		return object{"given_name": newCanary()}
	case "search-patients":
		return object{"limit": 200}
	case "assign-pickup":
		return object{"driver_id": s.newDriver(t)}
	case "reprice-pickup":
		return object{"price_cents": 700}
	case "refund-pickup":
		return object{"amount_cents": 1, "reason": "Late"}
	case "write-batch":
		pickup := s.pickupIn(t, db.PickupStatusSUBMITTED, t.facility, uuid.Nil)
		return batch(object{"operation": "cancel-pickup", "path": object{"pickup_id": pickup}})
	case "cancel-pickup":
		return object{"reason": "No longer needed"}
	}
	return s.editFor(op, t)
}

// editFor returns a valid body of an operation that creates nothing, or else what the document has as its example.
func (s *server) editFor(op *described, t *tenant) any {
	s.t.Helper()
	switch op.id {
	case "edit-user", "edit-facility", "edit-group", "edit-account", "edit-driver":
		return object{"name": "Another name"}
	case "edit-webhook-endpoint":
		return object{"events": []string{"submit"}}
	}
	if op.body == nil {
		return nil
	}
	body, ok := t.recordedBody(op)
	if !ok {
		s.t.Fatalf("%s: no body is known: it has no example (go test ./cmd/waybill -run TestExamples -update)", op.id)
	}
	return body
}

// phoneNumber is a new one.
func phoneNumber() string {
	id := uuid.New()
	return fmt.Sprintf(
		"+1%d", 1_000_000_000+(uint64(id[0])<<24|uint64(id[1])<<16|uint64(id[2])<<8|uint64(id[3]))%8_999_999_999)
}

func TestWithoutATokenNothingIsAnswered(t *testing.T) {
	t.Parallel()
	s := start(t)
	good := s.admin.token
	for _, op := range theDocument().operations {
		if op.public {
			continue
		}
		path := s.call(op, db.UserRoleAdmin, "absent", s.tenant).path
		for _, header := range []string{"", "Bearer", "Bearer ", "Basic " + good, good,
			"Bearer x" + good, "Bearer " + good[:len(good)-1],
			"Bearer " + good[:len(good)-4] + "AAAA", "Bearer " + string(db.NewToken(s.tenant.id)),
			"Bearer " + good + " " + good} {
			s.do(nil, op.method, path, nil, "Authorization", header).refused(401, "unauthenticated")
		}
	}
	s.do(nil, "GET", "/v1/session", nil, "Authorization", "bearer "+good).want(200)
}

func TestListsShowEachRoleItsOwn(t *testing.T) {
	t.Parallel()
	s := start(t)
	theirs := s.pickupIn(s.foreign, db.PickupStatusCOLLECTED, s.foreign.facility, s.foreign.driverID)
	draft := s.pickupIn(s.tenant, db.PickupStatusDRAFT, s.facility, uuid.Nil).String()
	concealed := s.pickupIn(s.tenant, db.PickupStatusDRAFT, s.hidden, uuid.Nil).String()
	mine := s.pickupIn(s.tenant, db.PickupStatusCOLLECTED, s.hidden, s.driverID).String()
	delivered := s.pickupIn(s.tenant, db.PickupStatusDELIVERED, s.facility, s.rivalID).String()
	others := s.pickupIn(s.tenant, db.PickupStatusASSIGNED, s.facility, s.rivalID).String()
	canceled := s.pickupIn(s.tenant, db.PickupStatusCANCELED, s.facility, uuid.Nil).String()
	hiddens, _ := s.closedAccount(s.tenant)
	ours, _ := s.closedAccount(s.tenant)
	s.lists(hiddens, s.hidden.String())
	s.lists(ours, s.facility.String())
	all := []string{draft, concealed, mine, others, delivered, canceled}
	for _, c := range []struct {
		as   *user
		path string
		want []string
	}{
		{s.admin, "/v1/pickups", all}, {s.dispatcher, "/v1/pickups", all},
		{s.staff, "/v1/pickups", []string{draft, others, delivered, canceled}},
		{s.stranger, "/v1/pickups", nil},
		{s.tenant.driver, "/v1/pickups", []string{mine}},
		{s.rival, "/v1/pickups", []string{others}},
		{s.hub, "/v1/pickups", []string{mine, delivered}},
		{s.foreign.admin, "/v1/pickups", []string{theirs.String()}},
		{s.admin, "/v1/facilities", []string{s.facility.String(), s.hidden.String()}},
		{s.dispatcher, "/v1/facilities", []string{s.facility.String(), s.hidden.String()}},
		{s.staff, "/v1/facilities", []string{s.facility.String()}},
		{s.hub, "/v1/facilities", []string{s.facility.String()}},
		{s.stranger, "/v1/facilities", nil}, {s.tenant.driver, "/v1/facilities", []string{s.hidden.String()}},
		{s.tenant.driver, "/v1/drivers", []string{s.driverID.String()}},
		{s.staff, "/v1/drivers", []string{s.driverID.String(), s.rivalID.String()}},
		{s.dispatcher, "/v1/accounts", []string{s.account.String(), hiddens, ours}},
		{s.staff, "/v1/accounts", []string{s.account.String(), ours}},
		{s.stranger, "/v1/accounts", []string{s.account.String()}},
		{s.foreign.dispatcher, "/v1/accounts", []string{s.foreign.account.String()}},
		{s.foreign.admin, "/v1/groups", []string{s.foreign.group.String()}},
	} {
		got := s.do(c.as, "GET", c.path, nil).want(200).ids()
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s lists %s as %v, want %v", c.as.role, c.path, got, c.want)
		}
	}
	s.countsShowEachRoleItsOwn()
	if n := len(s.do(s.dispatcher, "GET", "/v1/users", nil).want(200).items()); n != 7 {
		t.Errorf("%d users, want the tenant's 7", n)
	}
}

// countsShowEachRoleItsOwn tests the counts of the pickups that TestListsShowEachRoleItsOwn has made.
func (s *server) countsShowEachRoleItsOwn() {
	s.t.Helper()
	counts := map[*user]map[string]int64{
		s.admin: {"DRAFT": 2, "ASSIGNED": 1, "COLLECTED": 1, "DELIVERED": 1, "CANCELED": 1},
		s.staff: {"DRAFT": 1, "ASSIGNED": 1, "DELIVERED": 1, "CANCELED": 1}, s.stranger: {},
		s.tenant.driver: {"COLLECTED": 1}, s.rival: {"ASSIGNED": 1}, s.hub: {"COLLECTED": 1, "DELIVERED": 1},
		s.foreign.admin: {"COLLECTED": 1},
	}
	for as, want := range counts {
		s.counts(as, "/v1/pickup-counts", want)
		s.counts(as, "/v1/pickup-counts?facility_id="+uuid.NewString(), nil)
	}
	ofFacility := "/v1/pickup-counts?facility_id=" + s.hidden.String()
	s.counts(s.dispatcher, ofFacility, map[string]int64{"DRAFT": 1, "COLLECTED": 1})
	s.counts(s.tenant.driver, ofFacility, map[string]int64{"COLLECTED": 1})
	for _, as := range []*user{s.staff, s.rival, s.foreign.admin} {
		s.counts(as, ofFacility, nil)
	}
}

// counts fails the test unless a viewer counts these, and none in the other statuses.
func (s *server) counts(as *user, path string, want map[string]int64) {
	s.t.Helper()
	var got api.PickupCounts
	s.must(json.Unmarshal(s.do(as, "GET", path, nil).want(200).body, &got))
	for i, status := range db.AllPickupStatusValues() {
		if len(got.Items) != len(db.AllPickupStatusValues()) || got.Items[i].Status != status ||
			got.Items[i].Count != want[string(status)] {
			s.t.Errorf("%s by %s: %v, want %v", path, as.role, got.Items, want)
			return
		}
	}
}

// A driver without a login belongs to no user: not even to a driver user without a driver.
func TestUnlinkedDriverUserSeesNothing(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.do(s.admin, "POST", "/v1/drivers", object{"id": uuid.Nil, "name": "Nobody"}).
		refused(422, "validation_failed", "id")
	s.pickupIn(s.tenant, db.PickupStatusCOLLECTED, s.facility, uuid.Nil)
	unlinked := s.newUser(s.tenant, db.UserRoleDriver)
	for _, path := range []string{"/v1/pickups", "/v1/drivers", "/v1/facilities"} {
		if ids := s.do(unlinked, "GET", path, nil).want(200).ids(); len(ids) > 0 {
			t.Errorf("%s shows %v", path, ids)
		}
	}
	if s.do(unlinked, "GET", "/v1/session", nil).want(200).str("driver_id") != "" {
		t.Error("the session has a driver")
	}
}

func TestDriversChangeTheirDutyAlone(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := "/v1/drivers/" + s.driverID.String()
	tag := s.do(s.tenant.driver, "GET", path, nil).want(200).etag()
	for _, body := range []object{{"name": "Me"}, {"user_id": nil}, {"user_id": s.staff.id},
		{"latitude": 1.0, "longitude": 1.0}} {
		raw, _ := json.Marshal(body)
		s.do(s.tenant.driver, "PATCH", path, raw, "If-Match", tag).refused(403, "forbidden")
	}
	s.do(s.tenant.driver, "PATCH", path, object{"on_duty": false}, "If-Match", tag).want(200)
	s.do(s.dispatcher, "PATCH", path, object{"name": "Renamed"}, "If-Match", tag).refused(412, "stale_version")
}

func TestNobodyButAdminsSetARole(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, as := range []*user{s.dispatcher, s.staff, s.tenant.driver, s.hub} {
		path := "/v1/users/" + as.id.String()
		tag := s.do(as, "GET", path, nil).want(200).etag()
		s.do(as, "PATCH", path, object{"role": "admin"}, "If-Match", tag).refused(403, "forbidden")
		s.do(as, "PATCH", path, object{"name": "Me"}, "If-Match", tag).want(200)
		// Dispatchers see every user, and edit none but themselves, not even without a change.
		for _, body := range []object{{"name": "You"}, {"role": "hub"}, {}} {
			s.do(as, "PATCH", "/v1/users/"+s.stranger.id.String(), body, "If-Match", `"1"`).refused(404, "not_found")
		}
	}
	path := "/v1/users/" + s.staff.id.String()
	s.do(s.admin, "PATCH", path, object{"role": "dispatcher"}, "If-Match", s.do(s.admin, "GET", path, nil).etag()).
		want(200)
	s.do(s.staff, "GET", "/v1/users", nil).want(200) // a dispatcher from this request on
}
