package api_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"

	"waybill/db"
)

func TestAPriceAndRefundsAreChangedAfterSubmit(t *testing.T) {
	t.Parallel()
	s := start(t)
	made := s.do(s.staff, "POST", "/v1/pickups", s.newPickup()).want(201)
	path := "/v1/pickups/" + made.str("id")
	money := func(a *answer, want ...string) {
		t.Helper()
		if a.str("price_cents") != want[0] || a.str("charged_cents") != want[1] || a.str("refunded_cents") != want[2] {
			t.Errorf("got %s, want %v", a, want)
		}
	}
	s.do(s.dispatcher, "POST", path+"/reprice", object{"price_cents": 700}).
		refused(409, "illegal_transition") // edit it
	tag := s.do(s.staff, "POST", path+"/submit", nil).want(200).etag()
	s.do(s.staff, "POST", path+"/reprice", object{"price_cents": 700}).refused(403, "forbidden")
	dearer := s.do(s.dispatcher, "POST", path+"/reprice", object{"price_cents": 4000}, "If-Match", tag,
		"Idempotency-Key", "one").want(200)
	money(dearer, "4000", "4000", "0")
	again := s.do(s.dispatcher, "POST", path+"/reprice", object{"price_cents": 4000}, "If-Match", tag,
		"Idempotency-Key", "one").want(200)
	if again.header.Get("Idempotency-Replayed") != "true" || again.etag() != dearer.etag() {
		t.Errorf("a duplicate gets %s", again)
	}
	s.do(s.dispatcher, "POST", path+"/reprice", object{"price_cents": 4001}, "Idempotency-Key", "one").
		refused(422, "idempotency_key_reused")
	s.do(s.dispatcher, "POST", path+"/reprice", object{"price_cents": 5}, "If-Match", tag).refused(412, "stale_version")
	s.do(s.dispatcher, "POST", path+"/reprice", object{"price_cents": 9_000_000_000}).refused(409, "insufficient_funds")
	money(s.do(s.admin, "POST", path+"/refund", object{"amount_cents": 1000, "reason": "Late"}).want(200),
		"4000", "3000", "1000")
	s.do(s.admin, "POST", path+"/refund", object{"amount_cents": 3001, "reason": "Late"}).
		refused(409, "refund_too_large")
	s.do(s.admin, "POST", path+"/reprice", object{"price_cents": 999}).refused(409, "price_below_refunds")
	for field, body := range map[string]object{"reason": {"amount_cents": 1}, "amount_cents": {"reason": "Late"}} {
		s.do(s.admin, "POST", path+"/refund", body).refused(422, "validation_failed", field)
	}
	st := s.do(s.staff, "GET", "/v1/accounts/"+s.account.String()+"/statement", nil).want(200).statement()
	if last := st.Items[len(st.Items)-1]; last.Kind != db.EntryKindRefund || last.AmountCents != 1000 ||
		*last.Note != "Late" || last.PickupID.String() != made.str("id") {
		t.Errorf("the statement ends with %+v", last)
	}
	canceled := s.do(s.staff, "POST", path+"/cancel", nil).want(200)
	money(canceled, "4000", "0", "4000")
	s.do(s.admin, "POST", path+"/refund", object{"amount_cents": 1, "reason": "Late"}).
		refused(409, "illegal_transition")
}

// The ledger entry of an event that moved money is found by the event's id, in the account that paid.
func TestAnEventThatMovedMoneyHasTheIDOfItsEntry(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := s.pickup()
	step := func(as *user, name string, body any) { s.do(as, "POST", path+"/"+name, body).want(200) }
	step(s.staff, "submit", nil)
	step(s.dispatcher, "reprice", object{"price_cents": 4000})
	step(s.dispatcher, "refund", object{"amount_cents": 1000, "reason": "Late"})
	step(s.dispatcher, "reprice", object{"price_cents": 3500})
	step(s.dispatcher, "assign", object{"driver_id": s.newDriver(s.tenant)})
	step(s.dispatcher, "cancel", nil)
	price := s.newPickup()["price_cents"].(int)
	want := map[string][]any{"submit": {"charge", price, nil}, "refund": {"refund", 1000, "Late"},
		"cancel": {"refund", 2500, nil}}
	reprices := [][]any{{"charge", 4000 - price, nil}, {"refund", 500, nil}}
	for _, event := range s.do(s.staff, "GET", path+"/events", nil).want(200).items() {
		name := event["transition"].(string)
		entry := s.do(s.staff, "GET", "/v1/accounts/"+s.account.String()+"/entries/"+event["id"].(string), nil)
		if name == "assign" {
			entry.refused(404, "not_found")
			continue
		}
		expected := want[name]
		if name == "reprice" {
			expected, reprices = reprices[0], reprices[1:]
		}
		row := entry.want(200).object()
		if got := []any{row["kind"], row["amount_cents"], row["note"]}; fmt.Sprint(got) != fmt.Sprint(expected) {
			t.Errorf("the entry of %s is %v, want %v", name, got, expected)
		}
		if row["pickup_id"] != event["pickup_id"] || row["actor_id"] != event["actor_id"] {
			t.Errorf("the entry of %s is %v", name, row)
		}
	}
}

