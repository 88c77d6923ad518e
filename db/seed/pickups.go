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

// Pickup is one to be made: a draft, the status that it is to reach, and by whom.
type Pickup struct {
	db.Draft
	By         db.Viewer // asks for it, and makes the transitions of a draft
	Dispatcher db.Viewer // makes those after that which a dispatcher may make
	Hub        db.Viewer // makes the others
	Status     db.PickupStatus
	Driver     uuid.UUID // the one it is assigned to; Nil: a new one with a login, off duty
}

// In has a pickup reach the status.
func In(status db.PickupStatus) func(*Pickup) { return func(p *Pickup) { p.Status = status } }

// Pickup is a draft that staff ask for, of 500 cents from the account, unless edits say otherwise.
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

// way lists the transitions from DRAFT to the status: the fewest that the dictionary has, and of
// equally many the first in its order.
func (r *Rows) way(status db.PickupStatus) ([]db.ListTransitionsRow, error) {
	if status == db.PickupStatusDRAFT {
		return nil, nil
	}
	rules, err := r.dictionary()
	if err != nil {
		return nil, err
	}
	ways := map[db.PickupStatus][]db.ListTransitionsRow{db.PickupStatusDRAFT: nil}
	for reached := []db.PickupStatus{db.PickupStatusDRAFT}; len(reached) > 0; reached = reached[1:] {
		for _, t := range rules {
			if _, known := ways[t.ToStatus]; known || !slices.Contains(t.FromStatuses, string(reached[0])) {
				continue
			}
			ways[t.ToStatus] = append(slices.Clone(ways[reached[0]]), t)
			reached = append(reached, t.ToStatus)
		}
	}
	way, ok := ways[status]
	if !ok {
		return nil, fmt.Errorf("seed: no way leads to %s", status)
	}
	return way, nil
}

// dictionary reads the transitions, once.
func (r *Rows) dictionary() (rules []db.ListTransitionsRow, err error) {
	if r.rules == nil {
		r.rules, err = r.read.ListTransitions(r.ctx)
	}
	return r.rules, err
}

// by is who makes a transition: of a draft, who asked for it; later the dispatcher, where the
// dictionary lets them, else the hub.
func (p Pickup) by(t db.ListTransitionsRow) db.Viewer {
	may := func(v db.Viewer) bool { return slices.Contains(t.Roles, string(v.Role)) }
	switch {
	case slices.Contains(t.FromStatuses, string(db.PickupStatusDRAFT)) && may(p.By):
		return p.By
	case may(p.Dispatcher):
		return p.Dispatcher
	}
	return p.Hub
}

// Pickup makes one, with the events, entries and texts of the transitions that lead to its status.
func (r *Rows) Pickup(p Pickup) uuid.UUID {
	return r.pickups(p, []uuid.UUID{cmp.Or(p.ID, uuid.New())})[0]
}

// Pickups makes n of them; each transition of all is one statement. Their ids are random, like
// an account's.
func (r *Rows) Pickups(n int, p Pickup) []uuid.UUID {
	ids := make([]uuid.UUID, n)
	for i := range ids {
		ids[i] = uuid.New()
	}
	return r.pickups(p, ids)
}

func (r *Rows) pickups(p Pickup, ids []uuid.UUID) []uuid.UUID {
	createAll(r, len(ids), (*db.Queries).CreatePickups, p.drafts(ids))
	steps, err := r.way(p.Status)
	r.fail(err)
	var drivers []uuid.UUID
	for _, t := range steps {
		if t.Transition == db.TransitionNameAssign {
			drivers = r.driversOf(p, len(ids))
		} else {
			drivers = make([]uuid.UUID, len(ids))
		}
		createAll(r, len(ids), (*db.Queries).TransitionPickups, p.moves(t, ids, drivers))
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

// moves are one transition of all of them.
func (p Pickup) moves(t db.ListTransitionsRow, ids, drivers []uuid.UUID) db.TransitionPickupsParams {
	n, by := len(ids), p.by(t)
	return db.TransitionPickupsParams{
		TenantIds: repeated(by.TenantID, n), Ids: ids,
		ViewerIds: repeated(by.UserID, n), ViewerRoles: repeated(string(by.Role), n),
		ViewerDriverIds: repeated(by.DriverID, n),
		Transitions:     repeated(string(t.Transition), n), Versions: make([]int64, n),
		IdempotencyKeys: make([]string, n), RequestDigests: repeated(digest, n), MoveIds: newIDs(n),
		DriverIds: drivers, Reasons: make([]string, n),
	}
}

// drafts are as many as there are ids.
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
