package db

import (
	"context"

	"github.com/google/uuid"
)

// CreateFacility creates the facility of p, of v's tenant. replayed says that an earlier
// attempt of the same request did. It returns IDReused if another request did.
func (s *Store) CreateFacility(
	ctx context.Context, v Viewer, p CreateFacilityParams,
) (_ Facility, replayed bool, _ error) {
	p.TenantID = v.TenantID
	row, err := s.q.CreateFacility(ctx, p)
	return created(ctx, s, row, err, p.RequestDigest, func() (Facility, []byte, error) {
		known, err := s.q.GetFacility(ctx, getFacilityParams(v, p.ID))
		return known, known.RequestDigest, err
	})
}

// EditFacility edits the facility of p, of v's tenant. It returns NotFound or StaleVersion if
// it was lost.
func (s *Store) EditFacility(ctx context.Context, v Viewer, p EditFacilityParams) (Facility, error) {
	p.TenantID = v.TenantID
	row, err := s.q.EditFacility(ctx, p)
	return row, edited(ctx, s, err, func() ([]int64, error) {
		now, err := s.q.GetFacility(ctx, getFacilityParams(v, p.ID))
		return []int64{now.Version}, err
	})
}

func getFacilityParams(v Viewer, id uuid.UUID) GetFacilityParams {
	return GetFacilityParams{
		TenantID: v.TenantID, ID: id, ViewerID: v.UserID, ViewerRole: v.Role, ViewerDriverID: v.DriverID,
	}
}
