package replicas

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/api"
	"waybill/db"
	"waybill/db/localpg"
	"waybill/db/seed"
)

// cluster is a primary with two standbys, of which each serves reads and one confirms commits, and a server.
type cluster struct {
	Options
	rand     *rand.Rand
	primary  *localpg.Server
	standbys []*localpg.Server
	store    *db.System
	url      string
	closers  []func() error // in the order in which they were opened
}

func (c *cluster) closing(close func() error) { c.closers = append(c.closers, close) }

func (c *cluster) close() (err error) {
	for i := len(c.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, c.closers[i]())
	}
	return err
}

// confirming is the name of the standby for which commits wait, and which takes over.
const confirming = "one"

func (c *cluster) open(ctx context.Context) (err error) {
	c.primary, err = localpg.Start(ctx, localpg.Options{TCP: true, Settings: map[string]string{
		"synchronous_commit": "on", "wal_retrieve_retry_interval": "100ms"}})
	if err != nil {
		return err
	}
	c.closing(c.primary.Stop)
	if err := db.Migrate(ctx, c.primary.URL(localpg.Owner, localpg.Database)); err != nil {
		return err
	}
	for _, name := range []string{confirming, "two"} {
		standby, err := c.primary.Standby(ctx, name)
		if err != nil {
			return err
		}
		c.closing(standby.Stop)
		c.standbys = append(c.standbys, standby)
	}
	if err := c.primary.Synchronous(ctx, confirming); err != nil {
		return err
	}
	return c.serve(ctx)
}

// late has a standby replay commits later than they were made.
func (c *cluster) late(ctx context.Context, s *localpg.Server, by string) error {
	return s.Set(ctx, map[string]string{"recovery_min_apply_delay": by})
}

// serve starts the server.
func (c *cluster) serve(ctx context.Context) (err error) {
	primaries, err := withHosts(c.primary, c.standbys[0])
	if err != nil {
		return err
	}
	config := db.Config{URL: primaries, MaxConns: 16, IdleConns: 4, AcquireTimeout: 2 * time.Second,
		ReadStale: c.Control, ReplicaWait: 50 * time.Millisecond, ReplicaTimeout: 500 * time.Millisecond}
	for _, s := range c.standbys {
		config.ReplicaURLs = append(config.ReplicaURLs, s.URL(localpg.App, localpg.Database))
	}
	if c.store, err = db.Open(ctx, config); err != nil {
		return err
	}
	c.closing(func() error { c.store.Close(); return nil })
	handler, err := api.New(ctx, c.store.Store, api.Options{})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(listener) // ends when it is closed
	c.closing(server.Close)
	c.url = "http://" + listener.Addr().String()
	return nil
}

// withHosts returns the application's URL of several servers.
func withHosts(servers ...*localpg.Server) (string, error) {
	var hosts []string
	var u *url.URL
	for _, s := range servers {
		var err error
		if u, err = url.Parse(s.URL(localpg.App, localpg.Database)); err != nil {
			return "", err
		}
		hosts = append(hosts, u.Host)
	}
	u.Host = strings.Join(hosts, ",")
	return u.String(), nil
}

// tenant is that of one round.
type tenant struct {
	id           uuid.UUID
	lists        []uuid.UUID // accounts
	admin, staff db.Token
}

const (
	lists     = 30
	firstName = "list"
)

func (c *cluster) newTenant(ctx context.Context) (*tenant, error) {
	conn, err := pgx.Connect(ctx, c.primary.URL(localpg.Owner, localpg.Database))
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	t := &tenant{id: uuid.New()}
	return t, seed.Make(ctx, conn, t.id, func(r *seed.Rows) {
		standard := r.Standard()
		t.admin, t.staff = r.Session(standard.Admin), r.Session(standard.Staff)
		for range lists {
			t.lists = append(t.lists, r.Account(func(p *db.CreateAccountParams) { p.Name = firstName }))
		}
	})
}

// lists returns the lists as they are on the primary at last.
func (c *cluster) lists(ctx context.Context, t *tenant) (map[int][]int, error) {
	conn, err := pgx.Connect(ctx, c.primary.URL(localpg.Owner, localpg.Database))
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	all := map[int][]int{}
	for key, id := range t.lists {
		var name string
		if err := conn.QueryRow(ctx, "SELECT name FROM accounts WHERE id = $1", id).Scan(&name); err != nil {
			return nil, err
		}
		if all[key], err = parseList(name); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// halt has a standby replay nothing more of what is written from now on, until it goes on: however slow the machine
// is, a client that it serves does not read what it has written.
func (c *cluster) halt(ctx context.Context, s *localpg.Server) error {
	if err := c.primary.AwaitReplay(ctx, s); err != nil {
		return err
	}
	return ask(ctx, s, "SELECT pg_wal_replay_pause()")
}

func (c *cluster) goOn(ctx context.Context, s *localpg.Server) error {
	return ask(ctx, s, "SELECT pg_wal_replay_resume()")
}

func ask(ctx context.Context, s *localpg.Server, sql string) error {
	conn, err := pgx.Connect(ctx, s.URL(localpg.Superuser, localpg.Database))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, sql)
	return err
}

// disturb has things happen to the standbys until it is stopped. In the last round the confirming one takes over.
func (c *cluster) disturb(ctx context.Context, stop <-chan struct{}, isLast bool) error {
	if c.Control {
		<-stop
		return c.goOn(ctx, c.standbys[1])
	}
	if isLast {
		return c.failOver(ctx, stop)
	}
	for {
		s := c.standbys[c.rand.IntN(len(c.standbys))]
		if err := c.happen(ctx, s, c.rand.IntN(5), stop); err != nil {
			return err
		}
		select {
		case <-stop:
			return nil
		case <-time.After(time.Duration(c.rand.IntN(200)) * time.Millisecond):
		}
	}
}

// happen has one thing happen to a standby, and ends it.
func (c *cluster) happen(ctx context.Context, s *localpg.Server, what int, stop <-chan struct{}) error {
	begin, end := func() error { return nil }, func() error { return nil }
	switch what {
	case 0: // nothing
	case 1, 2:
		begin = func() error { return c.late(ctx, s, fmt.Sprint(5+c.rand.IntN(500), "ms")) }
		end = func() error { return c.late(ctx, s, "0") }
	case 3:
		begin, end = s.Pause, s.Resume
	case 4:
		begin, end = s.Kill, func() error { return s.Restart(ctx) }
	}
	if err := begin(); err != nil {
		return err
	}
	select {
	case <-stop:
	case <-time.After(time.Duration(100+c.rand.IntN(500)) * time.Millisecond):
	}
	return end()
}

// failOver has the standby that confirms commits take over from the primary, which then follows it.
func (c *cluster) failOver(ctx context.Context, stop <-chan struct{}) error {
	select {
	case <-stop:
	case <-time.After(300 * time.Millisecond):
	}
	if err := c.primary.Kill(); err != nil {
		return err
	}
	former := c.primary
	c.primary = c.standbys[0]
	// It has all that was acknowledged on its disk, and replays it first.
	return errors.Join(c.primary.Promote(ctx), former.Rejoin(ctx, c.primary, "former"))
}
