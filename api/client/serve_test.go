//go:build !race

// This file is the server's: "migrate check" tests a client of the base with the server, and this file, of the head.

package client_test

import (
	"net/http/httptest"
	"testing"

	"github.com/google/uuid"
	"golang.org/x/crypto/bcrypt"

	"waybill/api"
	"waybill/db"
	"waybill/db/dbtest"
	"waybill/db/seed"
)

func TestMain(m *testing.M) { dbtest.Exit(dbtest.Run(m)) }

const password = "a long password"

// serve starts the real server on a database with a tenant and its admin, as "waybill tenant" creates
// them, and returns its URL.
func serve(t *testing.T) string {
	t.Helper()
	d := dbtest.New(t)
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	check(t, err)
	check(t, seed.Make(t.Context(), d.Owner(), uuid.New(), func(r *seed.Rows) {
		r.Tenant(func(p *db.CreateTenantParams) { p.Slug = "clinic" })
		r.User(db.UserRoleAdmin, func(p *db.CreateUserParams) {
			p.Email, p.PasswordHash = "admin@clinic.example", string(hash)
		})
	}))
	store, err := db.Open(t.Context(), db.Config{URL: d.AppURL})
	check(t, err)
	t.Cleanup(store.Close)
	handler, err := api.New(t.Context(), store.Store, api.Options{PasswordCost: bcrypt.MinCost})
	check(t, err)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}
