package api_test

import (
	"testing"

	"waybill/db"
)

func TestTextsOfAPickupAreListed(t *testing.T) {
	t.Parallel()
	s := start(t)
	made := s.do(s.staff, "POST", "/v1/pickups", s.newPickup()).want(201)
	path := "/v1/pickups/" + made.str("id")
	list := func(u *user) []object { return s.do(u, "GET", path+"/messages", nil).want(200).items() }
	if got := list(s.staff); len(got) != 0 {
		t.Errorf("a draft has %d texts", len(got))
	}
	s.do(s.staff, "POST", path+"/submit", nil).want(200)
	s.do(s.dispatcher, "POST", path+"/assign", object{"driver_id": s.driverID}).want(200)
	for u, sees := range map[*user]bool{s.staff: true, s.dispatcher: true, s.admin: true, s.driver: false} {
		got := list(u)
		if len(got) != 2 || got[0]["body"] != "Your driver is on the way!" ||
			got[1]["body"] != "Your pickup is booked." {
			t.Fatalf("%s gets %v", u.role, got)
		}
		for _, m := range got {
			if m["status"] != "QUEUED" || m["pickup_id"] != made.str("id") || m["reason"] != nil ||
				m["sent_at"] != nil {
				t.Errorf("%s gets %v", u.role, m)
			}
			if (m["to"] == "+14155550100") != sees {
				t.Errorf("%s gets the number %v", u.role, m["to"])
			}
		}
	}
	// Page by page they are the same.
	first := s.do(s.staff, "GET", path+"/messages?limit=1", nil).want(200)
	second := s.do(s.staff, "GET", path+"/messages?limit=1&cursor="+first.str("next_cursor"), nil).want(200)
	if all := list(s.staff); len(second.items()) != 1 || first.items()[0]["id"] != all[0]["id"] ||
		second.items()[0]["id"] != all[1]["id"] {
		t.Error("the pages differ from the list")
	}
	s.do(s.staff, "GET", path+"/messages?cursor=x", nil).refused(422, "validation_failed", "cursor")
}

func TestATextWithoutANumberHasFailed(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.exec("DELETE FROM phone_numbers WHERE tenant_id = $1", s.id)
	id := s.pickupIn(s.tenant, db.PickupStatusSUBMITTED, s.facility, s.driverID)
	got := s.do(s.dispatcher, "GET", "/v1/pickups/"+id.String()+"/messages", nil).want(200).items()
	if len(got) != 1 || got[0]["status"] != "FAILED" || got[0]["reason"] != "no_number" || got[0]["to"] != nil {
		t.Errorf("got %v", got)
	}
}

// refuseTexts has the gateway refuse the texts of a pickup, and returns the path of the newest.
func (s *server) refuseTexts(pickup string) string {
	s.t.Helper()
	s.exec("UPDATE messages SET status = 'FAILED', reason = 'refused_410' WHERE pickup_id = $1 AND status = 'QUEUED'",
		pickup)
	list := s.do(s.admin, "GET", "/v1/pickups/"+pickup+"/messages", nil).want(200).items()
	return "/v1/messages/" + list[0]["id"].(string) + "/resend"
}

func TestAFailedTextIsSentAgain(t *testing.T) {
	t.Parallel()
	s := start(t)
	made := s.do(s.staff, "POST", "/v1/pickups", s.newPickup()).want(201).str("id")
	s.do(s.staff, "POST", "/v1/pickups/"+made+"/submit", nil).want(200)
	path := s.refuseTexts(made)
	again := s.do(s.staff, "POST", path, nil, "Idempotency-Key", "one").want(200)
	if again.str("status") != "QUEUED" || again.object()["reason"] != nil || again.str("to") != "+14155550100" ||
		again.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("it answers %s", again)
	}
	replayed := s.do(s.staff, "POST", path, nil, "Idempotency-Key", "one").want(200)
	if replayed.header.Get("Idempotency-Replayed") != "true" || replayed.str("id") != again.str("id") {
		t.Errorf("the duplicate gets %s", replayed)
	}
	s.do(s.dispatcher, "POST", path, nil, "Idempotency-Key", "one").
		refused(422, "idempotency_key_reused", "Idempotency-Key")
	s.do(s.staff, "POST", path, nil).refused(409, "message_not_failed")
	s.do(s.staff, "POST", path, nil, "Idempotency-Key", "two").refused(409, "message_not_failed")
	s.do(s.staff, "POST", "/v1/messages/"+newID().String()+"/resend", nil).refused(404, "not_found")
	// Once it has failed again, an earlier key is still a duplicate, and a new one is not.
	s.refuseTexts(made)
	if a := s.do(s.staff, "POST", path, nil, "Idempotency-Key", "one").want(200); a.str("status") != "FAILED" {
		t.Errorf("a late duplicate gets %s", a)
	}
	if a := s.do(s.dispatcher, "POST", path, nil, "Idempotency-Key", "two").want(200); a.str("status") != "QUEUED" {
		t.Errorf("it answers %s", a)
	}
}

func TestATextWithoutANumberIsNotSentAgain(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.exec("DELETE FROM phone_numbers WHERE tenant_id = $1", s.id)
	id := s.pickupIn(s.tenant, db.PickupStatusSUBMITTED, s.facility, s.driverID)
	s.do(s.dispatcher, "POST", s.refuseTexts(id.String()), nil).refused(409, "no_phone_number")
}
