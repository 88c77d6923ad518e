package api_test

import (
	"testing"

	"github.com/google/uuid"
)

// closedAccount makes an account that is open to listed facilities alone, with an entry.
func (s *server) closedAccount(t *tenant) (account, entry string) {
	s.t.Helper()
	account, entry = newID().String(), newID().String()
	s.exec(`INSERT INTO accounts (tenant_id, id, name, currency, all_facilities, balance_cents, request_digest)
		VALUES ($1, $2, 'Closed', 'USD', false, 100000, '')`, t.id, account)
	s.exec(`INSERT INTO ledger_entries (tenant_id, id, account_id, kind, amount_cents, actor_id, request_digest)
		VALUES ($1, $2, $3, 'deposit', 100000, $4, '')`, t.id, entry, account, t.admin.id)
	return account, entry
}

// lists adds a facility to an account.
func (s *server) lists(account, facility string) {
	s.t.Helper()
	s.exec(`INSERT INTO account_facilities (tenant_id, account_id, facility_id, account_created_at)
		SELECT tenant_id, id, $2, created_at FROM accounts WHERE id = $1 ON CONFLICT DO NOTHING`, account, facility)
}

// Staff see, name and charge an account as long as it lists their facility, from the next request on.
func TestStaffChargeTheAccountsOfTheirFacility(t *testing.T) {
	t.Parallel()
	s := start(t)
	account := newID().String()
	path := "/v1/accounts/" + account
	listed := path + "/facilities/" + s.facility.String()
	s.do(s.admin, "POST", "/v1/accounts",
		object{"id": account, "name": "Closed", "currency": "USD", "all_facilities": false}).want(201)
	s.do(s.admin, "POST", path+"/deposits", object{"id": newID(), "amount_cents": 100000}).want(201)

	draft := func() object { return with(s.newPickup(), object{"account_id": account}) }
	s.do(s.staff, "GET", path, nil).refused(404, "not_found")
	s.do(s.staff, "GET", path+"/entries", nil).refused(404, "not_found")
	s.do(s.staff, "GET", path+"/statement", nil).refused(404, "not_found")
	s.do(s.staff, "POST", "/v1/pickups", draft()).refused(422, "account_not_found", "account_id")

	s.do(s.admin, "PUT", listed, nil).want(204)
	s.do(s.admin, "PUT", listed, nil).want(204)
	if got := s.do(s.dispatcher, "GET", path+"/facilities", nil).want(200).items(); len(got) != 1 {
		t.Errorf("facilities: %v", got)
	}
	s.do(s.staff, "GET", path, nil).want(200)
	s.do(s.staff, "GET", path+"/statement", nil).want(200)
	one := "/v1/pickups/" + s.do(s.staff, "POST", "/v1/pickups", draft()).want(201).str("id")
	other := "/v1/pickups/" + s.do(s.staff, "POST", "/v1/pickups", draft()).want(201).str("id")
	s.do(s.staff, "POST", one+"/submit", nil).want(200)

	s.do(s.admin, "DELETE", listed, nil).want(204)
	s.do(s.admin, "DELETE", listed, nil).refused(404, "not_found")
	s.do(s.staff, "POST", other+"/submit", nil).refused(409, "account_not_for_facility")
	s.do(s.staff, "POST", one+"/cancel", nil).want(200)
	s.do(s.dispatcher, "POST", other+"/submit", nil).want(200)

	// Staff of two facilities name it for the one that it lists alone.
	s.shows(s.tenant, s.hidden, s.staff)
	s.do(s.admin, "PUT", path+"/facilities/"+s.hidden.String(), nil).want(204)
	s.do(s.staff, "GET", path, nil).want(200)
	s.do(s.staff, "POST", "/v1/pickups", draft()).refused(409, "account_not_for_facility", "account_id")
	s.do(s.staff, "POST", "/v1/pickups", with(draft(), object{"facility_id": s.hidden})).want(201)
}

func TestAnAccountListsWhatThereIs(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, absent := range []uuid.UUID{newID(), s.foreign.account} {
		path := "/v1/accounts/" + absent.String() + "/facilities"
		s.do(s.admin, "PUT", path+"/"+s.facility.String(), nil).refused(404, "not_found", "")
		s.do(s.admin, "DELETE", path+"/"+s.facility.String(), nil).refused(404, "not_found", "")
		s.do(s.admin, "GET", path, nil).refused(404, "not_found", "")
	}
	for _, absent := range []uuid.UUID{newID(), s.foreign.facility} {
		s.do(s.admin, "PUT", "/v1/accounts/"+s.account.String()+"/facilities/"+absent.String(), nil).
			refused(404, "facility_not_found", "")
	}
}
