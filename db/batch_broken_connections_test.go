package db_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"

	"waybill/db"
	"waybill/db/dbtest"
)

// proxy is a TCP proxy between a store and its database that breaks connections.
type proxy struct {
	target *pgconn.Config
	listen net.Listener
	cut    atomic.Int32 // how many of the next answers are lost, after their commit
	lost   atomic.Int32 // how many were
}

// overProxy is the application_name of the sessions that come through a proxy, which identifies them
// whatever their role.
const overProxy = "over the proxy"

// unreliable returns the address of a proxy to the test's database.
func unreliable(t *testing.T, d *dbtest.DB) (p *proxy, address string) {
	t.Helper()
	target, err := pgconn.ParseConfig(d.AppURL)
	if err != nil {
		t.Fatal(err)
	}
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listen.Close() })
	p = &proxy{target: target, listen: listen}
	go p.accept()
	u, err := url.Parse(d.AppURL)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = listen.Addr().String()
	query := u.Query()
	query.Del("host")
	query.Del("port")
	query.Set("sslmode", "disable")
	query.Set("application_name", overProxy)
	u.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20")
	return p, u.String()
}

func (p *proxy) accept() {
	for {
		client, err := p.listen.Accept()
		if err != nil {
			return
		}
		go p.carry(client)
	}
}

// ready is the last message of an answer: ReadyForQuery, outside of a transaction.
var ready = []byte{'Z', 0, 0, 0, 5, 'I'}

// carry copies bytes both ways. An answer that is to be lost is held back, and the connection closed once
// the server has committed.
func (p *proxy) carry(client net.Conn) {
	defer client.Close()
	network, address := pgconn.NetworkAddress(p.target.Host, p.target.Port)
	server, err := net.Dial(network, address)
	if err != nil {
		return
	}
	defer server.Close()
	var executes atomic.Bool
	go func() {
		buffer := make([]byte, 64<<10)
		for {
			n, err := client.Read(buffer)
			if n > 0 {
				// A message that executes a statement begins with Bind; a message that prepares it does not.
				executes.Store(buffer[0] == 'B' || bytes.HasSuffix(buffer[:n], []byte("commit\x00")))
				server.Write(buffer[:n])
			}
			if err != nil {
				server.Close()
				return
			}
		}
	}()
	buffer := make([]byte, 64<<10)
	losing := false
	for {
		n, err := server.Read(buffer)
		if n > 0 && !losing && executes.Load() && p.lose() {
			losing = true
			p.lost.Add(1)
			client.Close()
		}
		if losing && bytes.HasSuffix(buffer[:n], ready) || err != nil {
			return
		}
		if !losing {
			client.Write(buffer[:n])
		}
	}
}

// lose reports whether this answer is to be lost, and counts it.
func (p *proxy) lose() bool {
	for {
		n := p.cut.Load()
		if n <= 0 {
			return false
		}
		if p.cut.CompareAndSwap(n, n-1) {
			return true
		}
	}
}

func TestAnswerLostAfterTheCommitIsResolvedAsSuccess(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := openBatching(t)
	p, address := unreliable(t, d.DB)
	for _, oneByOne := range []bool{false, true} {
		s := openStore(t, db.Config{URL: address, AcquireTimeout: 5 * time.Second, OneByOne: oneByOne})
		w := d.fixture(ctx)
		var acts []act
		account := w.fundedAccount(ctx, 8*10)
		for range 8 {
			e := charge(account, 10)
			acts = append(acts, func(s *db.Raw) error {
				_, replayed, err := s.Enter(ctx, w.admin, e)
				if err == nil && replayed {
					err = errors.New("it is reported as a replay")
				}
				return err
			})
		}
		for range 4 {
			driver := w.driver(ctx, 37.77, -122.42)
			acts = append(acts,
				w.moving(ctx, "submit", w.pickup(ctx)),
				w.assigning(ctx, w.submitted(ctx), driver),
				w.moving(ctx, "cancel", w.submitted(ctx)),
				w.creating(ctx, w.draft()),
				func(s *db.Raw) error {
					_, applied, err := s.Locate(ctx, w.dispatcher, db.Location{DriverID: driver.DriverID,
						Latitude: 1, Longitude: 2, At: time.Now().Add(time.Minute)})
					if err == nil && !applied {
						err = errors.New("the location is reported as older than itself")
					}
					return err
				})
		}
		rand.Shuffle(len(acts), func(i, j int) { acts[i], acts[j] = acts[j], acts[i] })
		for some := range slices.Chunk(acts, 7) {
			// Fewer than a request's own attempts, in case one request loses them all.
			p.cut.Store(db.Attempts - 1)
			for _, err := range together(len(some), func(i int) error { return some[i](s) }) {
				if err != nil {
					t.Error(err)
				}
			}
		}
		w.driver(ctx, 37.77, -122.42)
		submitted := w.submitted(ctx)
		p.cut.Store(1)
		if err := w.moving(ctx, "dispatch", submitted)(s); err != nil {
			t.Error("dispatch: ", err)
		}
		if p.cut.Store(0); p.lost.Load() == 0 {
			t.Error("no answer was lost")
		}
		if err := w.expectBalance(ctx, account, 0); err != nil {
			t.Error(err)
		}
	}
}