// The dictionary says in which statuses each adjustment is allowed, and to whom.
func TestAdjustmentsAreAllowedWhereTheDictionarySays(t *testing.T) {
	t.Parallel()
	s := start(t)
	bodies := map[string]object{"reprice": {"price_cents": 4000}, "refund": {"amount_cents": 1, "reason": "Late"}}
	rules := s.do(s.hub, "GET", "/v1/pickup-adjustments", nil).want(200).items()
	if len(rules) != len(bodies) {
		t.Errorf("%d rules", len(rules))
	}
	for _, r := range rules {
		name := r["adjustment"].(string)
		for _, as := range []*user{s.admin, s.dispatcher, s.staff, s.tenant.driver, s.hub} {
			want := 403
			if slices.Contains(texts(r["roles"]), string(as.role)) {
				want = 404
			}
			s.do(as, "POST", "/v1/pickups/"+newID().String()+"/"+name, bodies[name]).want(want)
		}
		for _, status := range db.AllPickupStatusValues() {
			path := "/v1/pickups/" + s.pickupIn(s.tenant, status, s.facility, uuid.Nil).String() + "/" + name
			want := 409
			if slices.Contains(texts(r["statuses"]), string(status)) {
				want = 200
			}
			if a := s.do(s.dispatcher, "POST", path, bodies[name]); a.status != want {
				t.Errorf("%s in %s: %s", name, status, a)
			}
		}
	}
}

// A second board is told of a new price like of a transition; drivers and the hub, who see none, are not. A repeated
// request is told once.
func TestAnAdjustmentIsAnEvent(t *testing.T) {
	t.Parallel()
	s := start(t)
	id := s.pickupIn(s.tenant, db.PickupStatusCOLLECTED, s.facility, s.driverID)
	path, url := "/v1/pickups/"+id.String(), s.listen()
	// A stream begins with what was made since the oldest open transaction of the server: another test may have it.
	before := map[any]bool{}
	for _, e := range s.do(s.admin, "GET", path+"/events", nil).want(200).items() {
		before[e["id"]] = true
	}
	streams := map[*user]*stream{}
	for _, as := range []*user{s.admin, s.dispatcher, s.staff, s.tenant.driver, s.hub} {
		streams[as] = follow(t, url, as, "")
	}
	for range 2 {
		s.do(s.dispatcher, "POST", path+"/reprice", object{"price_cents": 4000}, "Idempotency-Key", "one").want(200)
	}
	refunded := s.do(s.admin, "POST", path+"/refund", object{"amount_cents": 1000, "reason": "Late"}).want(200)
	s.do(s.hub, "POST", path+"/receive", nil).want(200)
	for as, st := range streams {
		want := []string{"reprice", "refund", "receive"}
		if as == s.tenant.driver || as == s.hub {
			want = want[2:]
		}
		listed := s.do(as, "GET", path+"/events", nil).want(200).items()
		listed = listed[len(listed)-len(want):]
		for i, name := range want {
			e := st.transition()
			for before[e.data["id"]] {
				e = st.transition()
			}
			if e.name != name || e.data["id"] != listed[i]["id"] || listed[i]["transition"] != name {
				t.Fatalf("%s is told of %v, and listed is %v, want %s", as.role, e, listed[i], name)
			}
			if e.name == "refund" && (e.data["version"] != refunded.object()["version"] ||
				e.data["from_status"] != "COLLECTED" || e.data["to_status"] != "COLLECTED" ||
				e.data["actor_id"] != s.admin.id.String() || e.data["driver_id"] != s.driverID.String()) {
				t.Errorf("the refund is %v", e)
			}
		}
	}
	for _, as := range []*user{s.tenant.driver, s.hub} {
		for _, e := range s.do(as, "GET", path+"/events", nil).want(200).items() {
			if e["transition"] == "reprice" || e["transition"] == "refund" {
				t.Errorf("%s is told of %v", as.role, e)
			}
		}
	}
}
