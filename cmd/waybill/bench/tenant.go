package bench

import (
	"context"
	"crypto/rand"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
	"waybill/db/seed"
)

// Tenant is a tenant that a benchmark fills; each run has its own.
type Tenant struct {
	ID   uuid.UUID
	Slug string
}

// newTenant creates a tenant with the rows that fill adds, as the owner of the database.
func newTenant(ctx context.Context, ownerURL string, fill func(*seed.Rows)) (Tenant, error) {
	t := Tenant{ID: uuid.Must(uuid.NewV7())}
	err := addRows(ctx, ownerURL, t.ID, func(r *seed.Rows) {
		t.Slug = r.Tenant(func(p *db.CreateTenantParams) {
			p.Slug, p.Name = "bench-"+strings.ToLower(rand.Text()[:10]), "Benchmark"
		})
		fill(r)
	})
	return t, err
}

// addRows adds rows to a tenant.
func addRows(ctx context.Context, ownerURL string, tenantID uuid.UUID, fill func(*seed.Rows)) error {
	conn, err := pgx.Connect(ctx, ownerURL)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return seed.Make(ctx, conn, tenantID, fill)
}

// withHash gives a user the hash of a password that the benchmark knows.
func withHash(hash []byte) func(*db.CreateUserParams) {
	return func(p *db.CreateUserParams) { p.PasswordHash = string(hash) }
}
