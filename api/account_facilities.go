package api

import (
	"context"
	"net/http"

	"waybill/db"
)

func (a *server) registerAccountFacilities() {
	const path = "/v1/accounts/{account_id}/facilities"
	register(a, operation{
		id: "list-account-facilities", method: http.MethodGet, replicas: true, path: path, tag: "accounts",
		summary: "List the facilities of an account",
		about:   "Ordered by id. Where all_facilities is true, the list has no effect.",
		roles:   []db.UserRole{db.UserRoleAdmin, db.UserRoleDispatcher}, codes: []db.Code{db.NotFound},
	}, a.listAccountFacilities)
	register(a, operation{
		id: "add-account-facility", method: http.MethodPut, path: path + "/{facility_id}",
		tag: "accounts", status: http.StatusNoContent,
		summary: "Add a facility to an account",
		about: "Its staff see the account, and charge it by their pickups for this facility. Takes effect on their " +
			"next request. Repeating it has no effect.",
		roles: admin, asNotFound: []db.Code{db.NotFound, db.FacilityNotFound},
	}, a.addAccountFacility)
	register(a, operation{
		id: "remove-account-facility", method: http.MethodDelete, path: path + "/{facility_id}",
		tag: "accounts", status: http.StatusNoContent,
		summary: "Remove a facility from an account",
		about: "A pickup that its staff submitted before stays charged, and is still refunded; no later one is " +
			"charged. " +
			"An account without any facility is charged by no staff, unless all_facilities is true.",
		roles: admin, codes: []db.Code{db.NotFound},
	}, a.removeAccountFacility)
}

type listAccountFacilitiesInput struct {
	AccountPath
	ByID
}

func (a *server) listAccountFacilities(
	ctx context.Context, v db.Viewer, in *listAccountFacilitiesInput,
) (*ListOf[db.AccountFacility], error) {
	if _, err := a.account(ctx, v, in.AccountID); err != nil {
		return nil, err
	}
	rows, err := a.store.ListAccountFacilities(ctx, db.ListAccountFacilitiesParams{
		TenantID: v.TenantID, AccountID: in.AccountID, AfterFacilityID: in.after, MaxRows: in.more(),
	})
	if err != nil {
		return nil, err
	}
	return pageOf(in.Limit, rows, func(f db.AccountFacility) string { return in.cursor(string(f.FacilityID[:])) }), nil
}

type accountFacilityPath struct {
	AccountPath
	FacilityPath
}

func (a *server) addAccountFacility(ctx context.Context, v db.Viewer, in *accountFacilityPath) (*struct{}, error) {
	return nil, a.store.AddAccountFacility(ctx, v,
		db.AddAccountFacilityParams{AccountID: in.AccountID, FacilityID: in.FacilityID})
}

func (a *server) removeAccountFacility(ctx context.Context, v db.Viewer, in *accountFacilityPath) (*struct{}, error) {
	return nil, a.store.RemoveAccountFacility(ctx, v,
		db.RemoveAccountFacilityParams{AccountID: in.AccountID, FacilityID: in.FacilityID})
}
