package db

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
)

// NamedRows are the rows that the writes of a transaction name and change. They are locked before the first of these
// is sent, in the order in which every statement locks: see LockRows. What a write finds by itself, such as the
// nearest driver, is locked by its own statement.
type NamedRows struct {
	Pickups    []NamedPickup
	Slots      []uuid.UUID // of drivers
	Drivers    []uuid.UUID
	Accounts   []uuid.UUID
	Patients   []uuid.UUID
	Facilities []uuid.UUID
	Groups     []uuid.UUID
}

// NamedPickup is a pickup that a write changes.
type NamedPickup struct {
	ID         uuid.UUID
	Transition TransitionName // "" for another write
	DriverID   uuid.UUID      // that an assign names
	Pays       bool           // another write charges or refunds its account
}

// count returns how many rows are named at least.
func (r NamedRows) count() int {
	return len(r.Pickups) + len(r.Slots) + len(r.Drivers) + len(r.Accounts) + len(r.Patients) + len(r.Facilities) +
		len(r.Groups)
}

// first returns the row that is locked first: who waits for it holds nothing yet.
func (r NamedRows) first() NamedRows {
	if len(r.Pickups) > 0 {
		first := slices.MinFunc(r.Pickups, func(a, b NamedPickup) int { return compareIDs(a.ID, b.ID) })
		return NamedRows{Pickups: []NamedPickup{{ID: first.ID}}}
	}
	for _, kind := range []func(*NamedRows) *[]uuid.UUID{
		func(r *NamedRows) *[]uuid.UUID { return &r.Slots },
		func(r *NamedRows) *[]uuid.UUID { return &r.Drivers },
		func(r *NamedRows) *[]uuid.UUID { return &r.Accounts },
		func(r *NamedRows) *[]uuid.UUID { return &r.Patients },
		func(r *NamedRows) *[]uuid.UUID { return &r.Facilities },
		func(r *NamedRows) *[]uuid.UUID { return &r.Groups },
	} {
		if ids := *kind(&r); len(ids) > 0 {
			var first NamedRows
			*kind(&first) = []uuid.UUID{slices.MinFunc(ids, compareIDs)}
			return first
		}
	}
	return NamedRows{}
}

func compareIDs(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) }

// beginLocked begins a transaction that has locked the rows, or has failed. One row is locked by the statement that
// changes it. If somebody holds a row, the transaction gives up the others, and waits for the first, which most often
// is the one that is held, as those do who need one row: in turns, on few connections, and with nothing locked
// meanwhile.
func (s *Store) beginLocked(ctx context.Context, v Viewer, rows NamedRows, kind transaction) (*transaction, error) {
	t, err := s.begin(ctx, kind)
	if err != nil || rows.count() < 2 {
		return t, err
	}
	if s.lockAll(ctx, t, v, rows); !isLockTimeout(t.failed) || s.waits.brief == 0 {
		return t, nil
	}
	t.rollBack()
	t.conn.Release()
	if t, err = s.beginInLane(ctx, v, rows, kind); err == nil && t.failed == nil {
		s.lockAll(withLockTimeout(ctx, t.lockWait()), t, v, rows)
	}
	return t, err
}

// beginInLane begins a transaction that has locked the first row, for which it waits as long as a statement may.
func (s *Store) beginInLane(ctx context.Context, v Viewer, rows NamedRows, kind transaction) (*transaction, error) {
	release, err := s.waits.lane(ctx, v)
	if err != nil {
		return nil, err
	}
	defer release()
	t, err := s.begin(ctx, kind)
	if err == nil {
		s.lock(withLockTimeout(within(ctx, t), s.waits.total), v, rows.first()) // t knows whether it failed
	}
	return t, err
}

// lockAll locks the rows, and keeps what it learns of them; t knows whether it failed.
func (s *Store) lockAll(ctx context.Context, t *transaction, v Viewer, rows NamedRows) {
	changed, err := s.lock(within(ctx, t), v, rows)
	if err == nil {
		t.know(rows.Pickups, changed)
	}
}

func withLockTimeout(ctx context.Context, wait time.Duration) context.Context {
	return confirmedWith(ctx, func(c *confirmation) { c.lockTimeout = milliseconds(wait) })
}

// lock locks the rows, and returns what the writes of pickups change besides, in their order.
func (s *Store) lock(ctx context.Context, v Viewer, rows NamedRows) ([]LockRowsRow, error) {
	p := LockRowsParams{
		TenantID: v.TenantID, ViewerID: v.UserID, ViewerRole: v.Role, ViewerDriverID: v.DriverID,
		PickupIds:      mapSlice(rows.Pickups, func(n NamedPickup) uuid.UUID { return n.ID }),
		Transitions:    mapSlice(rows.Pickups, func(n NamedPickup) string { return string(n.Transition) }),
		NamedDriverIds: mapSlice(rows.Pickups, func(n NamedPickup) uuid.UUID { return n.DriverID }),
		Pays:           mapSlice(rows.Pickups, func(n NamedPickup) bool { return n.Pays }),
		SlotIds:        orEmpty(rows.Slots), DriverIds: orEmpty(rows.Drivers), AccountIds: orEmpty(rows.Accounts),
		PatientIds: orEmpty(rows.Patients), FacilityIds: orEmpty(rows.Facilities), GroupIds: orEmpty(rows.Groups),
	}
	locked, err := s.as(v).LockRows(ctx, p)
	if err != nil {
		return nil, Explain(err)
	}
	return locked, nil
}

// orEmpty returns an empty array for none: NULL has no elements, and nothing is concatenated with it.
func orEmpty(ids []uuid.UUID) []uuid.UUID {
	if ids == nil {
		return []uuid.UUID{}
	}
	return ids
}
