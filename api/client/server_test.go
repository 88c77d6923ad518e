//go:build !race

// The server is api's to test with the race detector.

package client_test

import (
	"testing"

	"github.com/google/uuid"

	"waybill/api/client"
)

// user is one of the tenant, by the session that the test opened.
type user struct {
	id           uuid.UUID
	email, token string
}

// server is the real one, with the rows that its admin has created with the client under test.
type server struct {
	url                                        string
	admin, dispatcher, staff, hub              user
	facility, hidden, group, account, driverID uuid.UUID // staff see the facility, and not the hidden one
}

// balance is that of the account at first.
const balance = 1_000_000

// start starts a server on a database of its own.
func start(t *testing.T) *server {
	t.Helper()
	ctx, s := t.Context(), &server{url: serve(t)}
	s.admin = s.login(t, client.UserRoleAdmin)
	admin := s.as(s.admin)
	for _, role := range []client.UserRole{client.UserRoleDispatcher, client.UserRoleStaff, client.UserRoleHub} {
		value(admin.Users.Create(ctx,
			client.NewUser{Email: emailOf(role), Password: password, Name: string(role), Role: role}))(t)
	}
	s.dispatcher, s.staff = s.login(t, client.UserRoleDispatcher), s.login(t, client.UserRoleStaff)
	s.hub = s.login(t, client.UserRoleHub)
	clinic := client.NewFacility{Name: "Clinic", Address: "2401 Mission St", Latitude: 37.7583, Longitude: -122.4186}
	s.facility = value(admin.Facilities.Create(ctx, clinic))(t).ID
	s.hidden = value(admin.Facilities.Create(ctx, clinic))(t).ID
	s.group = value(admin.Groups.Create(ctx, client.NewGroup{Name: "Mission"}))(t).ID
	check(t, admin.Groups.AddFacility(ctx, s.group, s.facility))
	check(t, admin.Groups.AddMember(ctx, s.group, s.staff.id))
	check(t, admin.Groups.AddMember(ctx, s.group, s.hub.id))
	s.account = value(admin.Accounts.Create(ctx, client.NewAccount{Name: "Clinic", Currency: "USD"}))(t).ID
	value(admin.Accounts.DepositToAccount(ctx, s.account, client.NewLedgerEntry{AmountCents: balance}))(t)
	grace := client.NewDriver{Name: "Grace", OnDuty: new(true), Latitude: new(37.7599), Longitude: new(-122.4148)}
	s.driverID = value(admin.Drivers.Create(ctx, grace))(t).ID
	return s
}

func emailOf(role client.UserRole) string { return string(role) + "@clinic.example" }

func (s *server) login(t *testing.T, role client.UserRole) user {
	t.Helper()
	u := user{email: emailOf(role)}
	session := value(client.New(s.url).Sessions.Login(t.Context(),
		client.Credentials{Tenant: "clinic", Email: u.email, Password: password}))(t)
	u.id, u.token = session.User.ID, session.Token
	return u
}

// as returns the client of a user.
func (s *server) as(u user, options ...client.Option) *client.Client {
	return s.through(s.url, u, options...)
}

// through returns the client of a user who reaches the server by another URL.
func (s *server) through(url string, u user, options ...client.Option) *client.Client {
	return client.New(url, append(options, client.WithToken(u.token))...)
}

func (s *server) newPickup() client.NewPickup {
	return client.NewPickup{
		FacilityID: s.facility, AccountID: s.account, PriceCents: 3000,
		PickupAddress: "2401 Mission St", DropoffAddress: "1 Lab Way",
	}
}
