package db

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// CreateDriver creates the driver of p, of v's tenant. replayed says that an earlier
// attempt of the same request did. It returns IDReused if another request did, or
// DriverUserTaken.
func (s *Store) CreateDriver(ctx context.Context, v Viewer, p CreateDriverParams) (_ Driver, replayed bool, _ error) {
	p.TenantID = v.TenantID
	row, err := s.q.CreateDriver(ctx, p)
	err = s.explainDriverUser(ctx, v, p.UserID, err)
	return created(ctx, s, row, err, p.RequestDigest, func() (Driver, []byte, error) {
		known, err := s.q.GetDriver(ctx, getDriverParams(v, p.ID))
		return known, known.RequestDigest, err
	})
}

// EditDriver edits the driver of p for v. It returns NotFound or StaleVersion if it was lost,
// or DriverUserTaken.
func (s *Store) EditDriver(ctx context.Context, v Viewer, p EditDriverParams) (Driver, error) {
	p.TenantID, p.ViewerRole, p.ViewerDriverID = v.TenantID, v.Role, v.DriverID
	row, err := s.q.EditDriver(ctx, p)
	err = s.explainDriverUser(ctx, v, p.UserID, err)
	return row, edited(ctx, s, err, func() ([]int64, error) {
		now, err := s.q.GetDriver(ctx, getDriverParams(v, p.ID))
		return []int64{now.Version, now.LocationVersion}, err
	})
}

// explainDriverUser returns err; if another driver has the login already, DriverUserTaken with that driver, by a fresh
// read.
func (s *Store) explainDriverUser(ctx context.Context, v Viewer, userID *uuid.UUID, err error) error {
	if userID == nil || !violates(err, "drivers_user_key") {
		return err
	}
	refused := Explain(err)
	id, unknown := s.q.GetDriverOfUser(ctx, GetDriverOfUserParams{
		TenantID: v.TenantID, UserID: *userID, ViewerRole: v.Role, ViewerDriverID: v.DriverID})
	switch {
	case NoRow(unknown): // it is free by now, or the viewer does not see its driver
	case unknown != nil:
		return unknown
	default:
		refused.DriverID = &id
	}
	return refused
}

func getDriverParams(v Viewer, id uuid.UUID) GetDriverParams {
	return GetDriverParams{TenantID: v.TenantID, ID: id, ViewerRole: v.Role, ViewerDriverID: v.DriverID}
}

// Location is an observation of a driver's position.
type Location struct {
	DriverID            uuid.UUID
	Latitude, Longitude float64 // in degrees
	At                  time.Time
}

// location is a Location with its viewer.
type location struct {
	Location
	viewer Viewer
}

func (l location) by() Viewer { return l.viewer }

func (l location) pickupIDs() []uuid.UUID { return nil }

// Locate updates a driver's location. applied is false if a newer observation is known, or the viewer
// may not update it.
func (s *Store) Locate(ctx context.Context, v Viewer, l Location) (driver Driver, applied bool, err error) {
	err = retryWrite(ctx, func(attempt int) error {
		moved, err := s.locations.retried(ctx, location{l, v}, attempt)
		if driver, applied = moved.row, moved.ok; applied || err != nil {
			return err
		}
		if err = s.explainLocation(ctx, v, l); err == errRetry {
			return err
		}
		return cmp.Or(s.replicated(ctx), err) // the newer observation may be this one
	})
	return driver, applied, err
}

// explainLocation returns errRetry if the location, which was not updated, would be by a fresh read: the
// row was locked.
func (s *Store) explainLocation(ctx context.Context, v Viewer, l Location) error {
	d, err := s.q.GetDriver(ctx, getDriverParams(v, l.DriverID))
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return err
	case d.LocatedAt == nil || d.LocatedAt.Before(l.At.Truncate(time.Microsecond)):
		return errRetry
	}
	return nil
}

// locatePastLocks skips drivers whose rows are locked.
func (s *Store) locatePastLocks(ctx context.Context, p LocateDriversParams) ([]Driver, error) {
	return s.q.LocateDriversSkipLocked(ctx, LocateDriversSkipLockedParams(p))
}

// locating updates the locations in one statement.
func (s *Store) locating(
	locate func(context.Context, LocateDriversParams) ([]Driver, error),
) func(context.Context, []location) ([]found[Driver], error) {
	return func(ctx context.Context, asks []location) ([]found[Driver], error) {
		rows, err := locate(plannedOnce(confirmedBy(ctx, asks), len(asks)), LocateDriversParams{
			TenantIds:       mapSlice(asks, func(l location) uuid.UUID { return l.viewer.TenantID }),
			Ids:             mapSlice(asks, func(l location) uuid.UUID { return l.DriverID }),
			ViewerRoles:     mapSlice(asks, func(l location) string { return string(l.viewer.Role) }),
			ViewerDriverIds: mapSlice(asks, func(l location) uuid.UUID { return l.viewer.DriverID }),
			Latitudes:       mapSlice(asks, func(l location) float64 { return l.Latitude }),
			Longitudes:      mapSlice(asks, func(l location) float64 { return l.Longitude }),
			LocatedAts:      mapSlice(asks, func(l location) time.Time { return l.At }),
		})
		return byKey(asks,
			func(l location) key { return key{l.viewer.TenantID, l.DriverID} },
			rows, func(d Driver) key { return key{d.TenantID, d.ID} }), err
	}
}

// resolveLocation finds the outcome of an observation whose statement may have been committed: it was
// applied if the stored location equals it, whoever reported it.
func (s *Store) resolveLocation(ctx context.Context, l location) (found[Driver], error) {
	f, err := s.locations.FlushWaiting(ctx, l)
	if f.ok || err != nil {
		return f, err
	}
	d, err := s.q.GetDriver(ctx, getDriverParams(l.viewer, l.DriverID))
	if errors.Is(err, pgx.ErrNoRows) {
		return found[Driver]{}, nil
	}
	known := d.LocatedAt != nil && d.LocatedAt.Equal(l.At.Truncate(time.Microsecond)) &&
		*d.Latitude == l.Latitude && *d.Longitude == l.Longitude
	return found[Driver]{d, known}, err
}
