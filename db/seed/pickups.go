package seed

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"

	"waybill/db"
)

// Pickup describes a pickup to be made: a draft, the status that it is to reach, and the users who act.
type Pickup struct {
	db.Draft
	By         db.Viewer // asks for it and submits it
	Dispatcher db.Viewer // assigns and collects it, or cancels it
	Hub        db.Viewer // makes the transitions after that
	Status     db.PickupStatus
	Driver     uuid.UUID // the one it is assigned to; Nil: a new one with a login, off duty
}

// In sets the status that a pickup is to reach.
func In(status db.PickupStatus) func(*Pickup) { return func(p *Pickup) { p.Status = status } }

// Pickup returns a draft by staff, of 500 cents from the account, changed by edits.
func (s *Standard) Pickup(edits ...func(*Pickup)) Pickup {
	return edited(Pickup{
		Draft: db.Draft{
			FacilityID: s.Facility, AccountID: s.Account, PriceCents: 500,
			PickupAddress: "1 Main St", DropoffAddress: "2 Main St", Digest: digest,
		},
		By: s.Staff.Viewer, Dispatcher: s.Dispatcher.Viewer, Hub: s.Hub.Viewer,
		Status: db.PickupStatusDRAFT,
	}, edits)
}

// step is a transition of a pickup that is not canceled.
type step struct {
	to         db.PickupStatus
	transition db.TransitionName
	by         func(Pickup) db.Viewer
}

func byRequester(p Pickup) db.Viewer  { return p.By }
func byDispatcher(p Pickup) db.Viewer { return p.Dispatcher }
func byHub(p Pickup) db.Viewer        { return p.Hub }

// happyPath leads from DRAFT to DELIVERED.
var happyPath = []step{
	{db.PickupStatusSUBMITTED, db.TransitionNameSubmit, byRequester},
	{db.PickupStatusASSIGNED, db.TransitionNameAssign, byDispatcher},
	{db.PickupStatusCOLLECTED, db.TransitionNameCollect, byDispatcher},
	{db.PickupStatusRECEIVED, db.TransitionNameReceive, byHub},
	{db.PickupStatusPACKED, db.TransitionNamePack, byHub},
	{db.PickupStatusSHIPPED, db.TransitionNameShip, byHub},
	{db.PickupStatusDELIVERED, db.TransitionNameDeliver, byHub},
}

// way lists the steps from DRAFT to the status.
func way(status db.PickupStatus) ([]step, error) {
	switch status {
	case db.PickupStatusDRAFT:
		return nil, nil
	case db.PickupStatusCANCELED:
		return []step{{status, db.TransitionNameCancel, byDispatcher}}, nil
	}
	at := slices.IndexFunc(happyPath, func(s step) bool { return s.to == status })
	if at < 0 {
		return nil, fmt.Errorf("seed: no way leads to %s", status)
	}
	return happyPath[:at+1], nil
}

// Pickup makes a pickup, with the events, entries and texts of the transitions that lead to its status.
func (r *Rows) Pickup(p Pickup) uuid.UUID {
	return r.pickups(p, []uuid.UUID{cmp.Or(p.ID, uuid.New())})[0]
}

// Pickups makes n of them, with one statement for each transition. Their ids are random, like an
// account's.
func (r *Rows) Pickups(n int, p Pickup) []uuid.UUID {
	ids := make([]uuid.UUID, n)
	for i := range ids {
		ids[i] = uuid.New()
	}
	return r.pickups(p, ids)
}

func (r *Rows) pickups(p Pickup, ids []uuid.UUID) []uuid.UUID {
	createAll(r, len(ids), (*db.Queries).CreatePickups, p.drafts(ids))
	steps, err := way(p.Status)
	r.fail(err)
	var drivers []uuid.UUID
	for _, s := range steps {
		if s.transition == db.TransitionNameAssign {
			drivers = r.driversOf(p, len(ids))
		} else {
			drivers = make([]uuid.UUID, len(ids))
		}
		createAll(r, len(ids), (*db.Queries).TransitionPickups, s.moves(p, ids, drivers))
	}
	return ids
}

func (r *Rows) driversOf(p Pickup, n int) []uuid.UUID {
	if p.Driver != uuid.Nil {
		return repeated(p.Driver, n)
	}
	drivers := make([]uuid.UUID, n)
	for i := range drivers {
		drivers[i] = r.Driver(Login(r.User(db.UserRoleDriver).UserID))
	}
	return drivers
}

// moves returns one transition of all the pickups.
func (s step) moves(p Pickup, ids, drivers []uuid.UUID) db.TransitionPickupsParams {
	n, by := len(ids), s.by(p)
	return db.TransitionPickupsParams{
		TenantIds: repeated(by.TenantID, n), Ids: ids,
		ViewerIds: repeated(by.UserID, n), ViewerRoles: repeated(string(by.Role), n),
		ViewerDriverIds: repeated(by.DriverID, n),
		Transitions:     repeated(string(s.transition), n), Versions: make([]int64, n),
		IdempotencyKeys: make([]string, n), RequestDigests: repeated(digest, n), MoveIds: newIDs(n),
		DriverIds: drivers, Reasons: make([]string, n),
	}
}

// drafts returns one draft for each id.
func (p Pickup) drafts(ids []uuid.UUID) db.CreatePickupsParams {
	n := len(ids)
	return db.CreatePickupsParams{
		Batches: make([]int32, n), TenantIds: repeated(p.By.TenantID, n), Ids: ids,
		ViewerIds: repeated(p.By.UserID, n), ViewerRoles: repeated(string(p.By.Role), n),
		FacilityIds: repeated(p.FacilityID, n), AccountIds: repeated(p.AccountID, n),
		PatientIds: repeated(or(p.PatientID, uuid.Nil), n), PricesCents: repeated(p.PriceCents, n),
		PickupAddresses:  repeated(p.PickupAddress, n),
		DropoffAddresses: repeated(p.DropoffAddress, n),
		PickupLatitudes:  repeated(or(p.PickupLatitude, math.NaN()), n),
		PickupLongitudes: repeated(or(p.PickupLongitude, math.NaN()), n),
		WindowStarts:     repeated(or(p.WindowStart, time.Time{}), n),
		WindowEnds:       repeated(or(p.WindowEnd, time.Time{}), n),
		Notes:            repeated(p.Note, n),
		RequestDigests:   repeated(p.Digest, n),
		Operation:        cmp.Or(p.Operation, "create-pickup"),
	}
}

func or[T any](p *T, absent T) T {
	if p == nil {
		return absent
	}
	return *p
}

func repeated[T any](v T, n int) []T { return slices.Repeat([]T{v}, n) }

func newIDs(n int) []uuid.UUID {
	ids := make([]uuid.UUID, n)
	for i := range ids {
		ids[i] = newID()
	}
	return ids
}
