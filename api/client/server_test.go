package client_test

import (
	"net/http/httptest"
	"testing"

	"github.com/google/uuid"
	"golang.org/x/crypto/bcrypt"

	"waybill/api"
	"waybill/api/client"
	"waybill/db"
	"waybill/db/dbtest"
	"waybill/db/seed"
)

func TestMain(m *testing.M) { dbtest.Exit(dbtest.Run(m)) }

const password = "a long password"

// server is the real one, with a tenant.
type server struct {
	url string
	*seed.Standard
	tokens map[uuid.UUID]string
	driver uuid.UUID
}

// serve starts a server on a database of its own.
func serve(t *testing.T) *server {
	t.Helper()
	d := dbtest.New(t)
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	check(t, err)
	s := &server{tokens: map[uuid.UUID]string{}}
	check(t, seed.Make(t.Context(), d.Owner(), uuid.New(), func(r *seed.Rows) {
		s.Standard = r.Standard(func(p *db.CreateUserParams) { p.PasswordHash = string(hash) })
		s.driver = r.Driver(seed.OnDuty(37.7599, -122.4148))
		for _, u := range []seed.User{s.Admin, s.Dispatcher, s.Staff, s.Hub} {
			s.tokens[u.UserID] = string(r.Session(u))
		}
	}))
	store, err := db.Open(t.Context(), db.Config{URL: d.AppURL})
	check(t, err)
	t.Cleanup(store.Close)
	handler, err := api.New(t.Context(), store.Store, api.Options{PasswordCost: bcrypt.MinCost})
	check(t, err)
	h := httptest.NewServer(handler)
	t.Cleanup(h.Close)
	s.url = h.URL
	return s
}

// as returns the client of a user.
func (s *server) as(u seed.User, options ...client.Option) *client.Client {
	return s.through(s.url, u, options...)
}

// through returns the client of a user who reaches the server by another URL.
func (s *server) through(url string, u seed.User, options ...client.Option) *client.Client {
	return client.New(url, append(options, client.WithToken(s.tokens[u.UserID]))...)
}

func (s *server) newPickup() client.NewPickup {
	return client.NewPickup{
		FacilityID: s.Facility, AccountID: s.Account, PriceCents: 3000,
		PickupAddress: "2401 Mission St", DropoffAddress: "1 Lab Way",
	}
}

// value fails the test if a call failed, and returns what it answered.
func value[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		check(t, err)
		return v
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t *testing.T, err error, want client.Code) {
	t.Helper()
	if got := client.CodeOf(err); got != want {
		t.Errorf("the code is %q (%v), want %q", got, err, want)
	}
}
