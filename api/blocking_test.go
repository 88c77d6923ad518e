package api_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/uuid"

	"waybill/db"
)

// blocked is a request that is refused, and what its problem tells of what it met.
type blocked struct {
	operation string
	as        *user
	method    string
	path      string // before the operation's own parameters are put into it
	params    map[string]string
	body      object
	tag       string // If-Match
	status    int
	code      string
	want      map[string]string // each member of codesWith that it has, but moved_at
}

// codesWith lists the codes of each member that tells what a request met.
var codesWith = map[string][]string{
	"pickup_id": {"driver_busy"}, "driver_id": {"driver_user_taken"}, "missing_cents": {"insufficient_funds"},
	"refunded_cents": {"price_below_refunds"}, "refundable_cents": {"refund_too_large"},
	"moved_by": {"illegal_transition", "not_editable"}, "moved_at": {"illegal_transition", "not_editable"},
	"current_etag": {"stale_version"}, "message_status": {"message_not_failed"},
	"would_cancel": {"mass_cancellation"}, "current_appointments": {"mass_cancellation"},
	"records": {"records_mismatch"}, "errors": {"empty_feed", "unreadable_body"}, // of sync-appointments alone
}

func (b blocked) check(how string, a *answer) {
	t := a.t
	t.Helper()
	a.refused(b.status, b.code)
	got := map[string]string{}
	for name := range codesWith {
		if value := a.str(name); value != "" && name != "moved_at" {
			got[name] = value
		}
	}
	if !maps.Equal(got, b.want) {
		t.Errorf("%s as %s, %s: tells %v, want %v", b.operation, b.as.role, how, got, b.want)
	}
	if (a.str("moved_at") != "") != (got["moved_by"] != "") {
		t.Errorf("%s, %s: moved_at is %q", b.operation, how, a.str("moved_at"))
	}
}

// TestAConflictNamesWhatBlocks sends each request alone, again as its retry, as a dry run, and in a batch.
func TestAConflictNamesWhatBlocks(t *testing.T) {
	t.Parallel()
	s := start(t)
	for name, conflicts := range map[string]func() []blocked{
		"pickups": s.pickupConflicts, "others": s.otherConflicts, "versions": s.staleVersions,
	} {
		for i, b := range conflicts() { // which nothing changes meanwhile
			s.checkBlocked(b, fmt.Sprint(name, "-", i))
		}
	}
}

func (s *server) checkBlocked(b blocked, key string) {
	path := b.path
	for name, value := range b.params {
		path = strings.ReplaceAll(path, "{"+name+"}", value)
	}
	headers := []string{}
	if b.method == "POST" && b.operation != "charge-account" {
		headers = append(headers, "Idempotency-Key", key)
	}
	if b.tag != "" {
		headers = append(headers, "If-Match", b.tag)
	}
	var body any
	if b.body != nil {
		body = b.body
	}
	b.check("alone", s.do(b.as, b.method, path, body, headers...))
	b.check("again", s.do(b.as, b.method, path, body, headers...))
	b.check("as a dry run", s.do(b.as, b.method, path+"?dry_run=true", body, headers...))
	b.check("in a batch", s.do(b.as, "POST", "/v1/batch", object{"items": []object{b.item()}}))
}

func (b blocked) item() object {
	item := object{"operation": b.operation, "path": b.params}
	if b.body != nil {
		item["body"] = b.body
	}
	if b.tag != "" {
		item["headers"] = object{"If-Match": b.tag}
	}
	return item
}

func named(name string, id any) map[string]string { return map[string]string{name: fmt.Sprint(id)} }

// tagOf returns the ETag of a row as the user sees it.
func (s *server) tagOf(as *user, path string) string {
	return s.do(as, "GET", path, nil).want(200).etag()
}

func moving(as *user, name string, id uuid.UUID, body object, code string, want map[string]string) blocked {
	return blocked{operation: name + "-pickup", as: as, method: "POST", path: "/v1/pickups/{pickup_id}/" + name,
		params: named("pickup_id", id), body: body, status: 409, code: code, want: want}
}

