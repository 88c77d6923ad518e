package db_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"waybill/db"
	"waybill/db/dbtest"
	"waybill/db/seed"
)

// fixture is a tenant of its own with users, a facility, an account and other rows that races need. Several
// share a database, since no statement reaches another tenant.
type fixture struct {
	*db.Raw         // the statements under test, perhaps with a mutant
	as      *db.Raw // the unchanged statements, for the set-up
	pool    *pgxpool.Pool
	owner   *pgxpool.Pool
	mutant  *mutant // nil for none
	seeded  *seed.Standard

	tenant                                  uuid.UUID
	admin, dispatcher, staff, stranger, hub db.Viewer
	cached                                  map[*db.Viewer]db.Token // viewers with a cached session
	facility, hidden, account               uuid.UUID               // hidden: only admin and dispatcher see it
}

// manyCallers is the number of callers in a race: enough to kill every mutant.
const manyCallers = 8

// setUpError is a failure outside the statement under test, never a finding.
type setUpError struct{ error }

func (w *fixture) must(err error) {
	if err != nil {
		panic(setUpError{err})
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(setUpError{err})
	}
	return v
}

// database is a test's own, with the store as a program opens it.
type database struct {
	*db.Raw
	owner *pgxpool.Pool
	*dbtest.DB
}

// open returns a database for the test; the invariants are checked when it ends.
func open(t testing.TB) *database {
	t.Helper()
	return opened(t, dbtest.New(t, checkInvariants), false)
}

// openSettled is for tests with so many statements that custom plans would be most of the work. Generic
// plans depend on statistics: make the rows that they are about, then ANALYZE.
func openSettled(t testing.TB) *database {
	t.Helper()
	d := dbtest.New(t, checkInvariants)
	return &database{openStore(t, config(d.SettledURL(), false)), d.Owner(), d}
}

// openBatching returns a database whose concurrent requests share statements.
func openBatching(t testing.TB) *database {
	t.Helper()
	return opened(t, dbtest.New(t, checkInvariants), true)
}

// openUnchecked is for tests that break the invariants on purpose.
func openUnchecked(t testing.TB) *database {
	t.Helper()
	return opened(t, dbtest.New(t), false)
}

func opened(t testing.TB, d *dbtest.DB, batching bool) *database {
	t.Helper()
	url := d.AppURL // each statement is planned for its arguments
	if batching {
		url = d.SettledURL()
	}
	s := openStore(t, config(url, batching))
	must(0, s.BeginEventHistory(t.Context())) // as serve does
	return &database{s, d.Owner(), d}
}

func config(url string, batching bool) db.Config {
	// A busy machine takes longer than a request would wait: for forty connections at once, and for what the tests do
	// while they hold a row.
	return db.Config{URL: url, MaxConns: 40, OneByOne: !batching, AcquireTimeout: 5 * time.Second,
		LockTimeout: time.Minute, StatementTimeout: 2 * time.Minute}
}

