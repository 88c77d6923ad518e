package db

import (
	"cmp"
	"context"
	"time"

	"github.com/google/uuid"
)

// The orders of a list of pickups.
const (
	Newest         = "newest"
	Oldest         = "oldest"
	LongestWaiting = "longest_waiting" // of those that wait: see pickup_waits
)

// How far a search looks: see FindPickups.
const (
	maxPickupLooks = 200
	maxPickupFound = 500
)

// PickupPlace is a place in a list of pickups: the time by which it is ordered, and an id.
type PickupPlace struct {
	At time.Time
	ID uuid.UUID
}

// SearchPickups returns the next page of a list of pickups that the viewer sees, by any filters and in any order, and
// where the list goes on, nil at its end. It looks at a bounded number of pickups: where few of many fit, a page can
// have fewer than MaxRows, or none, and go on. If it is not plain, it may go on after a pickup that fits nothing, or
// that the viewer does not see, and must not be told of.
func (s *Store) SearchPickups(ctx context.Context, p FindPickupsParams) (page []Pickup, next *PickupPlace, err error) {
	if p.IsPlain() {
		return s.newestPickups(ctx, p)
	}
	p.MaxLooks, p.MaxFound = cmp.Or(p.MaxLooks, maxPickupLooks), cmp.Or(p.MaxFound, maxPickupFound)
	found, err := s.q.FindPickups(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	var ids []uuid.UUID
	for _, f := range found {
		if f.IsShown {
			ids = append(ids, f.ID)
		} else {
			next = &PickupPlace{f.At, f.ID}
		}
	}
	page, err = s.foundPickups(ctx, p, ids)
	return page, next, err
}

// IsPlain reports whether ListPickups serves the list, in one statement and with full pages, and goes on after a pickup
// that it has shown. It merges the facilities of staff in each status: of several statuses and thousands of facilities,
// that would cost more than a search.
func (p FindPickupsParams) IsPlain() bool {
	return p.Sort == Newest && len(p.Statuses) <= 1 && p.AccountID == nil && p.PatientID == nil &&
		p.RequestedBy == nil && p.Text == nil && p.WindowFrom == nil && p.WindowTo == nil
}

func (s *Store) newestPickups(ctx context.Context, p FindPickupsParams) (page []Pickup, next *PickupPlace, err error) {
	rows, err := s.ListPickups(ctx, ListPickupsParams{
		TenantID: p.TenantID, ViewerID: p.ViewerID, ViewerRole: p.ViewerRole, ViewerDriverID: p.ViewerDriverID,
		Statuses: p.Statuses, FacilityID: p.FacilityID, DriverID: p.DriverID, CreatedFrom: p.CreatedFrom,
		CreatedTo: p.CreatedTo, BeforeCreatedAt: p.AfterAt, BeforeID: p.AfterID, MaxRows: p.MaxRows,
	})
	for _, r := range rows {
		page = append(page, r.Pickup)
		if r.More {
			next = &PickupPlace{r.Pickup.CreatedAt, r.Pickup.ID}
		}
	}
	return page, next, err
}

// foundPickups returns the pickups in the order of the ids, without those that the viewer does not see any more.
func (s *Store) foundPickups(ctx context.Context, p FindPickupsParams, ids []uuid.UUID) ([]Pickup, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	rows, err := s.q.ListFoundPickups(ctx, ListFoundPickupsParams{TenantID: p.TenantID, ViewerID: p.ViewerID,
		ViewerRole: p.ViewerRole, ViewerDriverID: p.ViewerDriverID, Ids: ids})
	if err != nil {
		return nil, err
	}
	byID := make(map[uuid.UUID]Pickup, len(rows))
	for _, r := range rows {
		byID[r.Pickup.ID] = r.Pickup
	}
	page := make([]Pickup, 0, len(ids))
	for _, id := range ids {
		if row, ok := byID[id]; ok {
			page = append(page, row)
		}
	}
	return page, nil
}
