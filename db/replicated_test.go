//go:build !race

// Clusters are processes, which share no memory with a test.

package db_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"waybill/db"
	"waybill/db/localpg"
	"waybill/db/seed"
)

// replicas is a primary with a tenant, and its synchronous standby.
type replicas struct {
	*fixture
	t                *testing.T
	primary, standby *localpg.Server
}

// newReplicas starts both. Unless it is safe, the store acknowledges what is not replicated.
func newReplicas(t *testing.T, safe bool) *replicas {
	t.Helper()
	ctx := t.Context()
	r := &replicas{t: t}
	var err error
	r.primary, err = localpg.Start(ctx, localpg.Options{Settings: map[string]string{"synchronous_commit": "on"}})
	r.must(err)
	t.Cleanup(func() { r.must(r.primary.Stop()) })
	r.must(db.Migrate(ctx, r.primary.URL(localpg.Owner, localpg.Database)))
	r.standby, err = r.primary.Standby(ctx, "standby")
	r.must(err)
	t.Cleanup(func() { r.must(r.standby.Stop()) })
	c := config(r.primary.URL(localpg.App, localpg.Database), true)
	c.AcknowledgeUnreplicated = !safe
	d := &database{Raw: openStore(t, c), owner: r.owns(r.primary)}
	r.fixture = d.fixture(ctx)
	r.must(r.primary.Synchronous(ctx, "standby"))
	return r
}

func (r *replicas) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *replicas) owns(s *localpg.Server) *pgxpool.Pool {
	r.t.Helper()
	pool, err := pgxpool.New(r.t.Context(), s.URL(localpg.Owner, localpg.Database))
	r.must(err)
	r.t.Cleanup(pool.Close)
	return pool
}

// failOver kills the primary, and has the standby take over with what it has on its disk.
func (r *replicas) failOver() *pgxpool.Pool {
	r.t.Helper()
	r.must(r.primary.Kill())
	r.must(r.standby.Restart(r.t.Context()))
	r.must(r.standby.Promote(r.t.Context()))
	return r.owns(r.standby)
}

// repeatable is a write that a caller repeats until it is acknowledged.
type repeatable struct {
	name  string
	send  func(context.Context) error
	found string // counts what it wrote
	args  []any
}

// repeatables are writes of every kind. What they need is made before.
func (r *replicas) repeatables() []repeatable {
	ctx, w := r.t.Context(), r.fixture
	charge := db.Entry{ID: newID(), AccountID: w.fundedAccount(ctx, 1000), Kind: db.EntryKindCharge, AmountCents: 70,
		Digest: digest("charge")}
	draft, drafts := w.draft(), []db.Draft{w.draft(), w.draft()}
	pickup, leaver, driver := w.pickup(ctx), w.user(ctx, db.UserRoleHub), w.driver(ctx, 1, 2)
	var group uuid.UUID
	var token db.Token
	w.make(ctx, func(rows *seed.Rows) {
		group = rows.Group()
		token = rows.Session(rows.User(db.UserRoleHub, withOldHash))
	})
	account, located := newID(), time.Now()
	key := newID().String()
	return []repeatable{
		{"charge", func(ctx context.Context) error { _, _, err := w.Enter(ctx, w.admin, charge); return err },
			"SELECT count(*) FROM ledger_entries WHERE id = $1", []any{charge.ID}},
		{"create", func(ctx context.Context) error { return created(ctx, w.Raw, w.staff, []db.Draft{draft}) },
			"SELECT count(*) FROM pickups WHERE id = $1", []any{draft.ID}},
		{"create several", func(ctx context.Context) error { return created(ctx, w.Raw, w.staff, drafts) },
			"SELECT count(*) FROM pickups WHERE id = $1", []any{drafts[1].ID}},
		{"submit", func(ctx context.Context) error {
			return move(ctx, w.Raw, w.staff, db.TransitionNameSubmit, pickup, withKey(key))
		}, "SELECT count(*) FROM pickups WHERE id = $1 AND status = 'SUBMITTED'", []any{pickup}},
		{"locate", func(ctx context.Context) error {
			_, _, err := w.Locate(ctx, driver,
				db.Location{DriverID: driver.DriverID, Latitude: 3, Longitude: 4, At: located})
			return err
		}, "SELECT count(*) FROM drivers WHERE id = $1 AND latitude = 3", []any{driver.DriverID}},
		{"create an account", func(ctx context.Context) error {
			_, _, err := w.Store.CreateAccount(db.Acting(ctx, w.admin), w.admin, db.CreateAccountParams{
				ID: account, Name: "replicated", Currency: "USD", RequestDigest: digest("account")})
			return err
		}, "SELECT count(*) FROM accounts WHERE id = $1", []any{account}},
		{"add a member", func(ctx context.Context) error {
			return w.Store.AddGroupMember(db.Acting(ctx, w.admin), w.admin,
				db.AddGroupMemberParams{GroupID: group, UserID: driver.UserID})
		}, "SELECT count(*) FROM group_members WHERE group_id = $1", []any{group}},
		{"log out", func(ctx context.Context) error { return w.CloseSession(ctx, token) },
			"SELECT count(*) FROM sessions WHERE token_hash = $1 AND revoked_at IS NOT NULL", []any{token.Hash()}},
		{"deactivate", func(ctx context.Context) error {
			_, err := w.Store.DeactivateUser(db.Acting(ctx, w.admin), w.admin, leaver.UserID)
			return err
		}, "SELECT count(*) FROM users WHERE id = $1 AND NOT active", []any{leaver.UserID}},
	}
}

