package db_test

import (
	"context"

	"waybill/db"
)

var flagRaces = []check{
	{"SetFlag", "a flag is set over a setting that was not seen", func(ctx context.Context, w *fixture) error {
		return w.editedOnce(ctx, func(s *db.Raw, name string, version int64) error {
			_, err := s.SetFlag(ctx, db.SetFlagParams{TenantID: w.tenant, Name: "auto_dispatch",
				Enabled: name == "first", Version: version})
			return err
		})
	}},
}
