//go:build !race

// Clusters are processes, which share no memory with a test.

package localpg

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// startPair starts a primary and a standby that streams from it, with tables to write to.
func startPair(t *testing.T, o Options) (primary, standby *Server) {
	t.Helper()
	o.Dir = usedDir(t)
	o.Settings = map[string]string{"synchronous_commit": "on"}
	primary = startIn(t, o)
	execute(t, primary.URL(Owner, Database), "CREATE TABLE written (n int)")
	return primary, standbyOf(t, primary, "second")
}

func standbyOf(t *testing.T, primary *Server, name string) *Server {
	t.Helper()
	standby, err := primary.Standby(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, standby.Stop()) })
	return standby
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, s *Server) {
	t.Helper()
	execute(t, s.URL(Owner, Database), "INSERT INTO written VALUES (1)")
}

func written(t *testing.T, s *Server) string {
	t.Helper()
	return query(t, s.URL(Owner, Database), "SELECT count(*)::text FROM written")
}

func TestStandbyReplaysAndIsPromoted(t *testing.T) {
	t.Parallel()
	primary, standby := startPair(t, Options{TCP: true})
	write(t, primary)
	must(t, primary.AwaitReplay(t.Context(), standby))
	if got := written(t, standby); got != "1" {
		t.Errorf("the standby has %s rows", got)
	}
	const inRecovery = "SELECT pg_is_in_recovery()::text"
	if got := query(t, standby.URL(App, Database), inRecovery); got != "true" {
		t.Errorf("in recovery: %s", got)
	}
	must(t, primary.Kill())
	must(t, standby.Promote(t.Context()))
	write(t, standby)
	if got := written(t, standby); got != "2" {
		t.Errorf("the new primary has %s rows", got)
	}
	must(t, primary.Rejoin(t.Context(), standby, "first"))
	write(t, standby)
	must(t, standby.AwaitReplay(t.Context(), primary))
	if got := written(t, primary); got != "3" {
		t.Errorf("the former primary has %s rows", got)
	}
	// The cluster has turned round, and turns back.
	must(t, standby.Crash())
	must(t, primary.Promote(t.Context()))
	write(t, primary)
}

// With a synchronous standby frozen, a commit waits; once the wait is canceled the commit is told, and
// a warning says what it is not.
func TestSynchronousCommitWaitsForTheStandby(t *testing.T) {
	t.Parallel()
	primary, standby := startPair(t, Options{})
	must(t, primary.Synchronous(t.Context(), "second"))
	write(t, primary)
	must(t, standby.Pause())
	config, err := pgx.ParseConfig(primary.URL(Owner, Database))
	must(t, err)
	var notices []string
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { notices = append(notices, n.Code) }
	conn, err := pgx.ConnectConfig(t.Context(), config)
	must(t, err)
	defer conn.Close(context.Background())
	ended := make(chan error, 1)
	go func() { _, err := conn.Exec(context.Background(), "INSERT INTO written VALUES (2)"); ended <- err }()
	eventually(t, "the wait is canceled", func() bool {
		return query(t, primary.URL(Superuser, Database), `
			SELECT coalesce(bool_or(pg_cancel_backend(pid)), false)::text
			FROM pg_stat_activity WHERE wait_event = 'SyncRep'`) == "true"
	})
	must(t, <-ended)
	if got := strings.Join(notices, " "); got != "01000" {
		t.Errorf("notices of a commit that nobody confirmed: %q", got)
	}
	must(t, standby.Resume())
	write(t, primary)
	must(t, standby.Pause())
	must(t, primary.Synchronous(t.Context()))
	write(t, primary)
	must(t, standby.Resume())
	must(t, primary.AwaitReplay(t.Context(), standby))
	if got := written(t, standby); got != "4" {
		t.Errorf("the standby has %s rows", got)
	}
}

func TestKilledServerStartsAgainAtItsPlace(t *testing.T) {
	t.Parallel()
	s := startIn(t, Options{Dir: usedDir(t), TCP: true, Settings: map[string]string{"synchronous_commit": "on"}})
	url := s.URL(Owner, Database)
	execute(t, url, "CREATE TABLE written (n int)")
	for _, end := range []func() error{s.Kill, s.Crash, func() error { return s.Restart(t.Context()) }} {
		write(t, s)
		begin := time.Now()
		must(t, end())
		select {
		case <-s.Done():
		default:
			must(t, tryConnect(t, url))
		}
		must(t, s.Restart(t.Context()))
		t.Logf("back after %v", time.Since(begin))
	}
	if got := query(t, url, "SELECT count(*)::text FROM written"); got != "3" {
		t.Errorf("%s rows of 3 committed", got)
	}
}

func TestPausedServerAnswersNothingUntilResumed(t *testing.T) {
	t.Parallel()
	s := startIn(t, Options{Dir: usedDir(t)})
	conn, err := pgx.Connect(t.Context(), s.URL(App, Database))
	must(t, err)
	defer conn.Close(context.Background())
	must(t, s.Pause())
	answer := make(chan error, 1)
	go func() { _, err := conn.Exec(context.Background(), "SELECT 1"); answer <- err }()
	select {
	case err := <-answer:
		t.Errorf("it answered: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	must(t, s.Resume())
	must(t, <-answer)
	must(t, s.Pause())
	must(t, s.Stop()) // also when paused
}

func TestInitdbGivesAnIdentityOfItsOwn(t *testing.T) {
	t.Parallel()
	const identity = "SELECT system_identifier::text FROM pg_control_system()"
	a, b := startIn(t, Options{Initdb: true}), startIn(t, Options{})
	if query(t, a.URL(Superuser, Database), identity) == query(t, b.URL(Superuser, Database), identity) {
		t.Error("two servers have one identity")
	}
}
