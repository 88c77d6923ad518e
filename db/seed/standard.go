package seed

import (
	"github.com/google/uuid"

	"waybill/db"
)

// Standard is a tenant with the rows that a pickup needs. Most tests start with it.
type Standard struct {
	TenantID                      uuid.UUID
	Slug                          string
	Admin, Dispatcher, Staff, Hub User
	Stranger                      User      // staff who are in no group
	Facility                      uuid.UUID // which staff and hub see, by their group
	Hidden                        uuid.UUID // which only admin and dispatcher see
	Group                         uuid.UUID
	Account                       uuid.UUID // with StandardCents
	Deposit                       uuid.UUID // the entry by which it has them
	Phone                         uuid.UUID // of staff, who ask for the pickups
}

const (
	// StandardCents is the balance of the account of a Standard tenant.
	StandardCents = 1_000_000
	// StandardPhone is the number for texts about the pickups of its staff.
	StandardPhone = "+14155550100"
)

// Standard makes a Standard tenant. The edits apply to all its users.
func (r *Rows) Standard(edits ...func(*db.CreateUserParams)) *Standard {
	s := &Standard{
		TenantID: r.TenantID, Slug: r.Tenant(),
		Admin: r.User(db.UserRoleAdmin, edits...), Dispatcher: r.User(db.UserRoleDispatcher, edits...),
		Staff: r.User(db.UserRoleStaff, edits...), Hub: r.User(db.UserRoleHub, edits...),
		Stranger: r.User(db.UserRoleStaff, edits...),
		Facility: r.Facility(), Hidden: r.Facility(), Group: r.Group(),
	}
	r.Members(s.Group, s.Staff.UserID, s.Hub.UserID)
	r.Shows(s.Group, s.Facility)
	s.Phone = r.PhoneNumber(s.Staff.UserID, StandardPhone)
	s.Account = r.Account()
	s.Deposit = r.Deposit(Deposit{Account: s.Account, Cents: StandardCents, ActorID: s.Admin.UserID})
	return s
}
