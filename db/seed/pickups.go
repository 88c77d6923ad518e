package seed

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"waybill/db"
)

// Pickup describes a pickup to be made: a draft, the status that it is to reach, and the users who act.
type Pickup struct {
	db.Draft
	By         db.Viewer // asks for it, and makes the transitions of a draft
	Dispatcher db.Viewer // makes those after that which a dispatcher may make
	Hub        db.Viewer // makes the others
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

// by returns the user who makes a transition: of a draft, the one who asks for it; later the dispatcher,
// if the dictionary allows it, otherwise the hub.
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

// moves returns one transition of all the pickups.
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

// drafts returns one draft for each id.
func (p Pickup) drafts(ids []uuid.UUID) db.CreatePickupsParams {
	params := db.CreatePickupsParams{Operation: cmp.Or(p.Operation, "create-pickup")}
	for _, p.ID = range ids {
		params.Add(0, p.By, p.Draft)
	}
	return params
}

func repeated[T any](v T, n int) []T { return slices.Repeat([]T{v}, n) }

func newIDs(n int) []uuid.UUID {
	ids := make([]uuid.UUID, n)
	for i := range ids {
		ids[i] = newID()
	}
	return ids
}
