package jobs

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"waybill/cmd/waybill/texts"
	"waybill/cmd/waybill/texts/fakegateway"
	"waybill/db"
	"waybill/db/dbtest"
)

// They wait for workers, who look for jobs now and then.
func TestMain(m *testing.M) { dbtest.Exit(dbtest.Run(m, dbtest.Parallel(2))) }

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// clinic is a tenant whose staff book pickups and have a number.
type clinic struct {
	t                 testing.TB
	store             *db.Store
	owner             *pgxpool.Pool
	staff, dispatcher db.Viewer
	facility, account uuid.UUID
}

func newClinic(t testing.TB) *clinic {
	t.Helper()
	d := dbtest.New(t)
	store, err := db.Open(t.Context(), db.Config{URL: d.AppURL, MaxConns: 20, AcquireTimeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	c := &clinic{t: t, store: store, owner: d.Owner(), facility: uuid.New(), account: uuid.New()}
	tenant := uuid.New()
	c.staff = db.SystemViewer(tenant, uuid.New(), db.UserRoleStaff)
	c.dispatcher = db.SystemViewer(tenant, uuid.New(), db.UserRoleDispatcher)
	var batch pgx.Batch
	batch.Queue("INSERT INTO tenants (id, slug, name) VALUES ($1, 'clinic', 'Clinic')", tenant)
	batch.Queue("INSERT INTO flags VALUES ($1, 'pickup_texts', true), ($1, 'auto_dispatch', false)", tenant)
	for _, v := range []db.Viewer{c.staff, c.dispatcher} {
		batch.Queue(`INSERT INTO users (tenant_id, id, email, name, role, password_hash, request_digest)
			VALUES ($1, $2::uuid, $2::text || '@example.com', 'User', $3, '', '')`, tenant, v.UserID, v.Role)
	}
	batch.Queue("INSERT INTO phone_numbers VALUES ($1, $1, $2, '+14155550123', '', now())", tenant, c.staff.UserID)
	batch.Queue("INSERT INTO facilities VALUES ($1, $2, 'Clinic', 'Here', 37.77, -122.42, 1, '', now())",
		tenant, c.facility)
	batch.Queue("INSERT INTO groups VALUES ($1, $1, 'Group', 1, '', now())", tenant)
	batch.Queue("INSERT INTO group_members VALUES ($1, $1, $2)", tenant, c.staff.UserID)
	batch.Queue("INSERT INTO group_facilities VALUES ($1, $1, $2)", tenant, c.facility)
	batch.Queue("INSERT INTO accounts VALUES ($1, $2, 'Account', 'USD', 0, 0, 1, '', now())", tenant, c.account)
	c.must(c.owner.SendBatch(t.Context(), &batch).Close())
	return c
}

func (c *clinic) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// pickups makes drafts that cost nothing.
func (c *clinic) pickups(n int) []uuid.UUID {
	c.t.Helper()
	ids, drafts := make([]uuid.UUID, n), make([]db.Draft, n)
	for i := range ids {
		ids[i] = uuid.Must(uuid.NewV7())
		drafts[i] = db.Draft{
			ID: ids[i], FacilityID: c.facility, AccountID: c.account, PickupAddress: "Here",
			DropoffAddress: "There", Digest: []byte("x"),
		}
	}
	_, _, err := c.store.CreateDrafts(c.t.Context(), c.staff, drafts)
	c.must(err)
	return ids
}

// submit submits pickups, each of which owes a text.
func (c *clinic) submit(n int) []uuid.UUID {
	c.t.Helper()
	ids := c.pickups(n)
	for _, id := range ids {
		c.must(c.move(c.staff, db.TransitionNameSubmit, id))
	}
	return ids
}

func (c *clinic) move(v db.Viewer, name db.TransitionName, id uuid.UUID) error {
	_, _, err := c.store.MoveOne(c.t.Context(), v, db.Transition{Name: name, PickupID: id, Digest: []byte("x")})
	return err
}

func (c *clinic) driver() uuid.UUID {
	c.t.Helper()
	id, at := uuid.New(), 37.0
	_, err := c.store.CreateDriver(c.t.Context(), db.CreateDriverParams{
		TenantID: c.staff.TenantID, ID: id, Name: "Driver", OnDuty: true, Latitude: &at,
		Longitude: &at, RequestDigest: []byte("x"),
	})
	c.must(err)
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

// work has a crew at work until the test ends.
func (c *clinic) work(sender texts.Sender, edits ...func(*Options)) *Workers {
	c.t.Helper()
	o := Options{
		Store: c.store, Sender: sender, Workers: 4, Log: quiet, SoftStop: 5 * time.Second,
	}
	for _, edit := range edits {
		edit(&o)
	}
	crew, err := Start(c.t.Context(), o)
	c.must(err)
	c.t.Cleanup(func() {
		if err := crew.Stop(); err != nil {
			c.t.Error(err)
		}
	})
	return crew
}

// gateway sends to a fake one, and waits for it longer than a busy machine takes: no
// answer is lost but those that are to be.
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
			c.t.Fatalf("after a minute it does not hold: %s", what)
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