// acknowledgedWithoutStandby repeats each write while its standby is down, until its caller leaves, and returns
// those that were acknowledged all the same.
func (r *replicas) acknowledgedWithoutStandby(writes []repeatable) (acknowledged []repeatable) {
	r.t.Helper()
	for _, write := range writes {
		for attempt := range 2 {
			ctx, leave := context.WithTimeout(r.t.Context(), 300*time.Millisecond)
			err := write.send(ctx)
			leave()
			switch code := codeOf(err); code {
			case "":
				acknowledged = append(acknowledged, write)
			case db.Timeout, db.Unavailable:
			default:
				r.t.Errorf("%s, attempt %d: %v", write.name, attempt, err)
			}
		}
	}
	return acknowledged
}

func codeOf(err error) db.Code {
	if err == nil {
		return ""
	}
	return db.Explain(err).Code
}

func (r *replicas) lost(of []repeatable, after *pgxpool.Pool) (names []string) {
	for _, write := range of {
		if scan[int](r.t.Context(), after, write.found, write.args...) == 0 {
			names = append(names, write.name)
		}
	}
	return slices.Compact(names)
}

func TestNothingAcknowledgedIsLostWithThePrimary(t *testing.T) {
	t.Parallel()
	r := newReplicas(t, true)
	writes := r.repeatables()
	r.must(r.standby.Kill())
	acknowledged := r.acknowledgedWithoutStandby(writes)
	for _, write := range writes { // the callers have left, and the primary has committed
		if scan[int](t.Context(), r.owner, write.found, write.args...) == 0 {
			t.Errorf("%s was not even written: this proves nothing", write.name)
		}
	}
	for _, write := range acknowledged {
		t.Errorf("%s: acknowledged without the standby", write.name)
	}
	if lost := r.lost(acknowledged, r.failOver()); len(lost) > 0 {
		t.Errorf("acknowledged and lost: %q", lost)
	}
}

// The control: with the warnings ignored, and without waiting for what an answer rests on, all is lost.
func TestControlLosesWhatItAcknowledgesUnreplicated(t *testing.T) {
	t.Parallel()
	r := newReplicas(t, false)
	writes := r.repeatables()
	r.must(r.standby.Kill())
	acknowledged := r.acknowledgedWithoutStandby(writes)
	if lost := r.lost(acknowledged, r.failOver()); len(lost) != len(writes) {
		t.Errorf("of %d writes only %q are lost: the test beside this one proves nothing", len(writes), lost)
	}
}

func TestReplaysAreAnsweredOnceTheStandbyHasThem(t *testing.T) {
	t.Parallel()
	r := newReplicas(t, true)
	writes := r.repeatables()
	r.must(r.standby.Kill())
	r.acknowledgedWithoutStandby(writes)
	var answered sync.WaitGroup
	errs := make([]error, len(writes))
	for i, write := range writes {
		answered.Go(func() { errs[i] = write.send(r.t.Context()) })
	}
	r.must(r.standby.Restart(t.Context()))
	answered.Wait()
	for i, write := range writes {
		if errs[i] != nil {
			t.Errorf("%s: %v", write.name, errs[i])
		}
	}
	if lost := r.lost(writes, r.failOver()); len(lost) > 0 {
		t.Errorf("acknowledged and lost: %q", lost)
	}
}

// Those who wait for the standby share one wait: the others' connections are free for those who do not. A member who
// is one already is a repetition that writes nothing itself.
func TestReplaysShareOneWaitForTheStandby(t *testing.T) {
	t.Parallel()
	r := newReplicas(t, true)
	member := db.AddGroupMemberParams{UserID: r.stranger.UserID}
	r.make(t.Context(), func(rows *seed.Rows) {
		member.GroupID = rows.Group()
		rows.Members(member.GroupID, member.UserID)
	})
	r.must(r.standby.Kill())
	var replays sync.WaitGroup
	for range 20 {
		replays.Go(func() {
			if err := r.Store.AddGroupMember(db.Acting(t.Context(), r.admin), r.admin, member); err != nil {
				t.Error(err)
			}
		})
	}
	const waiting = `SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`
	most := 0
	for range 30 {
		most = max(most, scan[int](t.Context(), r.owner, waiting))
		time.Sleep(10 * time.Millisecond)
	}
	if _, err := r.GetAccount(t.Context(),
		db.GetAccountParams{TenantID: r.tenant, ID: r.account, ViewerRole: db.UserRoleAdmin}); err != nil {
		t.Error(err)
	}
	r.must(r.standby.Restart(t.Context()))
	replays.Wait()
	if most != 1 {
		t.Errorf("%d connections wait for the standby; want 1", most)
	}
}
