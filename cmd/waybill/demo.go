package main

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"golang.org/x/crypto/bcrypt"

	"waybill/db"
	"waybill/db/seed"
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

// demoTaken are the refusals of rows whose place others have taken since: a user's email address or
// number, a patient from a feed, a driver who was linked with the login later.
var demoTaken = []db.Code{db.EmailTaken, db.PhoneNumberTaken, db.ExternalIDTaken, db.DriverUserTaken}

// loadDemo creates the demo tenant, or finds it: a user of each role, a clinic that staff, dispatcher
// and hub see through a group and one that only the dispatcher sees, patients of both, funded accounts,
// and drivers on duty, one of them the driver user.
func loadDemo(ctx context.Context, ownerURL string, cost int) (demo, error) {
	conn, err := connect(ctx, ownerURL)
	if err != nil {
		return demo{}, err
	}
	defer conn.Close(ctx)
	hash, err := bcrypt.GenerateFromPassword([]byte(demoPassword), cost)
	if err != nil {
		return demo{}, err
	}
	tenant, err := db.New(conn).GetTenantBySlug(ctx, demoSlug)
	isNew := db.NoRow(err)
	if isNew {
		tenant.ID, err = demoID("tenant"), nil
	}
	if err != nil {
		return demo{}, err
	}
	l := &demoLoader{made: demo{tenantID: tenant.ID}}
	err = seed.Complete(ctx, conn, tenant.ID, demoTaken, func(r *seed.Rows) {
		if l.Rows = r; isNew {
			r.Tenant(func(p *db.CreateTenantParams) { p.Slug, p.Name = demoSlug, "Demo Couriers" })
		}
		l.usersOfEachRole(string(hash))
		l.clinics()
		l.accounts()
		l.drivers()
	})
	return l.made, err
}

type demoLoader struct {
	*seed.Rows
	made demo
}

// usersOfEachRole creates a user of each role, or finds them. A user whose role or password was
// changed, or who was deactivated, stays as it is and is replaced by a further user with a number.
func (l *demoLoader) usersOfEachRole(hash string) {
	for i, role := range db.AllUserRoleValues() {
		name := string(role)
		for n := 1; l.Err() == nil && !l.user(role, name, hash); n++ {
			name = fmt.Sprintf("%s%d", role, n+1)
			i += len(db.AllUserRoleValues()) // another phone number
		}
		l.PhoneNumber(l.userID(role), fmt.Sprintf("+14155550%d", 100+i%100), // fictional numbers
			func(p *db.CreatePhoneNumberParams) { p.ID = demoID("phone " + name) })
	}
}

// user creates or finds the user of this name, and reports whether it can be used for the role.
func (l *demoLoader) user(role db.UserRole, name, hash string) (usable bool) {
	id := demoID("user " + name)
	l.User(role, func(p *db.CreateUserParams) {
		p.ID, p.Email, p.Name, p.PasswordHash = id, name+"@demo.example", "Demo "+name, hash
	})
	l.Do(func(ctx context.Context, q *db.Queries) error {
		user, err := q.GetUser(ctx, db.GetUserParams{TenantID: l.TenantID, ID: id, ViewerID: id, ViewerRole: role})
		if db.NoRow(err) { // the email address is that of a user who is not part of the demo
			return nil
		}
		known := user.PasswordHash == hash ||
			bcrypt.CompareHashAndPassword([]byte(user.PasswordHash), []byte(demoPassword)) == nil
		if usable = err == nil && user.Active && user.Role == role && known; usable {
			l.made.users = append(l.made.users, user)
		}
		return err
	})
	return usable
}

// userID returns the id of the demo user of a role.
func (l *demoLoader) userID(role db.UserRole) uuid.UUID { return l.made.userID(role) }

func (d demo) userID(role db.UserRole) uuid.UUID {
	for _, u := range d.users {
		if u.Role == role {
			return u.ID
		}
	}
	return uuid.Nil
}

// viewer returns the demo user of a role, as the system.
func (d demo) viewer(role db.UserRole) db.Viewer {
	return db.SystemViewer(d.tenantID, d.userID(role), role)
}

// driverID returns the id of the driver who has the demo user's login.
func (d demo) driverID() uuid.UUID {
	return demoID("driver of " + d.userID(db.UserRoleDriver).String())
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
	l.clinic(castro, "Castro", "Castro Clinic", "501 Castro St, San Francisco", 37.7599, -122.4350)
	l.clinic(mission, "Mission", "Mission Clinic", "2401 Mission St, San Francisco", 37.7583, -122.4186)
}

func (l *demoLoader) clinic(c clinic, group, name, address string, latitude, longitude float64) {
	l.Facility(func(p *db.CreateFacilityParams) {
		p.ID, p.Name, p.Address, p.Latitude, p.Longitude = c.facility, name, address, latitude, longitude
		p.TimeZone = new("America/Los_Angeles")
	})
	l.Group(func(p *db.CreateGroupParams) { p.ID, p.Name = c.group, group })
	l.Shows(c.group, c.facility)
	for _, role := range c.seenBy {
		l.Members(c.group, l.userID(role))
	}
	for _, p := range c.patients {
		l.patient(c, p)
	}
}

// patient creates a patient, as the dispatcher, who sees both clinics.
func (l *demoLoader) patient(c clinic, d demoPatient) {
	birth, err := db.ParseDate(d.birthDate)
	l.Do(func(context.Context, *db.Queries) error { return err })
	by := db.Viewer{UserID: l.userID(db.UserRoleDispatcher)}
	l.Patient(c.facility, by, func(p *db.CreatePatientParams) {
		p.ID, p.ExternalID = demoID("patient "+d.externalID), &d.externalID
		p.GivenName, p.FamilyName, p.BirthDate = d.givenName, d.familyName, birth
		if d.phone != "" {
			p.Phone = &d.phone
		}
	})
}

func (l *demoLoader) accounts() {
	for _, name := range []string{"Mission Clinic", "Research Lab"} {
		id := l.Account(func(p *db.CreateAccountParams) { p.ID, p.Name = demoID("account "+name), name })
		l.Deposit(seed.Deposit{
			ID: demoID("deposit " + name), Account: id, Cents: 1_000_000_00, Note: "Opening deposit",
			ActorID: l.userID(db.UserRoleAdmin),
		})
	}
}

func (l *demoLoader) drivers() {
	named := func(id uuid.UUID, name string) func(*db.CreateDriverParams) {
		return func(p *db.CreateDriverParams) { p.ID, p.Name = id, name }
	}
	login := seed.Login(l.userID(db.UserRoleDriver))
	l.Driver(named(l.made.driverID(), "Demo driver"), seed.OnDuty(37.7599, -122.4148), login)
	l.Driver(named(demoID("driver Grace"), "Grace"), seed.OnDuty(37.7793, -122.4193))
	l.Driver(named(demoID("driver Joan"), "Joan"), seed.OnDuty(37.8044, -122.2712))
}
