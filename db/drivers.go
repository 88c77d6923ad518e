package db

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Location tells where a driver was observed, and when.
type Location struct {
	DriverID            uuid.UUID
	Latitude, Longitude float64 // degrees
	At                  time.Time
}

// location is a Location under way, for its viewer.
type location struct {
	Location
	viewer Viewer
}

// Locate moves a driver, unless a newer observation of them is known, or the viewer
// may not: then applied is false.
func (s *Store) Locate(ctx context.Context, v Viewer, l Location) (driver Driver, applied bool, err error) {
	moved, err := s.locations.do(ctx, location{l, v})
	return moved.row, moved.is, err
}

func (s *Store) flushLocations(ctx context.Context, asks []location) ([]found[Driver], error) {
	rows, err := s.LocateDrivers(ctx, LocateDriversParams{
		TenantIds:       each(asks, func(l location) uuid.UUID { return l.viewer.TenantID }),
		Ids:             each(asks, func(l location) uuid.UUID { return l.DriverID }),
		ViewerRoles:     each(asks, func(l location) string { return string(l.viewer.Role) }),
		ViewerDriverIds: each(asks, func(l location) uuid.UUID { return l.viewer.DriverID }),
		Latitudes:       each(asks, func(l location) float64 { return l.Latitude }),
		Longitudes:      each(asks, func(l location) float64 { return l.Longitude }),
		LocatedAts:      each(asks, func(l location) time.Time { return l.At }),
	})
	return byKey(asks,
		func(l location) key { return key{l.viewer.TenantID, l.DriverID} },
		rows, func(d Driver) key { return key{d.TenantID, d.ID} }), err
}
