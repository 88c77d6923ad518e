package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
)

// Tenant is a tenant that a benchmark fills; each run has its own.
type Tenant struct {
	ID    uuid.UUID
	Slug  string
	Store *db.Store
}

// Tenant creates a tenant, as the owner of the database.
func (e *Env) Tenant(ctx context.Context, ownerURL string) (*Tenant, error) {
	conn, err := pgx.Connect(ctx, ownerURL)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	t := &Tenant{ID: uuid.Must(uuid.NewV7()), Slug: "bench-" + strings.ToLower(rand.Text()[:10])}
	if _, err := db.New(conn).
		CreateTenant(ctx, db.CreateTenantParams{ID: t.ID, Slug: t.Slug, Name: "Benchmark"}); err != nil {
		return nil, err
	}
	t.Store, err = db.Open(ctx, db.Config{URL: ownerURL, MaxConns: 4})
	if err != nil {
		return nil, err
	}
	e.stops = append(e.stops, func() error { t.Store.Close(); return nil })
	return t, nil
}

// User creates a user with the given password hash.
func (t *Tenant) User(ctx context.Context, role db.UserRole, passwordHash string) (db.User, error) {
	id := uuid.Must(uuid.NewV7())
	return t.Store.CreateUser(ctx, db.CreateUserParams{
		TenantID: t.ID, ID: id, Email: fmt.Sprintf("%s@bench.example", id), Name: "Benchmark", Role: role,
		PasswordHash: passwordHash, RequestDigest: []byte("bench"),
	})
}

// Token creates a session for the user and returns its token.
func (t *Tenant) Token(ctx context.Context, user db.User) (string, error) {
	token, _, err := t.Store.OpenSession(ctx, t.ID, user.ID, user.PasswordHash, time.Hour)
	return string(token), err
}
