//go:build !race

// Clusters are processes, which share no memory with a test.

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
	"waybill/db/localpg"
)

// readers is a primary with standbys, over which a store reads.
type readers struct {
	*fixture
	t        *testing.T
	primary  *localpg.Server
	standbys []*localpg.Server
	account  uuid.UUID
}

// startReaders starts n standbys. The store waits for them as long as a busy machine takes.
func startReaders(t *testing.T, n int, configure func(*db.Config)) *readers {
	t.Helper()
	r := &readers{t: t, primary: startServer(t)}
	c := config(r.primary.URL(localpg.App, localpg.Database), true)
	c.ReplicaWait, c.ReplicaTimeout = 3*time.Second, 5*time.Second
	for i := range n {
		standby := must(r.primary.Standby(t.Context(), fmt.Sprint("reader", i)))
		t.Cleanup(func() { standby.Stop() })
		r.standbys = append(r.standbys, standby)
		c.ReplicaURLs = append(c.ReplicaURLs, standby.URL(localpg.App, localpg.Database))
	}
	if configure != nil {
		configure(&c)
	}
	r.fixture = worldOn(t, r.primary, openStore(t, c))
	r.account = r.newAccount("first")
	for _, s := range r.standbys {
		must(0, r.primary.AwaitReplay(t.Context(), s))
	}
	if n > 0 {
		r.awaitUsable(len(c.ReplicaURLs))
	}
	return r
}

// Who receives WAL and replays none, as pg_receivewal and pg_basebackup do, is no replica that lags, or that cannot be
// seen: a backfill does not wait for them.
func TestWhoOnlyReceivesWALDoesNotLag(t *testing.T) {
	t.Parallel()
	r := startReaders(t, 0, nil)
	ctx := t.Context()
	super := openPool(t, r.primary.URL(localpg.Superuser, localpg.Database))
	c := must(pgx.ParseConfig(r.primary.URL(localpg.Superuser, localpg.Database)))
	c.RuntimeParams["replication"] = "true"
	receiver := must(pgx.ConnectConfig(ctx, c))
	at := scan[string](ctx, r.owner, "SELECT pg_current_wal_lsn()::text")
	received := receiver.PgConn().Exec(ctx, "START_REPLICATION PHYSICAL "+at) // it sends no position
	defer func() {
		receiver.PgConn().Conn().Close()
		received.Close()
	}()
	for scan[int](ctx, super, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	for _, may := range []bool{false, true} {
		if may {
			must(super.Exec(ctx, "GRANT pg_monitor TO waybill_app"))
		}
		lag := must(r.Raw.GetReplicaLag(ctx))
		if *lag.IsHidden == may || *lag.Bytes != 0 {
			t.Errorf("with pg_monitor %t: hidden %t, behind by %d bytes", may, *lag.IsHidden, *lag.Bytes)
		}
	}
}

func (r *readers) newAccount(name string) uuid.UUID {
	id := uuid.New()
	_, _, err := r.as.Store.CreateAccount(r.t.Context(), r.admin, db.CreateAccountParams{
		TenantID: r.tenant, ID: id, Name: name, Currency: "USD", RequestDigest: digest("new")})
	return must(id, err)
}

// rename gives the account a name, and returns the position that its client is told.
func (r *readers) rename(name string) db.Position {
	r.t.Helper()
	ctx := r.t.Context()
	now := must(r.as.GetAccount(ctx,
		db.GetAccountParams{TenantID: r.tenant, ID: r.account, ViewerRole: db.UserRoleAdmin}))
	must(r.as.EditAccount(ctx, db.EditAccountParams{TenantID: r.tenant,
		ID: r.account, Name: &name, Version: now.Version}))
	return r.position(ctx)
}

func (r *readers) position(ctx context.Context) db.Position {
	r.t.Helper()
	p, ok := r.as.Store.Position(ctx)
	if !ok {
		r.t.Fatal("there is no position")
	}
	return p
}

// read reads the account's name after a position, and returns whether a replica served it, and the position
// that its client is told.
func (r *readers) read(v db.Viewer, after db.Position) (name string, replica bool, then db.Position) {
	r.t.Helper()
	before := r.served()
	ctx := r.as.Store.FromReplicas(r.t.Context(), v, after)
	row := must(r.as.Store.GetAccount(ctx,
		db.GetAccountParams{TenantID: r.tenant, ID: r.account, ViewerRole: db.UserRoleAdmin}))
	return row.Name, r.served() > before, r.position(ctx)
}

func (r *readers) served() int64 {
	_, outcomes := r.as.Store.Replicas()
	return outcomes["replica"]
}

// awaitUsable waits until so many replicas can be used.
func (r *readers) awaitUsable(n int) {
	r.t.Helper()
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		usable := 0
		all, _ := r.as.Store.Replicas()
		for _, s := range all {
			if s.Usable {
				usable++
			}
		}
		if usable == n {
			return
		}
		if time.Since(begin) > vanishedLimit {
			r.t.Fatalf("%d of %d replicas can be used, not %d", usable, len(all), n)
		}
	}
}

