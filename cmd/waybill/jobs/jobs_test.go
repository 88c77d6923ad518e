package jobs

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"waybill/cmd/waybill/texts"
	"waybill/cmd/waybill/texts/fakegateway"
	"waybill/db"
	"waybill/db/dbtest"
	"waybill/db/seed"
)

// They wait for workers, which poll.
func TestMain(m *testing.M) { dbtest.Exit(dbtest.Run(m, dbtest.Parallel(2))) }

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// clinic is a tenant whose staff create pickups and have a phone number.
type clinic struct {
	*seed.Standard
	t                 testing.TB
	store             *db.System
	owner             *pgxpool.Pool
	staff, dispatcher db.Viewer
}

func newClinic(t testing.TB) *clinic {
	t.Helper()
	d := dbtest.New(t)
	return clinicOn(t, d.AppURL, d.Owner())
}

func clinicOn(t testing.TB, appURL string, owner *pgxpool.Pool) *clinic {
	t.Helper()
	store, err := db.Open(t.Context(), db.Config{URL: appURL, MaxConns: 20, AcquireTimeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	c := &clinic{t: t, store: store, owner: owner}
	c.must(seed.Make(t.Context(), c.owner, uuid.New(), func(r *seed.Rows) { c.Standard = r.Standard() }))
	c.staff, c.dispatcher = c.Staff.Viewer, c.Dispatcher.Viewer
	return c
}

func (c *clinic) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// make makes rows of the tenant.
func (c *clinic) make(fill func(*seed.Rows)) {
	c.t.Helper()
	c.must(seed.Make(c.t.Context(), c.owner, c.TenantID, fill))
}

// submit makes submitted pickups, which cost nothing and owe a text each.
func (c *clinic) submit(n int) (ids []uuid.UUID) {
	c.t.Helper()
	p := c.Pickup(seed.In(db.PickupStatusSUBMITTED))
	p.PriceCents = 0
	c.make(func(r *seed.Rows) { ids = r.Pickups(n, p) })
	return ids
}

func (c *clinic) move(v db.Viewer, name db.TransitionName, id uuid.UUID) error {
	_, _, err := c.store.MoveOne(c.t.Context(), v, db.Transition{Name: name, PickupID: id, Digest: []byte("x")})
	return err
}

func (c *clinic) driver() (id uuid.UUID) {
	c.t.Helper()
	c.make(func(r *seed.Rows) { id = r.Driver(seed.OnDuty(37, 37)) })
	return id
}

func (c *clinic) count(query string, args ...any) (n int) {
	c.t.Helper()
	c.must(c.owner.QueryRow(context.Background(), query, args...).Scan(&n))
	return n
}

func (c *clinic) exec(statement string, args ...any) {
	c.t.Helper()
	_, err := c.owner.Exec(context.Background(), statement, args...)
	c.must(err)
}

// work starts workers, which run until the test ends.
func (c *clinic) work(sender texts.Sender, edits ...func(*Options)) *Workers {
	c.t.Helper()
	o := Options{
		Store: c.store, Sender: sender, Workers: 4, Log: quiet, SoftStop: 5 * time.Second,
	}
	for _, edit := range edits {
		edit(&o)
	}
	workers, err := Start(c.t.Context(), o)
	c.must(err)
	c.t.Cleanup(func() {
		if err := workers.Stop(); err != nil {
			c.t.Error(err)
		}
	})
	return workers
}

// gateway returns a sender for the fake gateway with a timeout beyond any busy machine: answers are
// only lost on purpose.
func (c *clinic) gateway(fake *fakegateway.Gateway) texts.Sender {
	c.t.Helper()
	return c.gatewayWithin(fake, 10*time.Second)
}

func (c *clinic) gatewayWithin(fake *fakegateway.Gateway, limit time.Duration) texts.Sender {
	c.t.Helper()
	g, err := texts.NewGateway(texts.GatewayOptions{URL: fake.URL, Secret: fakegateway.Secret, Timeout: limit})
	c.must(err)
	return g
}

func (c *clinic) eventually(what string, holds func() bool) {
	c.t.Helper()
	for end := time.Now().Add(60 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatalf("not true within a minute: %s", what)
		}
	}
}

const (
	countUnsent     = "SELECT count(*) FROM messages WHERE status = 'QUEUED'"
	countSent       = "SELECT count(*) FROM messages WHERE status = 'SENT'"
	countUnfinished = "SELECT count(*) FROM river_job WHERE state NOT IN ('completed', 'cancelled', 'discarded')"
	countLost       = "SELECT count(*) FROM river_job WHERE state IN ('cancelled', 'discarded')"
)

// lapse is a clock that runs many times as fast.
func lapse(times int) *texts.Clock {
	start := time.Now()
	return &texts.Clock{
		Now:   func() time.Time { return start.Add(time.Since(start) * time.Duration(times)) },
		After: func(d time.Duration) <-chan time.Time { return time.After(d / time.Duration(times)) },
	}
}
