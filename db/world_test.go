package db_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"waybill/db"
	"waybill/db/dbtest"
)

// world is a tenant of its own with users, a facility, an account and whatever a
// race needs besides. Several share a database, since no statement reaches across.
type world struct {
	*db.Store           // the statements as they are tried, perhaps a mutant among them
	as        *db.Store // the statements as they are, for what comes before
	pool      *pgxpool.Pool
	owner     *pgxpool.Pool
	mutant    *mutant // nil for none

	tenant                                  uuid.UUID
	admin, dispatcher, staff, stranger, hub db.Viewer
	cached                                  map[*db.Viewer]db.Token // those of them who have their session cached
	facility, hidden, account               uuid.UUID               // hidden: a facility that only admin and dispatcher see
}

// manyCallers take part in a race: as many as leave no mutant alive.
const manyCallers = 8

// setUpError is a failure before or after what is tried, never a finding.
type setUpError struct{ error }

func (w *world) must(err error) {
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
	*db.Store
	owner *pgxpool.Pool
	*dbtest.DB
}

// open gives the test a database; the invariants are checked when it ends.
func open(t testing.TB) *database {
	t.Helper()
	return opened(t, dbtest.New(t, checkInvariants), false)
}

// openSettled is for so many statements that planning each for its arguments would be the
// most of the work. Their plans go by statistics: make what they are about, then ANALYZE.
func openSettled(t testing.TB) *database {
	t.Helper()
	d := dbtest.New(t, checkInvariants)
	return &database{openStore(t, config(d.SettledURL(), false)), d.Owner(), d}
}

// openCombining is for what must hold also where concurrent requests share statements.
func openCombining(t testing.TB) *database {
	t.Helper()
	return opened(t, dbtest.New(t, checkInvariants), true)
}

// openUnchecked is for what breaks them on purpose.
func openUnchecked(t testing.TB) *database {
	t.Helper()
	return opened(t, dbtest.New(t), false)
}

func opened(t testing.TB, d *dbtest.DB, combining bool) *database {
	t.Helper()
	url := d.AppURL // each statement is planned for its arguments
	if combining {
		url = d.SettledURL()
	}
	return &database{openStore(t, config(url, combining)), d.Owner(), d}
}

func config(url string, combining bool) db.Config {
	// Forty connections at once take a busy machine longer than a request would wait.
	return db.Config{URL: url, MaxConns: 40, AcquireTimeout: 5 * time.Second, OneByOne: !combining}
}