func openStore(t testing.TB, c db.Config) *db.Raw {
	t.Helper()
	s, err := db.OpenRaw(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// fixture makes a new tenant.
func (d *database) fixture(ctx context.Context) *fixture {
	w := &fixture{Raw: d.Raw, as: d.Raw, pool: d.Pool(), owner: d.owner, tenant: uuid.New()}
	w.make(ctx, func(r *seed.Rows) { w.seeded = r.Standard(withOldHash) })
	w.admin, w.dispatcher, w.hub = w.seeded.Admin.Viewer, w.seeded.Dispatcher.Viewer, w.seeded.Hub.Viewer
	w.staff, w.stranger = w.seeded.Staff.Viewer, w.seeded.Stranger.Viewer
	w.facility, w.hidden, w.account = w.seeded.Facility, w.seeded.Hidden, w.seeded.Account
	return w
}

func withOldHash(u *db.CreateUserParams) { u.PasswordHash = "old hash" }

// make inserts rows of the tenant, by the unchanged statements.
func (w *fixture) make(ctx context.Context, fill func(*seed.Rows)) {
	w.must(seed.Make(ctx, w.owner, w.tenant, fill))
}

// on returns the fixture with the statements of a mutant.
func (w *fixture) on(m *mutant) *fixture {
	w.mutant = m
	w.Raw = w.over(w.as.DBTX())
	return w
}

// over returns a store over one connection or transaction, the mutant included.
func (w *fixture) over(q db.DBTX) *db.Raw {
	if w.mutant == nil {
		return db.StoreOver(q, func(q db.DBTX) db.DBTX { return q })
	}
	mutated := rewriting{mutant: w.mutant}
	return db.StoreConfirming(q, func(q db.DBTX) db.DBTX { return rewriting{q, w.mutant} }, mutated.text)
}

// fundedAccount makes an account with a balance.
func (w *fixture) fundedAccount(ctx context.Context, cents int64) (id uuid.UUID) {
	w.make(ctx, func(r *seed.Rows) {
		if id = r.Account(); cents > 0 {
			r.Deposit(seed.Deposit{Account: id, Cents: cents, ActorID: w.admin.UserID})
		}
	})
	return id
}

func (w *fixture) balance(ctx context.Context, account uuid.UUID) int64 {
	return scan[int64](ctx, w.owner, "SELECT balance_cents FROM accounts WHERE tenant_id = $1 AND id = $2",
		w.tenant, account)
}

// user makes another user of a role.
func (w *fixture) user(ctx context.Context, role db.UserRole) (v db.Viewer) {
	w.make(ctx, func(r *seed.Rows) { v = r.User(role, withOldHash).Viewer })
	return v
}

// driver makes a driver on duty, at a place, with a login of their own.
func (w *fixture) driver(ctx context.Context, latitude, longitude float64) (v db.Viewer) {
	w.make(ctx, func(r *seed.Rows) { v = driverAt(r, latitude, longitude) })
	return v
}

func (w *fixture) drivers(ctx context.Context, n int) []db.Viewer {
	out := make([]db.Viewer, n)
	w.make(ctx, func(r *seed.Rows) {
		for i := range out {
			out[i] = driverAt(r, 37.77, -122.42+float64(i)/1000)
		}
	})
	return out
}

func driverAt(r *seed.Rows, latitude, longitude float64) db.Viewer {
	v := r.User(db.UserRoleDriver, withOldHash).Viewer
	v.DriverID = r.Driver(seed.Login(v.UserID), seed.OnDuty(latitude, longitude))
	return v
}

// draft returns a pickup of 500 cents from the account, changed by edits.
func (w *fixture) draft(edits ...func(*db.Draft)) db.Draft {
	d := w.seeded.Pickup().Draft
	d.ID = uuid.New()
	for _, edit := range edits {
		edit(&d)
	}
	return d
}

// pickup makes a pickup, as a draft.
func (w *fixture) pickup(ctx context.Context, edits ...func(*db.Draft)) uuid.UUID {
	return w.pickupIn(ctx, db.PickupStatusDRAFT, uuid.Nil, edits...)
}

// pickupIn makes a pickup in a status, with a driver of its own unless one is named. It uses the
// connections of the store, which have the statements prepared.
func (w *fixture) pickupIn(
	ctx context.Context, status db.PickupStatus, driver uuid.UUID, edits ...func(*db.Draft),
) uuid.UUID {
	p := w.seeded.Pickup(seed.In(status))
	p.Draft, p.Driver = w.draft(edits...), driver
	w.must(seed.Make(ctx, w.pool, w.tenant, func(r *seed.Rows) { r.Pickup(p) }))
	return p.ID
}

func costing(cents int64) func(*db.Draft)      { return func(d *db.Draft) { d.PriceCents = cents } }
func paidBy(account uuid.UUID) func(*db.Draft) { return func(d *db.Draft) { d.AccountID = account } }

// submitted makes a pickup that waits for a driver.
func (w *fixture) submitted(ctx context.Context, edits ...func(*db.Draft)) uuid.UUID {
	return w.pickupIn(ctx, db.PickupStatusSUBMITTED, uuid.Nil, edits...)
}

// assigned makes a pickup that a driver is to collect.
func (w *fixture) assigned(ctx context.Context, driver db.Viewer, edits ...func(*db.Draft)) uuid.UUID {
	return w.pickupIn(ctx, db.PickupStatusASSIGNED, driver.DriverID, edits...)
}

// at makes a pickup in a status.
func (w *fixture) at(ctx context.Context, status db.PickupStatus) uuid.UUID {
	return w.pickupIn(ctx, status, uuid.Nil)
}

// row returns the pickup's current row.
func (w *fixture) row(ctx context.Context, id uuid.UUID) db.Pickup {
	return must(w.as.GetOne(ctx, w.dispatcher, id))
}

// expect returns an error unless the pickup is in the status.
func (w *fixture) expect(ctx context.Context, id uuid.UUID, status db.PickupStatus) error {
	if got := w.row(ctx, id).Status; got != status {
		return fmt.Errorf("the pickup is %s, want %s", got, status)
	}
	return nil
}

func (w *fixture) expectBalance(ctx context.Context, account uuid.UUID, want int64) error {
	if got := w.balance(ctx, account); got != want {
		return fmt.Errorf("the balance is %d, want %d", got, want)
	}
	return nil
}

// move makes a transition with a key and a digest of its own.
func move(
	ctx context.Context, s *db.Raw, v db.Viewer, name db.TransitionName, id uuid.UUID, edits ...func(*db.Transition),
) error {
	t := db.Transition{Name: name, PickupID: id, Key: newID().String(), Digest: digest(string(name))}
	for _, edit := range edits {
		edit(&t)
	}
	_, _, err := s.MoveOne(ctx, v, t)
	return err
}

func assign(
	ctx context.Context, s *db.Raw, v db.Viewer, id uuid.UUID, driver db.Viewer, edits ...func(*db.Transition),
) error {
	return move(ctx, s, v, db.TransitionNameAssign, id,
		append(edits, func(t *db.Transition) { t.DriverID = driver.DriverID })...)
}

func ifMatch(version int64) func(*db.Transition) {
	return func(t *db.Transition) { t.Version = version }
}

func withKey(key string) func(*db.Transition) { return func(t *db.Transition) { t.Key = key } }

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

func digest(s string) []byte { return []byte(s) }

// vacuum vacuums and analyzes tables, until each page of theirs is visible to all: where a transaction is still open,
// index-only scans have to read the table, and the planner takes another way.
func vacuum(ctx context.Context, owner db.DBTX, tables ...string) {
	var hidden int
	for range 500 {
		must(owner.Exec(ctx, "VACUUM (ANALYZE) "+strings.Join(tables, ", ")))
		must(0, owner.QueryRow(ctx, "SELECT count(*) FROM pg_class WHERE oid = ANY ($1::text[]::regclass[]) "+
			"AND relallvisible < relpages", tables).Scan(&hidden))
		if hidden == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	panic(fmt.Sprintf("pages of %v are not visible to all", tables))
}
