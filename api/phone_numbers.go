package api

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"waybill/db"
)

func (a *server) registerPhoneNumbers() {
	adminOrStaff := []db.UserRole{db.UserRoleAdmin, db.UserRoleStaff}
	register(a, operation{
		id: "add-phone-number", method: http.MethodPost, path: "/v1/users/{user_id}/phone-numbers",
		tag: "users", status: http.StatusCreated,
		summary: "Add a phone number", about: "Staff add their own phone number, admins that of any user.",
		roles: adminOrStaff,
		codes: []db.Code{db.PhoneNumberTaken, db.IDReused}, asNotFound: []db.Code{db.UserNotFound},
		also: []int{http.StatusOK},
	}, a.addPhoneNumber)
	register(a, operation{
		id: "list-phone-numbers", method: http.MethodGet, replicas: true, path: "/v1/users/{user_id}/phone-numbers",
		tag: "users", summary: "List a user's phone numbers",
		about: "Admins and dispatchers see those of all users, the " +
			"others their own.",
		roles:      everyRole,
		asNotFound: []db.Code{db.UserNotFound},
	}, a.listPhoneNumbers)
	register(a, operation{
		id: "remove-phone-number", method: http.MethodDelete,
		path: "/v1/users/{user_id}/phone-numbers/{phone_number_id}", tag: "users",
		status:  http.StatusNoContent,
		summary: "Remove a phone number", roles: adminOrStaff, codes: []db.Code{db.NotFound},
	}, a.removePhoneNumber)
}

// NewPhoneNumber is the body of add-phone-number.
type NewPhoneNumber struct {
	ID     *uuid.UUID `json:"id,omitempty" format:"uuid" doc:"Chosen by the client, so that a retry is safe"`
	Number E164       `json:"number" example:"+14155550123"`
}

type addPhoneNumberInput struct {
	UserPath
	CreateKey
	Body NewPhoneNumber
}

func (a *server) addPhoneNumber(
	ctx context.Context, v db.Viewer, in *addPhoneNumberInput,
) (*Created[db.PhoneNumber], error) {
	if hidden(v, in.UserID) {
		return nil, problem(db.UserNotFound, "", "")
	}
	id, err := in.newID(v, "add-phone-number", 0, in.Body.ID)
	if err != nil {
		return nil, err
	}
	d := digest(v, "add-phone-number "+in.UserID.String(), in.Body)
	row, replayed, err := a.store.CreatePhoneNumber(ctx, v, db.CreatePhoneNumberParams{
		ID: id, UserID: in.UserID, Number: string(in.Body.Number), RequestDigest: d,
	})
	if err != nil {
		return nil, err
	}
	location := "/v1/users/" + row.UserID.String() + "/phone-numbers"
	return createdRow(&row, location, etag(1), replayed), nil
}

// hidden reports whether the user is hidden from the viewer: staff see only themselves.
func hidden(v db.Viewer, userID uuid.UUID) bool {
	return v.Role == db.UserRoleStaff && userID != v.UserID
}

type listPhoneNumbersInput struct {
	UserPath
	Keyset
}

func (a *server) listPhoneNumbers(
	ctx context.Context, v db.Viewer, in *listPhoneNumbersInput,
) (*ListOf[db.PhoneNumber], error) {
	if _, err := a.store.GetUser(ctx, a.userParams(v, in.UserID)); err != nil {
		return nil, asNotFound(err, db.UserNotFound)
	}
	rows, err := a.store.ListPhoneNumbers(ctx, db.ListPhoneNumbersParams{
		TenantID: v.TenantID, UserID: in.UserID, BeforeCreatedAt: in.before, BeforeID: in.beforeID, MaxRows: in.more(),
	})
	if err != nil {
		return nil, err
	}
	return pageOf(in.Limit, rows, func(n db.PhoneNumber) string { return in.after(n.CreatedAt, n.ID) }), nil
}

type removePhoneNumberInput struct {
	UserPath
	PhoneNumberID uuid.UUID `path:"phone_number_id" format:"uuid" doc:"The phone number"`
}

func (a *server) removePhoneNumber(ctx context.Context, v db.Viewer, in *removePhoneNumberInput) (*struct{}, error) {
	if hidden(v, in.UserID) {
		return nil, problem(db.NotFound, "", "")
	}
	return nil, a.store.DeletePhoneNumber(ctx, v, db.DeletePhoneNumberParams{UserID: in.UserID, ID: in.PhoneNumberID})
}
