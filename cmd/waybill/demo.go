package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/crypto/bcrypt"

	"waybill/db"
)

const (
	demoSlug     = "demo"
	demoPassword = "waybill-demo"
)

// demo is the tenant that the command dev loads.
type demo struct {
	tenantID uuid.UUID
	users    []db.User // one of each role
}

// demoID returns a stable id of a row of the demo tenant, so that loading again completes an
// interrupted load.
func demoID(name string) uuid.UUID {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("waybill:demo:"+name))
}

// demoDigest is the request digest of rows that no request created.
var demoDigest = []byte("demo")

// loadDemo creates the demo tenant, or finds it: a user of each role, a clinic that staff, dispatcher
// and hub see through a group and one that only the dispatcher sees, patients of both, funded accounts,
// and drivers on duty, one of them the driver user.
func loadDemo(ctx context.Context, ownerURL string, cost int) (demo, error) {
	conn, err := connect(ctx, ownerURL)
	if err != nil {
		return demo{}, err
	}
	defer conn.Close(ctx)
	l := &demoLoader{ctx: ctx, q: db.New(conn)}
	l.tenant()
	l.usersOfEachRole(cost)
	l.clinics()
	l.patients()
	l.accounts()
	l.drivers()
	return l.made, l.err
}

// demoLoader keeps the first error, after which it does nothing.
type demoLoader struct {
	ctx  context.Context
	q    *db.Queries
	made demo
	err  error
}

// do runs one create. An existing row is a success.
func (l *demoLoader) do(create func() error) {
	if l.err != nil {
		return
	}
	if err := create(); err != nil && !errors.Is(err, pgx.ErrNoRows) {
		l.err = err
	}
}

func (l *demoLoader) tenant() {
	l.do(func() error {
		tenant, err := l.q.GetTenantBySlug(l.ctx, demoSlug)
		if errors.Is(err, pgx.ErrNoRows) {
			row, err := l.q.CreateTenant(l.ctx,
				db.CreateTenantParams{ID: demoID("tenant"), Slug: demoSlug, Name: "Demo Couriers"})
			l.made.tenantID = row.Tenant.ID
			return err
		}
		l.made.tenantID = tenant.ID
		return err
	})
}

// usersOfEachRole creates a user of each role, or finds them. A user whose role or password was
// changed, or who was deactivated, stays as it is and is replaced by a further user with a number.
func (l *demoLoader) usersOfEachRole(cost int) {
	hash, err := bcrypt.GenerateFromPassword([]byte(demoPassword), cost)
	l.do(func() error { return err })
	for i, role := range db.AllUserRoleValues() {
		name := string(role)
		for n := 1; l.err == nil && !l.user(role, name, string(hash)); n++ {
			name = fmt.Sprintf("%s%d", role, n+1)
			i += len(db.AllUserRoleValues()) // another phone number
		}
		l.do(func() error {
			_, err := l.q.CreatePhoneNumber(l.ctx, db.CreatePhoneNumberParams{
				TenantID: l.made.tenantID, ID: demoID("phone " + name), UserID: l.userID(role),
				Number: fmt.Sprintf("+14155550%d", 100+i%100), RequestDigest: demoDigest, // fictional numbers
			})
			return ignoreCode(db.PhoneNumberTaken, err)
		})
	}
}

// user creates or finds the user of this name, and reports whether it can be used for the role.
func (l *demoLoader) user(role db.UserRole, name, hash string) (usable bool) {
	id := demoID("user " + name)
	l.do(func() error {
		_, err := l.q.CreateUser(l.ctx, db.CreateUserParams{
			TenantID: l.made.tenantID, ID: id, Email: name + "@demo.example", Name: "Demo " + name, Role: role,
			PasswordHash: hash, RequestDigest: demoDigest,
		})
		return ignoreCode(db.EmailTaken, err) // by a user who is not part of the demo
	})
	l.do(func() error {
		user, err := l.q.GetUser(l.ctx,
			db.GetUserParams{TenantID: l.made.tenantID, ID: id, ViewerID: id, ViewerRole: role})
		if err != nil {
			return err
		}
		known := user.PasswordHash == hash ||
			bcrypt.CompareHashAndPassword([]byte(user.PasswordHash), []byte(demoPassword)) == nil
		usable = user.Active && user.Role == role && known
		if usable {
			l.made.users = append(l.made.users, user)
		}
		return nil
	})
	return usable
}

// ignoreCode returns err, or nil if it has this code.
func ignoreCode(code db.Code, err error) error {
	if err != nil && db.Explain(err).Code == code {
		return nil
	}
	return err
}

// userID returns the id of the demo user of a role.
func (l *demoLoader) userID(role db.UserRole) uuid.UUID {
	for _, u := range l.made.users {
		if u.Role == role {
			return u.ID
		}
	}
	return uuid.Nil
}

// clinic is a facility and the group that can see it.
type clinic struct {
	facility, group uuid.UUID
	seenBy          []db.UserRole
	patients        []demoPatient
}

type demoPatient struct{ externalID, givenName, familyName, birthDate, phone string }

