package api_test

import (
	"testing"

	"github.com/google/uuid"
)

func TestChargesAndDepositsAreBookedOnce(t *testing.T) {
	t.Parallel()
	s := start(t)
	account := s.do(s.admin, "POST", "/v1/accounts", object{"name": "Lab", "currency": "EUR"}).fresh(201)
	path := account.header.Get("Location")
	book := func(kind string, id uuid.UUID, cents int64) *answer {
		return s.do(s.admin, "POST", path+"/"+kind, object{"id": id, "amount_cents": cents})
	}
	balance := func(want string) {
		t.Helper()
		if got := s.do(s.staff, "GET", path, nil).want(200).str("balance_cents"); got != want {
			t.Errorf("balance %s, want %s", got, want)
		}
	}
	deposit, charge, lost := newID(), newID(), newID()
	book("charges", lost, 1).refused(409, "insufficient_funds")
	entry := book("deposits", deposit, 100).fresh(201)
	if got := s.do(s.staff, "GET", entry.header.Get("Location"), nil).
		want(200); string(got.body) != string(entry.body) {
		t.Errorf("Location returns %s", got)
	}
	book("charges", charge, 100).fresh(201)
	book("charges", charge, 100).replayed() // the account is empty by now: it was paid
	book("charges", charge, 99).refused(409, "id_reused", "id")
	book("deposits", charge, 100).refused(409, "id_reused", "id")
	book("deposits", deposit, 100).replayed()
	balance("0")
	book("deposits", newID(), 9007199254740991).fresh(201)
	book("deposits", newID(), 1).refused(409, "balance_too_large", "amount_cents")
	book("charges", lost, 1).fresh(201) // its id was not used up
	balance("9007199254740990")
	for _, cents := range []int64{0, -1, 9007199254740992} {
		book("charges", newID(), cents).refused(422, "validation_failed", "amount_cents")
	}
	book("charges", uuid.Nil, 1).refused(422, "validation_failed", "id")
	s.do(s.admin, "POST", "/v1/accounts/"+newID().String()+"/charges", object{"id": newID(), "amount_cents": 1}).
		refused(404, "not_found", "")
	s.do(s.admin, "POST", "/v1/accounts/"+s.account.String()+"/charges", object{"id": charge, "amount_cents": 100}).
		refused(409, "id_reused")
	s.do(s.admin, "GET", "/v1/accounts/"+s.account.String()+"/entries/"+charge.String(), nil).refused(404, "not_found")
	s.do(s.admin, "POST", path+"/charges", object{"id": newID(), "amount_cents": 1, "note": "  "}).
		refused(422, "validation_failed", "note")
}

func TestChargesAtOnceAllCount(t *testing.T) {
	t.Parallel()
	s := start(t, roomy)
	path := "/v1/accounts/" + s.account.String()
	answers := atOnce(32, func(i int) *answer {
		return s.do(s.admin, "POST", path+"/charges", object{"id": newID(), "amount_cents": 40_000})
	})
	if got := tally(answers); got["201"] != 25 || got["409"] != 7 {
		t.Errorf("got %v, want 25 charges of 40,000 out of 1,000,000", got)
	}
	one := newID()
	s.do(s.admin, "POST", path+"/deposits", object{"id": newID(), "amount_cents": 100}).want(201)
	answers = atOnce(32, func(int) *answer {
		return s.do(s.admin, "POST", path+"/charges", object{"id": one, "amount_cents": 30})
	})
	if got := tally(answers); got["201"] != 1 || got["200 replayed"] != 31 {
		t.Errorf("concurrent requests with one id: %v", got)
	}
	if got := s.do(s.admin, "GET", path, nil).str("balance_cents"); got != "70" {
		t.Errorf("balance %s, want 70", got)
	}
}

func TestBusyAccountIsEditedAllTheSame(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := "/v1/accounts/" + s.account.String()
	seen := s.do(s.admin, "GET", path, nil).want(200)
	s.do(s.admin, "POST", path+"/charges", object{"id": newID(), "amount_cents": 1}).want(201)
	now := s.do(s.admin, "GET", path, nil, "If-None-Match", seen.etag()).want(200)
	if now.etag() == seen.etag() {
		t.Error("the balance changed and the ETag did not")
	}
	edited := s.do(s.admin, "PATCH", path, object{"name": "Renamed"}, "If-Match", seen.etag()).want(200)
	if edited.str("balance_cents") != "999999" {
		t.Errorf("got %s", edited)
	}
	s.do(s.admin, "PATCH", path, object{"name": "Again"}, "If-Match", now.etag()).
		refused(412, "stale_version", "If-Match")
}

func TestAccountsAreValidated(t *testing.T) {
	t.Parallel()
	s := start(t)
	good := object{"name": "A", "currency": "USD"}
	for _, c := range []struct {
		changes object
		field   string
	}{
		{object{"currency": "usd"}, "currency"}, {object{"currency": "USDX"}, "currency"},
		{object{"currency": nil}, "currency"},
		{object{"name": " "}, "name"}, {object{"name": "\t"}, "name"},
	} {
		s.do(s.admin, "POST", "/v1/accounts", with(good, c.changes)).refused(422, "validation_failed", c.field)
	}
	s.do(s.admin, "POST", "/v1/accounts", with(good, object{"balance_cents": 5})).
		refused(422, "read_only_field", "balance_cents")
}