func openStore(t testing.TB, c db.Config) *db.Store {
	t.Helper()
	s, err := db.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// world makes a new tenant.
func (d *database) world(ctx context.Context) *world {
	w := &world{
		Store: d.Store, as: d.Store, pool: d.Pool(), owner: d.owner,
		tenant: uuid.New(), facility: newID(), hidden: newID(), account: newID(),
	}
	var batch pgx.Batch
	batch.Queue("INSERT INTO tenants (id, slug, name) VALUES ($1::uuid, 't' || replace($1::text, '-', ''), 'Tenant')",
		w.tenant)
	batch.Queue("INSERT INTO flags (tenant_id, name, enabled) VALUES ($1, 'pickup_texts', true), ($1, "+
		"'auto_dispatch', false)", w.tenant)
	for viewer, role := range map[*db.Viewer]db.UserRole{
		&w.admin: db.UserRoleAdmin, &w.dispatcher: db.UserRoleDispatcher, &w.staff: db.UserRoleStaff,
		&w.stranger: db.UserRoleStaff, &w.hub: db.UserRoleHub,
	} {
		*viewer = db.SystemViewer(w.tenant, newID(), role)
		queueUser(&batch, *viewer)
	}
	for _, id := range []uuid.UUID{w.facility, w.hidden} {
		batch.Queue(`INSERT INTO facilities (tenant_id, id, name, address, latitude, longitude, request_digest)
			VALUES ($1, $2, 'Clinic', '1 Main St', 37.77, -122.42, '\x00')`, w.tenant, id)
	}
	batch.Queue(
		"INSERT INTO phone_numbers (tenant_id, id, user_id, number, request_digest) VALUES ($1, $2, $3, $4, '\\x00')",
		w.tenant, newID(), w.staff.UserID, staffNumber)
	group := newID()
	batch.Queue("INSERT INTO groups (tenant_id, id, name, request_digest) VALUES ($1, $2, 'Group', '\\x00')",
		w.tenant, group)
	batch.Queue("INSERT INTO group_members (tenant_id, group_id, user_id) VALUES ($1, $2, $3), ($1, $2, $4)",
		w.tenant, group, w.staff.UserID, w.hub.UserID)
	batch.Queue("INSERT INTO group_facilities (tenant_id, group_id, facility_id) VALUES ($1, $2, $3)",
		w.tenant, group, w.facility)
	queueAccount(&batch, w.tenant, w.account, 1_000_000)
	w.must(w.owner.SendBatch(ctx, &batch).Close())
	return w
}

// staffNumber is where the texts go: staff ask for the pickups.
const staffNumber = "+14155550100"

func queueUser(batch *pgx.Batch, v db.Viewer) {
	batch.Queue(`INSERT INTO users (tenant_id, id, email, name, role, password_hash, request_digest)
		VALUES ($1, $2::uuid, $2::text || '@example.com', 'User', $3, 'old hash', '\x00')`,
		v.TenantID, v.UserID, v.Role)
}

func queueAccount(batch *pgx.Batch, tenant, id uuid.UUID, cents int64) {
	batch.Queue(`INSERT INTO accounts (tenant_id, id, name, currency, balance_cents, request_digest)
		VALUES ($1, $2, 'Account', 'USD', $3, '\x00')`, tenant, id, cents)
	if cents > 0 {
		batch.Queue(
			`INSERT INTO ledger_entries (tenant_id, id, account_id, kind, amount_cents, actor_id, request_digest)
			VALUES ($1, gen_random_uuid(), $2, 'deposit', $3, $1, '\x00')`, tenant, id, cents)
	}
}

// on gives the world whose statements are a mutant's.
func (w *world) on(m *mutant) *world {
	w.mutant = m
	w.Store = w.over(w.as.DBTX())
	return w
}

// over is a store over one connection or transaction, the mutant included.
func (w *world) over(q db.DBTX) *db.Store {
	if w.mutant == nil {
		return db.StoreOver(q, func(q db.DBTX) db.DBTX { return q })
	}
	mutated := rewriting{mutant: w.mutant}
	return db.StoreConfirming(q, func(q db.DBTX) db.DBTX { return rewriting{q, w.mutant} }, mutated.text)
}

// purse makes an account with money.
func (w *world) purse(ctx context.Context, cents int64) uuid.UUID {
	id := uuid.New() // the key's order is not the order they come in
	var batch pgx.Batch
	queueAccount(&batch, w.tenant, id, cents)
	w.must(w.owner.SendBatch(ctx, &batch).Close())
	return id
}

func (w *world) balance(ctx context.Context, account uuid.UUID) int64 {
	return scan[int64](ctx, w.owner, "SELECT balance_cents FROM accounts WHERE tenant_id = $1 AND id = $2",
		w.tenant, account)
}

// driver makes one on duty, at a place, with a login of their own.
func (w *world) driver(ctx context.Context, latitude, longitude float64) db.Viewer {
	v := db.SystemViewer(w.tenant, newID(), db.UserRoleDriver)
	v.DriverID = uuid.New()
	var batch pgx.Batch
	queueUser(&batch, v)
	w.must(w.owner.SendBatch(ctx, &batch).Close())
	must(w.as.CreateDriver(ctx, db.CreateDriverParams{
		TenantID: w.tenant, ID: v.DriverID, UserID: &v.UserID, Name: "Driver", OnDuty: true,
		Latitude: &latitude, Longitude: &longitude, RequestDigest: digest("driver"),
	}))
	return v
}

func (w *world) drivers(ctx context.Context, n int) []db.Viewer {
	out := make([]db.Viewer, n)
	for i := range out {
		out[i] = w.driver(ctx, 37.77, -122.42+float64(i)/1000)
	}
	return out
}

// draft asks for a pickup of 500 cents from w.account, unless edits say otherwise.
func (w *world) draft(edits ...func(*db.Draft)) db.Draft {
	d := db.Draft{
		ID: uuid.New(), FacilityID: w.facility, AccountID: w.account, PriceCents: 500,
		PickupAddress: "1 Main St", DropoffAddress: "2 Main St", Digest: digest("draft"),
	}
	for _, edit := range edits {
		edit(&d)
	}
	return d
}

// pickup makes one, as a draft.
func (w *world) pickup(ctx context.Context, edits ...func(*db.Draft)) uuid.UUID {
	pickups, _, err := w.as.CreateDrafts(ctx, w.staff, []db.Draft{w.draft(edits...)})
	w.must(err)
	return pickups[0].ID
}

func costing(cents int64) func(*db.Draft) { return func(d *db.Draft) { d.PriceCents = cents } }

func paidBy(account uuid.UUID) func(*db.Draft) { return func(d *db.Draft) { d.AccountID = account } }

// submitted makes a pickup that waits for a driver.
func (w *world) submitted(ctx context.Context, edits ...func(*db.Draft)) uuid.UUID {
	id := w.pickup(ctx, edits...)
	w.must(move(ctx, w.as, w.dispatcher, db.TransitionNameSubmit, id))
	return id
}

// assigned makes a pickup that a driver is to collect.
func (w *world) assigned(ctx context.Context, driver db.Viewer, edits ...func(*db.Draft)) uuid.UUID {
	id := w.submitted(ctx, edits...)
	w.must(assign(ctx, w.as, w.dispatcher, id, driver))
	return id
}

// at makes a pickup that stands at a status.
func (w *world) at(ctx context.Context, status db.PickupStatus) uuid.UUID {
	id := w.pickup(ctx)
	switch status {
	case db.PickupStatusDRAFT:
		return id
	case db.PickupStatusCANCELED:
		w.must(move(ctx, w.as, w.dispatcher, db.TransitionNameCancel, id))
		return id
	}
	w.must(move(ctx, w.as, w.dispatcher, db.TransitionNameSubmit, id))
	if status == db.PickupStatusSUBMITTED {
		return id
	}
	driver := w.driver(ctx, 37.77, -122.42)
	w.must(assign(ctx, w.as, w.dispatcher, id, driver))
	for _, step := range []struct {
		reached    db.PickupStatus
		transition db.TransitionName
		by         db.Viewer
	}{
		{db.PickupStatusASSIGNED, db.TransitionNameCollect, driver},
		{db.PickupStatusCOLLECTED, db.TransitionNameReceive, w.hub},
		{db.PickupStatusRECEIVED, db.TransitionNamePack, w.hub},
		{db.PickupStatusPACKED, db.TransitionNameShip, w.hub},
		{db.PickupStatusSHIPPED, db.TransitionNameDeliver, w.hub},
	} {
		if step.reached == status {
			return id
		}
		w.must(move(ctx, w.as, step.by, step.transition, id))
	}
	return id
}

// row is the pickup as it stands.
func (w *world) row(ctx context.Context, id uuid.UUID) db.Pickup {
	return must(w.as.GetOne(ctx, w.dispatcher, id))
}

// expect says whether the pickup stands at the status.
func (w *world) expect(ctx context.Context, id uuid.UUID, status db.PickupStatus) error {
	if got := w.row(ctx, id).Status; got != status {
		return fmt.Errorf("the pickup is %s, want %s", got, status)
	}
	return nil
}

func (w *world) expectBalance(ctx context.Context, account uuid.UUID, want int64) error {
	if got := w.balance(ctx, account); got != want {
		return fmt.Errorf("the balance is %d, want %d", got, want)
	}
	return nil
}

// move makes a transition with a key and a digest of its own.
func move(
	ctx context.Context, s *db.Store, v db.Viewer, name db.TransitionName, id uuid.UUID, edits ...func(*db.Transition),
) error {
	t := db.Transition{Name: name, PickupID: id, Key: newID().String(), Digest: digest(string(name))}
	for _, edit := range edits {
		edit(&t)
	}
	_, _, err := s.MoveOne(ctx, v, t)
	return err
}

func assign(
	ctx context.Context, s *db.Store, v db.Viewer, id uuid.UUID, driver db.Viewer, edits ...func(*db.Transition),
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