func (r *readers) super(s *localpg.Server) *pgxpool.Pool {
	return openPool(r.t, s.URL(localpg.Superuser, localpg.Database))
}

func TestAReplicaServesReadsThatItHasReplayed(t *testing.T) {
	t.Parallel()
	r := startReaders(t, 1, nil)
	var last db.Position
	for i := range 5 {
		written := r.rename(fmt.Sprint("name ", i))
		for _, after := range []db.Position{written, {}} {
			name, replica, then := r.read(r.admin, after)
			if name != fmt.Sprint("name ", i) || !replica {
				t.Errorf("after %v: %q, by a replica %t", after, name, replica)
			}
			if then.String() < written.String() || then.String() < last.String() {
				t.Errorf("the position %v after %v and %v", then, written, last)
			}
			last = then
		}
	}
}

// A replica that is behind serves only who needs no more than it has, and whose rights do not depend on rows.
func TestAReplicaThatIsBehindServesNoNewerRead(t *testing.T) {
	t.Parallel()
	r := startReaders(t, 1, func(c *db.Config) { c.ReplicaWait = 100 * time.Millisecond })
	old := r.rename("old")
	must(0, r.primary.AwaitReplay(t.Context(), r.standbys[0]))
	must(r.super(r.standbys[0]).Exec(t.Context(), "SELECT pg_wal_replay_pause()"))
	written := r.rename("new")
	for _, c := range []struct {
		about   string
		viewer  db.Viewer
		after   db.Position
		name    string
		replica bool
	}{
		{"what its client wrote", r.admin, written, "new", false},
		{"what the primary showed on arrival", r.admin, db.Position{}, "new", false},
		{"a client of earlier", r.admin, old, "old", true},
		{"a dispatcher of earlier", r.dispatcher, old, "old", true},
		{"staff of earlier, whose rights may have been taken away", r.staff, old, "new", false},
		{"the hub of earlier", r.hub, old, "new", false},
	} {
		for _, believed := range []bool{false, true} {
			if believed {
				r.as.BelieveReplayed()
			}
			name, replica, then := r.read(c.viewer, c.after)
			if name != c.name || replica != c.replica {
				t.Errorf("%s: %q, by a replica %t", c.about, name, replica)
			}
			if name == "new" && then.String() < written.String() {
				t.Errorf("%s: the position %v is before %v", c.about, then, written)
			}
		}
	}
	must(r.super(r.standbys[0]).Exec(t.Context(), "SELECT pg_wal_replay_resume()"))
	must(0, r.primary.AwaitReplay(t.Context(), r.standbys[0]))
	recoversBy(t, func() bool { name, replica, _ := r.read(r.staff, old); return name == "new" && replica })
}

// recoversBy waits until something holds.
func recoversBy(t *testing.T, holds func() bool) {
	t.Helper()
	for begin := time.Now(); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Since(begin) > vanishedLimit {
			t.Fatal("it does not recover")
		}
	}
}

