package db_test

import (
	"context"

	"waybill/db"
)

var tenantRaces = []check{
	{"CreateTenant", "two operators take one slug", func(ctx context.Context, w *fixture) error {
		owner := w.over(w.owner) // the application may not make tenants
		slug := "s" + w.tenant.String()
		return oneWins(together(manyCallers, func(int) error {
			_, err := owner.CreateTenant(ctx, db.CreateTenantParams{ID: newID(), Slug: slug, Name: "Tenant"})
			return err
		}), db.SlugTaken)
	}},
}
