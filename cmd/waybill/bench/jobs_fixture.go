package bench

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/cmd/waybill/jobs"
	"waybill/db"
	"waybill/db/seed"
)

// jobsFixture is a tenant with everything a pickup needs: a requester with a phone number, a facility, and
// funded accounts. Its store connects as the application's role.
type jobsFixture struct {
	*db.System
	raw      *db.Queries // over the same connections, for statements that a Store does not have
	by       db.Viewer
	facility uuid.UUID
	accounts []uuid.UUID
}

// accountCents is the balance of each account: more than any benchmark spends.
const accountCents = 1_000_000_000_000

// jobsFixture creates the rows in a tenant of its own, and a connection pool of the application's role.
func (e *Env) jobsFixture(ctx context.Context, ownerURL, appURL string, conns int32) (*jobsFixture, error) {
	store, err := db.Open(ctx, db.Config{URL: appURL, MaxConns: conns, AcquireTimeout: statementTimeout,
		LockTimeout: statementTimeout, StatementTimeout: statementTimeout})
	if err != nil {
		return nil, err
	}
	e.stops = append(e.stops, func() error { store.Close(); return nil })
	d := &jobsFixture{System: store, raw: db.New(store.Pool())}
	_, err = newTenant(ctx, ownerURL, func(r *seed.Rows) {
		d.by, d.facility = r.User(db.UserRoleDispatcher).Viewer, r.Facility()
		r.PhoneNumber(d.by.UserID, seed.StandardPhone)
		for range 32 {
			account := r.Account()
			r.Deposit(seed.Deposit{Account: account, Cents: accountCents, ActorID: d.by.UserID})
			d.accounts = append(d.accounts, account)
		}
	})
	return d, err
}

var benchDigest = []byte("bench")

// drafts creates pickups to be submitted, paid by the accounts in turn. It uses the store, since some
// benchmarks create them while they measure.
func (d *jobsFixture) drafts(ctx context.Context, n int) ([]uuid.UUID, error) {
	const most = 1000 // rows per statement
	ids := make([]uuid.UUID, n)
	for from := 0; from < n; from += most {
		some := make([]db.Draft, min(most, n-from))
		for i := range some {
			ids[from+i] = uuid.Must(uuid.NewV7())
			some[i] = db.Draft{
				ID: ids[from+i], FacilityID: d.facility, AccountID: d.accounts[i%len(d.accounts)], PriceCents: 100,
				PickupAddress: "Here", DropoffAddress: "There", Digest: benchDigest,
			}
		}
		if _, _, err := d.CreateDrafts(ctx, d.by, some); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// submit submits one pickup with the statement of a regular request.
func (d *jobsFixture) submit(ctx context.Context, id uuid.UUID) error {
	_, _, err := d.MoveOne(ctx, d.by, db.Transition{Name: db.TransitionNameSubmit, PickupID: id, Digest: benchDigest})
	return err
}

// submitAll submits several pickups in one statement through q.
func (d *jobsFixture) submitAll(ctx context.Context, q *db.Queries, ids []uuid.UUID) error {
	n := len(ids)
	rows, err := q.TransitionPickups(ctx, db.TransitionPickupsParams{
		TenantIds: repeated(d.by.TenantID, n), Ids: ids,
		ViewerIds: repeated(d.by.UserID, n), ViewerRoles: repeated(string(d.by.Role), n),
		ViewerDriverIds: make([]uuid.UUID, n),
		Transitions:     repeated(string(db.TransitionNameSubmit), n), Versions: make([]int64, n),
		IdempotencyKeys: make([]string, n), RequestDigests: repeated(benchDigest, n), MoveIds: newIDs(n),
		DriverIds: make([]uuid.UUID, n), Reasons: make([]string, n),
	})
	if err == nil && len(rows) != n {
		err = fmt.Errorf("%d of %d pickups were submitted", len(rows), n)
	}
	return err
}

// warmBy is the number of pickups after which plans are like those for many more.
const warmBy = 2000

// warm submits some pickups and analyzes the tables: directly after they are filled, the planner still
// considers them empty.
func (d *jobsFixture) warm(ctx context.Context, ownerURL string, pickups int) error {
	ids, err := d.drafts(ctx, pickups)
	if err != nil {
		return err
	}
	for some := range slices.Chunk(ids, 100) {
		if err := d.submitAll(ctx, d.raw, some); err != nil {
			return err
		}
	}
	conn, err := pgx.Connect(ctx, ownerURL)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, "ANALYZE")
	return err
}

// requireEmptyQueue fails if jobs are waiting: the benchmark's workers would take jobs of others, and mark
// them as sent.
func (d *jobsFixture) requireEmptyQueue(ctx context.Context) error {
	for _, queue := range []string{jobs.Texts, jobs.Dispatches} {
		n, err := d.waiting(ctx, queue)
		if err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("%d jobs are waiting in this database: use another one", n)
		}
	}
	return nil
}

// waiting counts the unfinished jobs of a queue, however many there are.
func (d *jobsFixture) waiting(ctx context.Context, queue string) (n int, err error) {
	err = d.Pool().QueryRow(ctx, statement("jobs_waiting"), queue).Scan(&n)
	return n, err
}

func repeated[T any](v T, n int) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = v
	}
	return out
}

func newIDs(n int) []uuid.UUID {
	out := make([]uuid.UUID, n)
	for i := range out {
		out[i] = uuid.Must(uuid.NewV7())
	}
	return out
}