// A commit that still waits for a synchronous standby is replayed by others already. It would be lost if the
// standby took over: nobody is shown it.
func TestAReplicaShowsNothingThatThePrimaryDoesNotShow(t *testing.T) {
	t.Parallel()
	for stale, shown := range map[bool]string{false: "shown", true: "waiting"} {
		t.Run(fmt.Sprint("control ", stale), func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			r := startReaders(t, 2, func(c *db.Config) {
				c.ReplicaURLs, c.ReadStale = c.ReplicaURLs[1:], stale
				c.ReplicaWait = 100 * time.Millisecond
			})
			must(0, r.primary.Synchronous(ctx, "reader0"))
			written := r.rename("shown")
			must(0, r.standbys[0].Pause())
			t.Cleanup(func() { r.standbys[0].Resume() })
			done := make(chan error)
			go func() {
				_, err := r.owner.Exec(ctx, "UPDATE accounts SET name = 'waiting' WHERE id = $1", r.account)
				done <- err
			}()
			replica := r.super(r.standbys[1])
			recoversBy(t, func() bool {
				return scan[string](ctx, replica, "SELECT name FROM accounts WHERE id = $1", r.account) == "waiting"
			})
			for _, after := range []db.Position{written, {}} {
				if name, _, _ := r.read(r.admin, after); name != shown {
					t.Errorf("after %v: %q, want %q", after, name, shown)
				}
			}
			if _, outcomes := r.as.Store.Replicas(); (outcomes["ahead"] == 2) == stale {
				t.Errorf("the outcomes are %v", outcomes)
			}
			must(0, r.standbys[0].Resume())
			must(0, <-done)
			if name, _, _ := r.read(r.admin, written); name != "waiting" {
				t.Errorf("once it is shown: %q", name)
			}
		})
	}
}

// Two commits have one order in the WAL, and the primary may show them in the other. So one client of the primary and
// one of a replica may each see one of them alone, which ARCHITECTURE.md says. Whoever hands on what it has seen is
// shown both.
func TestALongForkIsNotExcluded(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := startReaders(t, 2, func(c *db.Config) { c.ReplicaURLs = c.ReplicaURLs[1:] })
	second := r.newAccount("first")
	must(0, r.primary.Synchronous(ctx, "reader0"))
	before := r.rename("first")
	must(0, r.standbys[0].Pause())
	t.Cleanup(func() { r.standbys[0].Resume() })
	waits := make(chan error)
	go func() {
		_, err := r.owner.Exec(ctx, "UPDATE accounts SET name = 'second' WHERE id = $1", r.account)
		waits <- err
	}()
	replica := r.super(r.standbys[1])
	recoversBy(t, func() bool {
		return scan[string](ctx, replica, "SELECT name FROM accounts WHERE id = $1", r.account) == "second"
	})
	must(replica.Exec(ctx, "SELECT pg_wal_replay_pause()"))
	must(0, pgx.BeginFunc(ctx, r.owner, func(tx pgx.Tx) error {
		must(tx.Exec(ctx, "SET LOCAL synchronous_commit = local"))
		_, err := tx.Exec(ctx, "UPDATE accounts SET name = 'second' WHERE id = $1", second)
		return err
	}))
	both := func(v db.Viewer, after db.Position, fromReplica bool) (names string, last db.Position) {
		for _, id := range []uuid.UUID{r.account, second} {
			c := ctx
			if fromReplica {
				c = r.as.Store.FromReplicas(ctx, v, after)
			}
			served := r.served()
			names += must(r.as.Store.GetAccount(c, db.GetAccountParams{TenantID: r.tenant, ID: id,
				ViewerID: v.UserID, ViewerRole: v.Role})).Name + " "
			if (r.served() > served) != fromReplica {
				t.Errorf("a replica served: %t", !fromReplica)
			}
			last = r.position(c)
		}
		return names, last
	}
	onPrimary, seen := both(r.admin, before, false)
	must(0, r.standbys[0].Resume())
	must(0, <-waits)
	onReplica, _ := both(r.admin, before, true)
	if onPrimary != "first second " || onReplica != "second first " {
		t.Errorf("the primary showed %q and the replica %q: if there are no long forks any more, ARCHITECTURE.md "+
			"may promise that", onPrimary, onReplica)
	}
	must(replica.Exec(ctx, "SELECT pg_wal_replay_resume()"))
	if handedOn, _ := both(r.admin, seen, true); handedOn != "second second " {
		t.Errorf("after %q: %q", onPrimary, handedOn)
	}
}