// breakConnections cuts connections, and terminates sessions in the middle of a statement, until the end.
func breakConnections(ctx context.Context, d *database, p *proxy, end time.Time) {
	for time.Now().Before(end) {
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
		if rand.IntN(2) == 0 {
			p.cut.Store(1)
			continue
		}
		d.Owner().Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND application_name = $1 AND state = 'active' LIMIT 1`, overProxy)
	}
}

// persistent callers retry a request until it is answered.
type persistent struct {
	s                 *db.Raw
	tried, unanswered atomic.Int64
}

func (p *persistent) until(act act) error {
	for range 100 {
		p.tried.Add(1)
		err := act(p.s)
		switch code(err) {
		case db.Unavailable, db.Overloaded, db.Timeout:
			p.unanswered.Add(1)
			time.Sleep(time.Millisecond)
		default:
			return err
		}
	}
	return errUnanswered
}

// Connections break at any moment, and answers are lost after their commit: a caller who retries until
// there is an answer finds each request applied once.
func TestBrokenConnectionsLoseNothingAndDoNothingTwice(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := openBatching(t)
	w := d.fixture(ctx)
	p, address := unreliable(t, d.DB)
	s := openStore(t, db.Config{URL: address, AcquireTimeout: 5 * time.Second})
	account := w.fundedAccount(ctx, 1_000_000)
	drivers := w.drivers(ctx, 8)
	end := time.Now().Add(200*time.Millisecond + time.Duration(dbtest.Rounds(800))*time.Millisecond)
	var breaking sync.WaitGroup
	defer breaking.Wait()
	breaking.Go(func() { breakConnections(ctx, d, p, end) })
	caller := &persistent{s: s}
	var rounds atomic.Int64
	for _, err := range together(len(drivers), func(i int) error {
		for time.Now().Before(end) {
			id := w.draft(paidBy(account), costing(10))
			e := charge(account, 3)
			steps := []act{
				func(s *db.Raw) error { return created(ctx, s, w.staff, []db.Draft{id}) },
				w.moving(ctx, "submit", id.ID, withKey("1")),
				w.assigning(ctx, id.ID, drivers[i], withKey("2")),
				w.moving(ctx, "release", id.ID, withKey("3")),
				func(s *db.Raw) error { return enter(ctx, s, w.admin, e) },
			}
			for n, step := range steps {
				if err := caller.until(step); err != nil {
					return fmt.Errorf("step %d: %w", n, err)
				}
			}
			rounds.Add(1)
			// Read as the owner, whose sessions are not terminated.
			row := scan[string](ctx, w.owner,
				"SELECT version || ' ' || status FROM pickups WHERE tenant_id = $1 AND id = $2", w.tenant, id.ID)
			if row != "4 SUBMITTED" {
				return errors.New(row)
			}
		}
		return nil
	}) {
		if err != nil {
			t.Error(err)
		}
	}
	if err := w.expectBalance(ctx, account, 1_000_000-(10+3)*rounds.Load()); err != nil {
		t.Error(err)
	}
	t.Logf("%d rounds, %d tries, %d without an answer", rounds.Load(), caller.tried.Load(), caller.unanswered.Load())
	if rounds.Load() == 0 || caller.unanswered.Load() == caller.tried.Load() {
		t.Error("too few rounds to test anything")
	}
}

var errUnanswered = errors.New("no answer in a hundred tries")

// A request is dropped with its caller before its batch starts; after that, its write stands.
func TestDisconnectCancelsOnlyAWaitingRequest(t *testing.T) {
	ctx, w := batchingFixture(t)
	before, neighbour := w.pickup(ctx), w.pickup(ctx)
	leaving := func(ctx context.Context, id uuid.UUID) act {
		return func(s *db.Raw) error { return move(ctx, s, w.dispatcher, "submit", id) }
	}
	early, leave := context.WithCancel(ctx)
	f := w.flushing()
	s := db.BatchingOver(f)
	errs := w.sharingOver(s, f, "transition", w.blockerMoves(ctx, "submit", "DRAFT"),
		leaving(early, before),
		func(s *db.Raw) error { leave(); return w.moving(ctx, "submit", neighbour)(s) })
	if err := first(refused(errs[0], db.Timeout), errs[1], w.expect(ctx, before, "DRAFT"),
		w.expect(ctx, neighbour, "SUBMITTED")); err != nil {
		t.Error(err)
	}

	// The batch waits for the account while one of its callers disconnects.
	tx := must(w.owner.Begin(ctx))
	defer tx.Rollback(ctx)
	fundedAccount := w.fundedAccount(ctx, 10_000)
	must(tx.Exec(ctx, "SELECT FROM accounts WHERE id = $1 FOR UPDATE", fundedAccount))
	after, neighbour := w.pickup(ctx, paidBy(fundedAccount)), w.pickup(ctx, paidBy(fundedAccount))
	late, leave := context.WithCancel(ctx)
	left := make(chan error, 1)
	done := make(chan []error)
	f.hold()
	go func() {
		done <- w.sharingOver(s, f, "transition", w.blockerMoves(ctx, "submit", "DRAFT"),
			func(s *db.Raw) error { err := leaving(late, after)(s); left <- err; return nil },
			w.moving(ctx, "submit", neighbour))
	}()
	w.awaitBlockedBy(ctx, tx)
	leave()
	if err := refused(<-left, db.Timeout); err != nil {
		t.Error(err)
	}
	w.must(tx.Rollback(ctx))
	if err := first(first(<-done...), w.expect(ctx, after, "SUBMITTED"),
		w.expect(ctx, neighbour, "SUBMITTED")); err != nil {
		t.Error(err)
	}
}

// One session after the other is terminated, whatever it does: a refused write has no effect, any other
// has taken effect.
func TestAnswersAreTrueWhenBackendsAreTerminated(t *testing.T) {
	ctx, w := batchingFixture(t)
	account := w.fundedAccount(ctx, 1_000_000)
	var entries sync.Map
	stop := make(chan struct{})
	var terminated atomic.Int64
	var killer sync.WaitGroup
	killer.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				// As the owner: if DATABASE_URL is a superuser's, waybill_app may not terminate the
				// sessions.
				ended, err := w.owner.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
					WHERE datname = current_database() AND state = 'active' AND query LIKE '%CreateLedgerEntries%'
					    AND pid <> pg_backend_pid() LIMIT 1`)
				if err != nil {
					t.Error(err)
					return
				}
				terminated.Add(ended.RowsAffected())
			}
		}
	})
	enough, end := int64(dbtest.Rounds(20)), time.Now().Add(2*time.Minute)
	together(16, func(int) error {
		for terminated.Load() < enough && time.Now().Before(end) {
			e := charge(account, 1)
			entries.Store(e.ID, code(enter(ctx, w.Raw, w.admin, e)))
		}
		return nil
	})
	close(stop)
	killer.Wait()
	told := map[db.Code]int{}
	for id, c := range entries.Range {
		told[c.(db.Code)]++
		there := scan[bool](ctx, w.owner, "SELECT EXISTS (SELECT FROM ledger_entries WHERE tenant_id = $1 AND id = $2)",
			w.tenant, id)
		if c == "" && !there || c == db.InsufficientFunds {
			t.Errorf("the answer is %q, and the row exists: %t", c, there)
		}
	}
	t.Logf("%v, and %d sessions ended", told, terminated.Load())
	if told[""] == 0 || terminated.Load() < enough {
		t.Error("too few rounds to test anything")
	}
}