var (
	castro = clinic{demoID("facility Castro"), demoID("group Castro"),
		[]db.UserRole{db.UserRoleDispatcher}, []demoPatient{
			{"C-1", "Mary", "Anning", "1979-05-21", "+14155550191"},
			{"C-2", "Emmy", "Noether", "1982-03-23", "+14155550192"},
			{"C-3", "Max", "Born", "2012-12-11", ""},
		}}
	mission = clinic{demoID("facility"), demoID("group"),
		[]db.UserRole{db.UserRoleDispatcher, db.UserRoleStaff, db.UserRoleHub}, []demoPatient{
			{"1001", "Rosalind", "Franklin", "1990-07-25", "+14155550193"},
			{"1002", "Srinivasa", "Ramanujan", "1987-12-22", "+14155550194"},
			{"1003", "Lise", "Meitner", "1948-11-07", "+14155550195"},
			{"1004", "Carl", "Gauss", "2019-04-30", ""},
		}}
)

// clinics creates the clinics. The one that most users see is created last, so that lists begin with
// it.
func (l *demoLoader) clinics() {
	l.clinic(castro, "Castro", db.CreateFacilityParams{
		Name: "Castro Clinic", Address: "501 Castro St, San Francisco", Latitude: 37.7599, Longitude: -122.4350,
	})
	l.clinic(mission, "Mission", db.CreateFacilityParams{
		Name: "Mission Clinic", Address: "2401 Mission St, San Francisco", Latitude: 37.7583, Longitude: -122.4186,
	})
}

func (l *demoLoader) clinic(c clinic, group string, facility db.CreateFacilityParams) {
	tenant := l.made.tenantID
	facility.TenantID, facility.ID, facility.RequestDigest = tenant, c.facility, demoDigest
	l.do(func() error {
		_, err := l.q.CreateFacility(l.ctx, facility)
		return err
	})
	l.do(func() error {
		_, err := l.q.CreateGroup(l.ctx,
			db.CreateGroupParams{TenantID: tenant, ID: c.group, Name: group, RequestDigest: demoDigest})
		return err
	})
	l.do(func() error {
		_, err := l.q.AddGroupFacility(l.ctx,
			db.AddGroupFacilityParams{TenantID: tenant, GroupID: c.group, FacilityID: c.facility})
		return err
	})
	for _, role := range c.seenBy {
		l.do(func() error {
			_, err := l.q.AddGroupMember(l.ctx,
				db.AddGroupMemberParams{TenantID: tenant, GroupID: c.group, UserID: l.userID(role)})
			return err
		})
	}
}

// patients creates the patients of both clinics, as the dispatcher, who sees both.
func (l *demoLoader) patients() {
	for _, c := range []clinic{castro, mission} {
		for _, p := range c.patients {
			l.do(func() error { return l.patient(c, p) })
		}
	}
}

func (l *demoLoader) patient(c clinic, p demoPatient) error {
	birth, err := db.ParseDate(p.birthDate)
	if err != nil {
		return err
	}
	var phone *string
	if p.phone != "" {
		phone = &p.phone
	}
	_, err = l.q.CreatePatient(l.ctx, db.CreatePatientParams{
		TenantID: l.made.tenantID, ID: demoID("patient " + p.externalID), FacilityID: c.facility,
		ViewerID:   l.userID(db.UserRoleDispatcher),
		ExternalID: &p.externalID, GivenName: p.givenName, FamilyName: p.familyName,
		BirthDate: birth, Phone: phone, RequestDigest: demoDigest,
	})
	return ignoreCode(db.ExternalIDTaken, err) // by a patient from a feed
}

func (l *demoLoader) accounts() {
	for _, name := range []string{"Mission Clinic", "Research Lab"} {
		id := demoID("account " + name)
		l.do(func() error {
			_, err := l.q.CreateAccount(l.ctx, db.CreateAccountParams{
				TenantID: l.made.tenantID, ID: id, Name: name, Currency: "USD", RequestDigest: demoDigest,
			})
			return err
		})
		l.do(func() error {
			_, err := l.q.CreateLedgerEntries(l.ctx, db.CreateLedgerEntriesParams{
				TenantIds: []uuid.UUID{l.made.tenantID}, Ids: []uuid.UUID{demoID("deposit " + name)},
				AccountIds: []uuid.UUID{id},
				Kinds:      []string{string(db.EntryKindDeposit)}, AmountsCents: []int64{1_000_000_00},
				Notes:    []string{"Opening deposit"},
				ActorIds: []uuid.UUID{l.userID(db.UserRoleAdmin)}, RequestDigests: [][]byte{demoDigest},
			})
			return err
		})
	}
}

func (l *demoLoader) drivers() {
	login := l.userID(db.UserRoleDriver)
	for _, d := range []struct {
		key, name           string
		user                *uuid.UUID
		latitude, longitude float64
	}{
		{"of " + login.String(), "Demo driver", &login, 37.7599, -122.4148},
		{"Grace", "Grace", nil, 37.7793, -122.4193},
		{"Joan", "Joan", nil, 37.8044, -122.2712},
	} {
		l.do(func() error {
			_, err := l.q.CreateDriver(l.ctx, db.CreateDriverParams{
				TenantID: l.made.tenantID, ID: demoID("driver " + d.key), UserID: d.user, Name: d.name, OnDuty: true,
				Latitude: &d.latitude, Longitude: &d.longitude, RequestDigest: demoDigest,
			})
			return ignoreCode(db.DriverUserTaken, err) // by a driver who was linked with the login later
		})
	}
}