func (s *server) pickupConflicts() []blocked {
	waiting := s.pickupIn(s.tenant, db.PickupStatusSUBMITTED, s.facility, uuid.Nil)
	dear := s.pickupIn(s.tenant, db.PickupStatusDRAFT, s.facility, uuid.Nil)
	s.exec("UPDATE pickups SET price_cents = 1000000000 WHERE id = $1", dear)
	refunded := s.pickupIn(s.tenant, db.PickupStatusSUBMITTED, s.facility, uuid.Nil)
	charged := scan[int64](s, "SELECT charged_cents FROM pickups WHERE id = $1", refunded)
	s.do(s.dispatcher, "POST", "/v1/pickups/"+refunded.String()+"/refund",
		object{"amount_cents": 100, "reason": "late"}).want(200)
	received := s.pickupIn(s.tenant, db.PickupStatusRECEIVED, s.facility, uuid.Nil)
	taken := s.pickupIn(s.tenant, db.PickupStatusASSIGNED, s.facility, s.driverID)
	const actor = "SELECT actor_id FROM pickup_events WHERE pickup_id = $1 ORDER BY version DESC LIMIT 1"
	mover, assigner := scan[uuid.UUID](s, actor, received), scan[uuid.UUID](s, actor, taken)
	balance := scan[int64](s, "SELECT balance_cents FROM accounts WHERE id = $1", s.account)
	price := scan[int64](s, "SELECT price_cents FROM pickups WHERE id = $1", waiting)
	edit := blocked{operation: "edit-pickup", as: s.staff, method: "PATCH", path: "/v1/pickups/{pickup_id}",
		params: named("pickup_id", taken), body: object{"note": "late"},
		tag:    s.tagOf(s.staff, "/v1/pickups/"+taken.String()),
		status: 409, code: "not_editable", want: named("moved_by", assigner)}
	nothing := edit
	nothing.body = object{}
	return []blocked{
		edit, nothing,
		moving(s.dispatcher, "assign", waiting, object{"driver_id": s.driverID},
			"driver_busy", named("pickup_id", taken)),
		moving(s.staff, "submit", dear, nil, "insufficient_funds", named("missing_cents", 1_000_000_000-balance)),
		moving(s.dispatcher, "reprice", waiting, object{"price_cents": 2_000_000_000}, "insufficient_funds",
			named("missing_cents", 2_000_000_000-price-balance)),
		moving(s.dispatcher, "reprice", refunded, object{"price_cents": 1}, "price_below_refunds",
			named("refunded_cents", 100)),
		moving(s.dispatcher, "refund", refunded, object{"amount_cents": charged, "reason": "late"}, "refund_too_large",
			named("refundable_cents", charged-100)),
		moving(s.dispatcher, "reprice", dear, object{"price_cents": 1}, "illegal_transition", nil), // nobody moved it
		moving(s.hub, "ship", received, nil, "illegal_transition", named("moved_by", mover)),
		moving(s.staff, "submit", received, nil, "illegal_transition", named("moved_by", mover)),
		moving(s.driver, "deliver", taken, nil, "illegal_transition", named("moved_by", assigner)),
		{operation: "charge-account", as: s.admin, method: "POST", path: "/v1/accounts/{account_id}/charges",
			params: named("account_id", s.account), body: object{"id": newID(), "amount_cents": balance + 1},
			status: 409, code: "insufficient_funds", want: named("missing_cents", 1)},
	}
}

func (s *server) otherConflicts() []blocked {
	text := s.pickup()
	s.do(s.staff, "POST", text+"/submit", nil).want(200)
	message := s.do(s.dispatcher, "GET", text+"/messages", nil).want(200).items()[0]
	linked := blocked{operation: "create-driver", as: s.dispatcher, method: "POST", path: "/v1/drivers",
		body:   object{"name": "Second", "user_id": s.driver.id},
		status: 409, code: "driver_user_taken", want: named("driver_id", s.driverID)}
	relinked := linked
	relinked.operation, relinked.method, relinked.path = "edit-driver", "PATCH", "/v1/drivers/{driver_id}"
	relinked.params, relinked.body = named("driver_id", s.rivalID), object{"user_id": s.driver.id}
	relinked.tag = s.tagOf(s.dispatcher, "/v1/drivers/"+s.rivalID.String())
	return []blocked{linked, relinked,
		{operation: "resend-message", as: s.dispatcher, method: "POST", path: "/v1/messages/{message_id}/resend",
			params: named("message_id", message["id"]), status: 409, code: "message_not_failed",
			want: named("message_status", message["status"])},
	}
}

func (s *server) staleVersions() (all []blocked) {
	pickup := s.pickupIn(s.tenant, db.PickupStatusDRAFT, s.facility, uuid.Nil).String()
	assigned := s.pickupIn(s.tenant, db.PickupStatusASSIGNED, s.facility, s.rivalID)
	collected := s.pickupIn(s.tenant, db.PickupStatusCOLLECTED, s.facility, uuid.Nil)
	patient := strings.TrimPrefix(s.patient(), "/v1/patients/")
	add := func(b blocked) {
		path := b.path
		if b.method == "POST" {
			path = "/v1/pickups/{pickup_id}"
		}
		for name, value := range b.params {
			path = strings.ReplaceAll(path, "{"+name+"}", value)
		}
		b.tag, b.status, b.code, b.want = `"999"`, 412, "stale_version", named("current_etag", s.tagOf(b.as, path))
		all = append(all, b)
	}
	for _, b := range []blocked{
		moving(s.rival, "collect", assigned, nil, "", nil), moving(s.hub, "receive", collected, nil, "", nil),
		moving(s.dispatcher, "reprice", collected, object{"price_cents": 1}, "", nil),
		{operation: "edit-pickup", as: s.staff, params: named("pickup_id", pickup), body: object{"note": "late"}},
		{operation: "edit-account", as: s.admin, params: named("account_id", s.account), body: object{"name": "One"}},
		{operation: "edit-account", as: s.admin, params: named("account_id", s.account), body: object{}},
		{operation: "edit-driver", as: s.driver, params: named("driver_id", s.driverID),
			body: object{"on_duty": false}},
		{operation: "edit-facility", as: s.admin, params: named("facility_id", s.facility),
			body: object{"name": "One"}},
		{operation: "edit-group", as: s.admin, params: named("group_id", s.group), body: object{"name": "One"}},
		{operation: "edit-user", as: s.admin, params: named("user_id", s.staff.id), body: object{"name": "One"}},
		{operation: "edit-patient", as: s.staff, params: named("patient_id", patient),
			body: object{"given_name": "Ada"}},
		{operation: "edit-patient", as: s.staff, params: named("patient_id", patient), body: object{}},
		{operation: "set-flag", as: s.admin, method: "PUT", path: "/v1/flags/{name}",
			params: named("name", "auto_dispatch"), body: object{"enabled": true}},
	} {
		if noun, isEdit := strings.CutPrefix(b.operation, "edit-"); isEdit {
			plural := strings.TrimSuffix(noun, "y") +
				map[bool]string{true: "ies", false: "s"}[strings.HasSuffix(noun, "y")]
			b.method, b.path = "PATCH", "/v1/"+plural+"/{"+noun+"_id}"
		}
		add(b)
	}
	return all
}
