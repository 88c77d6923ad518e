package seed

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"waybill/db"
)

// User is a user as the Store takes them, and their credentials.
type User struct {
	db.Viewer
	Email        string
	PasswordHash string
}

// Tenant makes the tenant itself, with its flags, and returns its slug.
func (r *Rows) Tenant(edits ...func(*db.CreateTenantParams)) (slug string) {
	p := edited(db.CreateTenantParams{
		ID: r.TenantID, Slug: "t" + strings.ReplaceAll(r.TenantID.String(), "-", ""), Name: "Tenant",
	}, edits)
	create(r, (*db.Queries).CreateTenant, p)
	return p.Slug
}

// User makes a user of the role. No password matches, unless an edit sets its hash.
func (r *Rows) User(role db.UserRole, edits ...func(*db.CreateUserParams)) User {
	id := newID()
	p := edited(db.CreateUserParams{
		TenantID: r.TenantID, ID: id, Email: id.String() + "@example.com", Name: "User", Role: role,
		PasswordHash: "no password", RequestDigest: digest,
	}, edits)
	create(r, (*db.Queries).CreateUser, p)
	return User{db.SystemViewer(p.TenantID, p.ID, p.Role), p.Email, p.PasswordHash}
}

// sessionLifetime is longer than any test.
const sessionLifetime = 24 * time.Hour

// Session opens a session for the user, and returns its token.
func (r *Rows) Session(u User) db.Token {
	token := db.NewToken(r.TenantID)
	create(r, (*db.Queries).CreateSession, db.CreateSessionParams{
		TenantID: r.TenantID, UserID: u.UserID, PasswordHash: u.PasswordHash,
		TokenHash: token.Hash(), Lifetime: sessionLifetime,
	})
	return token
}

// PhoneNumber gives the user a phone number, for texts about their pickups.
func (r *Rows) PhoneNumber(userID uuid.UUID, number string, edits ...func(*db.CreatePhoneNumberParams)) uuid.UUID {
	p := edited(db.CreatePhoneNumberParams{
		TenantID: r.TenantID, ID: newID(), UserID: userID, Number: number, RequestDigest: digest,
	}, edits)
	create(r, (*db.Queries).CreatePhoneNumber, p)
	return p.ID
}

// Facility makes a facility, which only admins and dispatchers see until it is added to a group.
func (r *Rows) Facility(edits ...func(*db.CreateFacilityParams)) uuid.UUID {
	p := edited(db.CreateFacilityParams{
		TenantID: r.TenantID, ID: newID(), Name: "Clinic", Address: "1 Main St", Latitude: 37.77, Longitude: -122.42,
		RequestDigest: digest,
	}, edits)
	create(r, (*db.Queries).CreateFacility, p)
	return p.ID
}

// Group makes a group without members and facilities.
func (r *Rows) Group(edits ...func(*db.CreateGroupParams)) uuid.UUID {
	p := edited(db.CreateGroupParams{TenantID: r.TenantID, ID: newID(), Name: "Group", RequestDigest: digest}, edits)
	create(r, (*db.Queries).CreateGroup, p)
	return p.ID
}

// Members puts users into a group.
func (r *Rows) Members(group uuid.UUID, userIDs ...uuid.UUID) {
	for _, id := range userIDs {
		create(r, (*db.Queries).AddGroupMember, db.AddGroupMemberParams{
			TenantID: r.TenantID, GroupID: group, UserID: id,
		})
	}
}

// Shows lets a group's members see facilities.
func (r *Rows) Shows(group uuid.UUID, facilityIDs ...uuid.UUID) {
	for _, id := range facilityIDs {
		create(r, (*db.Queries).AddGroupFacility, db.AddGroupFacilityParams{
			TenantID: r.TenantID, GroupID: group, FacilityID: id,
		})
	}
}

// Account makes an account with a balance of zero. Its id is random: accounts are locked in the order of
// their ids, which then differs from the order in which they were made.
func (r *Rows) Account(edits ...func(*db.CreateAccountParams)) uuid.UUID {
	p := edited(db.CreateAccountParams{
		TenantID: r.TenantID, ID: uuid.New(), Name: "Account", Currency: "USD", RequestDigest: digest,
	}, edits)
	create(r, (*db.Queries).CreateAccount, p)
	return p.ID
}

// Deposit returns the entry of a deposit.
type Deposit struct {
	ID      uuid.UUID
	Account uuid.UUID
	Cents   int64
	Note    string
	ActorID uuid.UUID // who is said to have paid it in
}

// Deposit pays into an account, and returns the entry's id.
func (r *Rows) Deposit(d Deposit) uuid.UUID {
	if d.ID == uuid.Nil {
		d.ID = newID()
	}
	create(r, (*db.Queries).CreateLedgerEntries, db.CreateLedgerEntriesParams{
		TenantIds: []uuid.UUID{r.TenantID}, Ids: []uuid.UUID{d.ID}, AccountIds: []uuid.UUID{d.Account},
		Kinds: []string{string(db.EntryKindDeposit)}, AmountsCents: []int64{d.Cents}, Notes: []string{d.Note},
		ActorIds: []uuid.UUID{d.ActorID}, RequestDigests: [][]byte{digest},
	})
	return d.ID
}

// Driver makes a driver with a free slot, off duty and without a location or login. Its id is random, like
// an account's.
func (r *Rows) Driver(edits ...func(*db.CreateDriverParams)) uuid.UUID {
	p := edited(db.CreateDriverParams{
		TenantID: r.TenantID, ID: uuid.New(), Name: "Driver", RequestDigest: digest,
	}, edits)
	create(r, (*db.Queries).CreateDriver, p)
	return p.ID
}

// OnDuty sets a driver on duty at a place.
func OnDuty(latitude, longitude float64) func(*db.CreateDriverParams) {
	return func(p *db.CreateDriverParams) { p.OnDuty, p.Latitude, p.Longitude = true, &latitude, &longitude }
}

// Locate moves a driver to a location at a time, which must be later than the last one.
func (r *Rows) Locate(driver uuid.UUID, latitude, longitude float64, at time.Time) {
	create(r, (*db.Queries).LocateDrivers, db.LocateDriversParams{
		TenantIds: []uuid.UUID{r.TenantID}, Ids: []uuid.UUID{driver},
		ViewerRoles: []string{string(db.UserRoleDispatcher)}, ViewerDriverIds: []uuid.UUID{uuid.Nil},
		Latitudes: []float64{latitude}, Longitudes: []float64{longitude}, LocatedAts: []time.Time{at},
	})
}

// Login links a driver with the user who is that driver.
func Login(userID uuid.UUID) func(*db.CreateDriverParams) {
	return func(p *db.CreateDriverParams) { p.UserID = &userID }
}

// Patient makes a patient of a facility that by sees.
func (r *Rows) Patient(facility uuid.UUID, by db.Viewer, edits ...func(*db.CreatePatientParams)) uuid.UUID {
	birth, err := db.ParseDate("1931-07-13")
	r.fail(err)
	p := edited(db.CreatePatientParams{
		TenantID: r.TenantID, ID: newID(), FacilityID: facility, ViewerID: by.UserID,
		GivenName: "Quetzal", FamilyName: "Quetzal", BirthDate: birth, RequestDigest: digest,
	}, edits)
	create(r, (*db.Queries).CreatePatient, p)
	return p.ID
}
