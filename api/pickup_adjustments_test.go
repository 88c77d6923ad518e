package api_test

import (
	"testing"

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
