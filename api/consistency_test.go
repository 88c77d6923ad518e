//go:build !race

// Clusters are processes, which share no memory with a test.

package api_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/api"
	"waybill/db"
	"waybill/db/dbtest"
	"waybill/db/localpg"
	"waybill/db/seed"
)

const consistency = "Waybill-Consistency"

// reader is a server whose reads a standby serves.
type reader struct {
	*server
	primary, standby *localpg.Server
}

func startReader(t *testing.T) *reader {
	t.Helper()
	ctx := t.Context()
	primary, err := localpg.Start(ctx, localpg.Options{Settings: map[string]string{"synchronous_commit": "on"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { primary.Stop() })
	base := dbtest.On(t, primary)
	if err := db.Migrate(ctx, base.OwnerURL); err != nil {
		t.Fatal(err)
	}
	standby, err := primary.Standby(ctx, "standby")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { standby.Stop() })
	s := startOver(t, base, func(c *db.Config, _ *api.Options) {
		c.ReplicaURLs = []string{standby.URL(localpg.App, localpg.Database)}
		c.ReplicaWait, c.ReplicaTimeout = 3*time.Second, 5*time.Second
	})
	s.must(seed.Make(ctx, base.Owner(), uuid.New(), func(r *seed.Rows) { s.tenant = newTenant(r) }))
	r := &reader{s, primary, standby}
	r.caughtUp()
	return r
}

// caughtUp waits until the standby has replayed everything, and is used.
func (r *reader) caughtUp() {
	r.t.Helper()
	r.must(r.primary.AwaitReplay(r.t.Context(), r.standby))
	r.eventually(func() bool { all, _ := r.store.Replicas(); return all[0].Usable })
}

// behind stops the replay of the standby, which stays as old as it is.
func (r *reader) behind() {
	r.t.Helper()
	conn, err := pgx.Connect(r.t.Context(), r.standby.URL(localpg.Superuser, localpg.Database))
	r.must(err)
	defer conn.Close(r.t.Context())
	_, err = conn.Exec(r.t.Context(), "SELECT pg_wal_replay_pause()")
	r.must(err)
}

// outcomes returns how often reads had each outcome since the last call.
func (r *reader) outcomes() func() map[string]int64 {
	_, before := r.store.Replicas()
	return func() map[string]int64 {
		_, after := r.store.Replicas()
		for name, n := range before {
			if after[name] -= n; after[name] == 0 {
				delete(after, name)
			}
		}
		return after
	}
}

// Each operation that reads is served by whom the table says, to each role that may call it; one that the table lacks,
// by the primary.
func TestReplicasServeTheOperationsThatMayBeOlder(t *testing.T) {
	t.Parallel()
	r := startReader(t)
	for _, op := range theDocument().operations {
		if op.method != "GET" {
			continue
		}
		by := servedBy[op.id]
		if op.takes(consistency) != (by == byReplica) {
			t.Errorf("%s accepts the header: %t; the table says %q", op.id, op.takes(consistency), by)
		}
		if by == "no session" || by == "primary: a stream" {
			continue
		}
		for _, role := range roles {
			if r.rightsOf(op.id).may(role) != '-' {
				r.servesAs(op, role, by == byReplica)
			}
		}
	}
	for id := range servedBy {
		if op := theDocument().operation(id); op == nil || op.method != "GET" {
			t.Errorf("the table has %s, which is no operation that reads", id)
		}
	}
}

func (r *reader) servesAs(op *described, role db.UserRole, replica bool) {
	r.t.Helper()
	c := r.call(op, role, "own", r.tenant)
	as := r.tenant.as(role)
	told := r.do(as, "GET", "/v1/session", nil).want(200).header.Get(consistency)
	r.caughtUp()
	for _, headers := range [][]string{{}, {consistency, told}} {
		since := r.outcomes()
		a := r.do(as, "GET", c.path, nil, headers...).want(200)
		if then := a.header.Get(consistency); then < told {
			r.t.Errorf("%s told %q after %q", op.id, then, told)
		}
		switch now := since(); {
		case replica && (now["replica"] == 0 || len(now) != 1), !replica && len(now) > 0:
			r.t.Errorf("%s as %s, %v: the outcomes are %v", op.id, role, headers, now)
		}
	}
}

// Whatever is behind, a client sees what it wrote, and nobody uses a right that was taken away.
func TestAReplicaThatIsBehindHidesNothingFromItsClient(t *testing.T) {
	t.Parallel()
	r := startReader(t)
	path := fmt.Sprint("/v1/accounts/", r.account)
	edit := func(name string) *answer {
		read := r.do(r.tenant.admin, "GET", path, nil).want(200)
		return r.do(r.tenant.admin, "PATCH", path, object{"name": name}, "If-Match", read.header.Get("ETag")).want(200)
	}
	old := edit("old").header.Get(consistency)
	r.caughtUp()
	r.behind()
	written := edit("new")
	told := written.header.Get(consistency)
	since := r.outcomes()
	for _, c := range []struct {
		as      *user
		headers []string
		name    string
	}{
		{r.tenant.admin, nil, "new"}, {r.tenant.admin, []string{consistency, told}, "new"},
		{r.tenant.admin, []string{consistency, old}, "old"}, {r.tenant.dispatcher, []string{consistency, old}, "old"},
		{r.tenant.staff, []string{consistency, old}, "new"},
	} {
		a := r.do(c.as, "GET", path, nil, c.headers...).want(200)
		if name := a.str("name"); name != c.name {
			t.Errorf("%s with %v: %v, want %s", c.as.role, c.headers, name, c.name)
		}
	}
	if now := since(); now["replica"] != 2 {
		t.Errorf("the outcomes are %v", now)
	}
	// A 304 says what a row would.
	r.do(r.tenant.admin, "GET", path, nil, "If-None-Match", written.header.Get("ETag"), consistency, told).want(304)
	for _, wrong := range []string{"x", "0", old + "0", "00000000" + old[8:], "0000000G" + old[8:]} {
		r.do(r.tenant.admin, "GET", path, nil, consistency, wrong).refused(422, "validation_failed")
	}
	r.do(nil, "GET", path, nil, consistency, "x").refused(401, "unauthenticated")
}

// A session that has ended is refused at once, and so is a right that was taken away, although the replica still
// has them.
func TestAReplicaThatIsBehindAdmitsNobodyLonger(t *testing.T) {
	t.Parallel()
	r := startReader(t)
	facility := fmt.Sprint("/v1/facilities/", r.facility)
	told := r.do(r.tenant.staff, "GET", facility, nil).want(200).header.Get(consistency)
	r.caughtUp()
	r.behind()
	r.exec("DELETE FROM group_members WHERE user_id = $1", r.tenant.staff.id)
	r.do(r.tenant.staff, "GET", facility, nil, consistency, told).refused(404, "not_found")
	for _, e := range ends {
		as := r.tenant.dispatcher
		r.startSession(as)
		r.do(as, "GET", facility, nil, consistency, told).want(200)
		e.happen(r.server, as)
		a := r.do(as, "GET", facility, nil, consistency, told)
		if a.status != 401 && a.status != 404 && !(a.status == 200 && e.status == 403) {
			t.Errorf("%s: %s", e.name, a)
		}
		if e.status == 401 && a.status != 401 {
			t.Errorf("%s: %s", e.name, a)
		}
		r.restore(as)
	}
}
