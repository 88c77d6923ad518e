package db_test

import (
	"context"

	"waybill/db"
)

var facilityRaces = []check{
	{"CreateFacility", "a retried request makes a second facility", func(ctx context.Context, w *fixture) error {
		return w.createdOnce(ctx, func(s *db.Raw) error {
			_, err := s.CreateFacility(ctx, db.CreateFacilityParams{
				TenantID: w.tenant, ID: w.admin.UserID, Name: "Clinic",
				Address: "1 Main St", RequestDigest: digest("same"),
			})
			return err
		})
	}},
	{"EditFacility", clobbered, func(ctx context.Context, w *fixture) error {
		return w.editedOnce(ctx, func(s *db.Raw, name string, version int64) error {
			_, err := s.EditFacility(ctx,
				db.EditFacilityParams{TenantID: w.tenant, ID: w.facility, Name: &name, Version: version})
			return err
		})
	}},
}
