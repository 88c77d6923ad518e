//go:build !race

// Clusters are processes, which share no memory with a test.

package db_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"

	"waybill/db"
	"waybill/db/localpg"
)

// startPair starts a primary with the schema, and an asynchronous standby.
func startPair(t *testing.T) (primary, standby *localpg.Server) {
	t.Helper()
	primary = startServer(t)
	standby = must(primary.Standby(t.Context(), "second"))
	t.Cleanup(func() { standby.Stop() })
	return primary, standby
}

// urlOf returns the URL of the application's login at several servers.
func urlOf(servers ...*localpg.Server) string {
	var hosts, ports []string
	var u *url.URL
	for _, s := range servers {
		u = must(url.Parse(s.URL(localpg.App, localpg.Database)))
		hosts = append(hosts, u.Query().Get("host"))
		ports = append(ports, u.Query().Get("port"))
	}
	u.RawQuery = url.Values{"host": {strings.Join(hosts, ",")}, "port": {strings.Join(ports, ",")}}.Encode()
	return u.String()
}

// accountsOf returns a function that makes an account, and one that counts those of a server.
func accountsOf(t *testing.T, w *fixture) (create func() error, count func(*localpg.Server) int) {
	t.Helper()
	create = func() error {
		_, _, err := w.as.Store.CreateAccount(t.Context(), w.admin, db.CreateAccountParams{
			TenantID: w.tenant, ID: uuid.New(), Name: "Account", Currency: "USD", RequestDigest: digest("new"),
		})
		return err
	}
	count = func(s *localpg.Server) int {
		pool := openPool(t, s.URL(localpg.Owner, localpg.Database))
		return scan[int](t.Context(), pool, "SELECT count(*) FROM accounts WHERE tenant_id = $1", w.tenant)
	}
	return create, count
}

func TestWritesGoOnAtThePromotedStandbyAndNeverAtTheFormerPrimary(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	primary, standby := startPair(t)
	lineage := &db.Lineage{}
	s := openStore(t, db.Config{URL: urlOf(primary, standby), MaxConns: 4, IdleConns: 2, Lineage: lineage})
	w := worldOn(t, primary, s)
	create, count := accountsOf(t, w)
	must(0, create())
	must(0, primary.AwaitReplay(ctx, standby))
	before := count(primary)

	must(0, primary.Kill())
	if err := create(); code(err) != db.Unavailable {
		t.Errorf("without a primary: %v", err)
	}
	if err := s.CheckWritable(ctx); code(err) != db.Unavailable {
		t.Errorf("ready without a primary: %v", err)
	}
	must(0, standby.Promote(ctx))
	recovers(t, create)
	must(0, primary.Restart(ctx)) // as if nothing had happened, and first in the URL
	for range 8 {
		s.Pool().Reset()
		recovers(t, create)
	}
	if now := count(primary); now != before {
		t.Errorf("the former primary has %d accounts, and had %d", now, before)
	}
	if now := count(standby); now != before+9 {
		t.Errorf("the new primary has %d accounts, want %d", now, before+9)
	}
	_, err := db.Open(ctx, db.Config{URL: urlOf(primary), Lineage: lineage})
	if !errors.Is(err, db.FormerPrimary) {
		t.Errorf("the former primary is accepted: %v", err)
	}
}

// The former primary still runs, and the pool is connected to it: another of the process's pools has seen
// the new one.
func TestConnectionsToAReplacedPrimaryAreNotUsedAnyMore(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	primary, standby := startPair(t)
	lineage := &db.Lineage{}
	s := openStore(t, db.Config{URL: urlOf(primary, standby), MaxConns: 4, IdleConns: 4, Lineage: lineage})
	w := worldOn(t, primary, s)
	create, count := accountsOf(t, w)
	must(0, create())
	must(0, primary.AwaitReplay(ctx, standby))
	before := count(primary)
	must(0, standby.Promote(ctx))
	openStore(t, db.Config{URL: urlOf(standby), Lineage: lineage})
	for range 8 {
		recovers(t, create)
	}
	if old, now := count(primary), count(standby); old != before || now != before+8 {
		t.Errorf("the former primary has %d accounts, want %d, and the new one %d, want %d", old, before, now, before+8)
	}
}

func TestAStandbyIsRefusedWithASentence(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	primary, standby := startPair(t)
	_, err := db.Open(ctx, db.Config{URL: urlOf(standby)})
	if err == nil || err.Error() != string(db.Standby) {
		t.Errorf("a standby: %v", err)
	}
	err = db.Migrate(ctx, standby.URL(localpg.Owner, localpg.Database))
	if err == nil || err.Error() != string(db.Standby) {
		t.Errorf("a migration of a standby: %v", err)
	}
	s := openStore(t, db.Config{URL: urlOf(standby, primary)})
	if err := s.CheckWritable(ctx); err != nil {
		t.Errorf("both, the standby first: %v", err)
	}
}

func TestARestartedPrimaryIsUsedAgain(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	primary := startServer(t)
	s := openStore(t, db.Config{URL: urlOf(primary), MaxConns: 4, IdleConns: 2})
	w := worldOn(t, primary, s)
	create, _ := accountsOf(t, w)
	for _, stop := range []func() error{primary.Crash, primary.Kill} {
		must(0, create())
		must(0, stop())
		if err := create(); code(err) != db.Unavailable {
			t.Errorf("without a server: %v", err)
		}
		must(0, primary.Restart(ctx))
		recovers(t, create)
		must(0, s.CheckWritable(ctx))
	}
}
