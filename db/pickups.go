package db

import (
	"context"
	"errors"
	"math"
	"regexp"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
)

// Draft asks for one pickup.
type Draft struct {
	ID              uuid.UUID
	FacilityID      uuid.UUID
	AccountID       uuid.UUID
	PatientID       *uuid.UUID
	PriceCents      int64
	PickupAddress   string
	PickupLatitude  *float64
	PickupLongitude *float64
	DropoffAddress  string
	WindowStart     *time.Time
	WindowEnd       *time.Time
	Note            string // "" for none
	Digest          []byte // of the request, to know a repeat
}

// CreateDrafts makes pickups, all or none, and gives them in the order asked. created
// counts the new ones; the others were made by an earlier try of the same request.
// Refused with IDReused, FacilityNotFound, AccountNotFound, PatientNotFound or ValidationFailed, the
// Error's Item saying which.
func (s *Store) CreateDrafts(ctx context.Context, v Viewer, drafts []Draft) (pickups []Pickup, created int, err error) {
	for range attempts {
		rows, err := s.create(ctx, batch{drafts, v})
		created += len(rows)
		if err == nil && len(rows) == len(drafts) {
			return inOrder(drafts, rows), created, nil
		}
		// An id met by a request that came at the same time is explained like one
		// that was there before.
		if err != nil && !violates(err, "pickups_pkey") {
			return nil, 0, refusedDraft(drafts, err)
		}
		known, err := s.explainDrafts(ctx, v, drafts)
		if err != nil {
			return nil, 0, err
		}
		if known == len(drafts) {
			pickups, err := s.getDrafts(ctx, v, drafts)
			return pickups, created, err
		}
	}
	return nil, 0, refuse(Overloaded, "")
}

// explainDrafts counts the pickups that are there, or names the first item
// that keeps all of them from being made.
func (s *Store) explainDrafts(ctx context.Context, v Viewer, drafts []Draft) (known int, err error) {
	items, err := s.ExplainCreatePickups(ctx, ExplainCreatePickupsParams{
		TenantID: v.TenantID, ViewerID: v.UserID, ViewerRole: v.Role,
		Ids:            each(drafts, func(d Draft) uuid.UUID { return d.ID }),
		FacilityIds:    each(drafts, func(d Draft) uuid.UUID { return d.FacilityID }),
		AccountIds:     each(drafts, func(d Draft) uuid.UUID { return d.AccountID }),
		PatientIds:     each(drafts, func(d Draft) uuid.UUID { return orNil(d.PatientID) }),
		RequestDigests: each(drafts, func(d Draft) []byte { return d.Digest }),
	})
	if err != nil {
		return 0, Explain(err)
	}
	for _, i := range items {
		switch item := int(i.Item); {
		case !i.FacilityFound: // also where they no longer see the one of an earlier try
			return 0, &Error{Code: FacilityNotFound, Field: "facility_id", Item: item}
		case i.Known && i.SameRequest:
			known++
		case i.Known:
			return 0, &Error{Code: IDReused, Field: "id", Item: item}
		case !i.AccountFound:
			return 0, &Error{Code: AccountNotFound, Field: "account_id", Item: item}
		case !i.PatientFound:
			return 0, &Error{Code: PatientNotFound, Field: "patient_id", Item: item}
		}
	}
	return known, nil
}

var uuids = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// refusedDraft finds the draft that a CHECK refused. PostgreSQL names the row, not
// the item: its detail, which goes nowhere else, begins with the row's two keys.
func refusedDraft(drafts []Draft, err error) error {
	refused := Explain(err)
	var server *pgconn.PgError
	if refused.Code != ValidationFailed || !errors.As(err, &server) {
		return refused
	}
	keys := uuids.FindAllString(server.Detail, 2)
	for i, d := range drafts {
		if len(keys) == 2 && keys[1] == d.ID.String() {
			refused.Item = i
		}
	}
	return refused
}

// batch are drafts of which all are made or none, for their viewer.
type batch struct {
	drafts []Draft
	viewer Viewer
}

func (b batch) by() Viewer { return b.viewer }

// pickupIDs are none: nobody holds for long what a create waits for, so that its
// statement, which comes after the body, looks at the groups as they are.
func (b batch) pickupIDs() []uuid.UUID { return nil }

// create makes the batch: fewer rows than drafts, if it did not make all. A single
// draft shares its statement, unless it names a patient.
func (s *Store) create(ctx context.Context, b batch) ([]Pickup, error) {
	if len(b.drafts) == 1 && b.drafts[0].PatientID == nil {
		return s.drafts.do(ctx, b)
	}
	return s.drafts.apart(ctx, b)
}

func (s *Store) flushDrafts(ctx context.Context, asks []batch) ([][]Pickup, error) {
	var p CreatePickupsParams
	place := map[key]int{}
	for i, b := range asks {
		for _, d := range b.drafts {
			place[key{b.viewer.TenantID, d.ID}] = i
			p.Batches = append(p.Batches, int32(i))
			p.TenantIds = append(p.TenantIds, b.viewer.TenantID)
			p.ViewerIds = append(p.ViewerIds, b.viewer.UserID)
			p.ViewerRoles = append(p.ViewerRoles, string(b.viewer.Role))
			p.Ids = append(p.Ids, d.ID)
			p.FacilityIds = append(p.FacilityIds, d.FacilityID)
			p.AccountIds = append(p.AccountIds, d.AccountID)
			p.PatientIds = append(p.PatientIds, orNil(d.PatientID))
			p.PricesCents = append(p.PricesCents, d.PriceCents)
			p.PickupAddresses = append(p.PickupAddresses, d.PickupAddress)
			p.PickupLatitudes = append(p.PickupLatitudes, orNaN(d.PickupLatitude))
			p.PickupLongitudes = append(p.PickupLongitudes, orNaN(d.PickupLongitude))
			p.DropoffAddresses = append(p.DropoffAddresses, d.DropoffAddress)
			p.WindowStarts = append(p.WindowStarts, orZero(d.WindowStart))
			p.WindowEnds = append(p.WindowEnds, orZero(d.WindowEnd))
			p.Notes = append(p.Notes, d.Note)
			p.RequestDigests = append(p.RequestDigests, d.Digest)
		}
	}
	rows, err := s.CreatePickups(confirmedBy(ctx, asks), p)
	made := make([][]Pickup, len(asks))
	for _, r := range rows {
		i := place[key{r.TenantID, r.ID}]
		made[i] = append(made[i], r)
	}
	return made, err
}

// resolveDrafts finds out what became of a batch whose statement may have been
// committed. Trying again tells: rows that are there already it does not make again,
// and CreateDrafts reads them.
func (s *Store) resolveDrafts(ctx context.Context, b batch) ([]Pickup, error) {
	return one(s.flushDrafts(ctx, []batch{b}))
}

// seen asks for a pickup, for its viewer.
type seen struct {
	id     uuid.UUID
	viewer Viewer
}

// GetOne gives a pickup that the viewer may see, else NotFound.
func (s *Store) GetOne(ctx context.Context, v Viewer, id uuid.UUID) (Pickup, error) {
	p, err := s.pickups.do(ctx, seen{id, v})
	if err != nil {
		return Pickup{}, Explain(err)
	}
	if !p.is {
		return Pickup{}, refuse(NotFound, "")
	}
	return p.row.Pickup, nil
}

// EditOnePickup edits the pickup of p, whose tenant and viewer are v's. NotFound, where
// no row was such that v may edit it: a fresh read tells why.
func (s *Store) EditOnePickup(ctx context.Context, v Viewer, p EditPickupParams) (Pickup, error) {
	if err := v.mayWrite(); err != nil {
		return Pickup{}, err
	}
	p.TenantID, p.ViewerID = v.TenantID, v.UserID
	c := confirmationOf(v)
	c.addPickups(v, p.ID)
	row, err := s.EditPickup(withConfirmation(ctx, c), p)
	if err != nil {
		return Pickup{}, Explain(err)
	}
	return row, nil
}

// getDrafts gives the pickups of the drafts, in their order.
func (s *Store) getDrafts(ctx context.Context, v Viewer, drafts []Draft) ([]Pickup, error) {
	rows, err := s.flushSeen(ctx, each(drafts, func(d Draft) seen { return seen{d.ID, v} }))
	if err != nil {
		return nil, Explain(err)
	}
	pickups := make([]Pickup, len(rows))
	for i, r := range rows {
		if !r.is {
			return nil, refuse(NotFound, "")
		}
		pickups[i] = r.row.Pickup
	}
	return pickups, nil
}

func (s *Store) flushSeen(ctx context.Context, asks []seen) ([]found[GetPickupsRow], error) {
	rows, err := s.GetPickups(unconfirmed(ctx), GetPickupsParams{
		TenantIds:       each(asks, func(a seen) uuid.UUID { return a.viewer.TenantID }),
		Ids:             each(asks, func(a seen) uuid.UUID { return a.id }),
		ViewerIds:       each(asks, func(a seen) uuid.UUID { return a.viewer.UserID }),
		ViewerRoles:     each(asks, func(a seen) string { return string(a.viewer.Role) }),
		ViewerDriverIds: each(asks, func(a seen) uuid.UUID { return a.viewer.DriverID }),
	})
	return inPlace(asks, rows, func(r GetPickupsRow) int64 { return r.Asked }), err
}

// inOrder sorts rows, which come in any order, as their drafts were asked for.
func inOrder(drafts []Draft, rows []Pickup) []Pickup {
	byID := make(map[uuid.UUID]Pickup, len(rows))
	for _, r := range rows {
		byID[r.ID] = r
	}
	out := make([]Pickup, len(drafts))
	for i, d := range drafts {
		out[i] = byID[d.ID]
	}
	return out
}

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

func orNil(id *uuid.UUID) uuid.UUID {
	if id == nil {
		return uuid.Nil
	}
	return *id
}

func orNaN(f *float64) float64 {
	if f == nil {
		return math.NaN()
	}
	return *f
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
