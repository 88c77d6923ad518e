package faults

import (
	"context"
	_ "embed" // check.sql
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
	"waybill/db/localpg"
	"waybill/db/seed"
)

// stage is a cluster with a tenant, and a server process.
type stage struct {
	Options
	layout
	rand *rand.Rand

	primary, standby *localpg.Server // standby is nil without one
	reader           *localpg.Server // another standby; nil without one
	patroni          *patroni        // in place of both; nil without
	link             *link           // nil without one
	poolerURL        string          // "" without one
	disk             string          // where a small one is mounted; "" without
	program          *program
	closers          []func() error // in the order in which they were opened

	facility          uuid.UUID
	accounts          []uuid.UUID
	admin, dispatcher db.Token
}

// open starts everything.
func (s *stage) open(ctx context.Context) error {
	for _, open := range []func(context.Context) error{
		s.openDisk, s.openPrimary, s.moveTables, s.fill, s.openStandby, s.openReader, s.openLink, s.openPooler,
		s.openProgram, s.awaitReaders,
	} {
		if err := open(ctx); err != nil {
			return err
		}
	}
	return nil
}

// close stops everything.
func (s *stage) close() (err error) {
	for len(s.closers) > 0 {
		last := len(s.closers) - 1
		err = errors.Join(err, s.closers[last]())
		s.closers = s.closers[:last]
	}
	return err
}

func (s *stage) closing(close func() error) { s.closers = append(s.closers, close) }

// url is that of whichever server takes writes.
func (s *stage) url(role, database string) string {
	if s.patroni != nil {
		return s.patroni.url(role, database)
	}
	return s.primary.URL(role, database)
}

func (s *stage) openPrimary(ctx context.Context) (err error) {
	if s.supervised {
		if err := s.openPatroni(ctx); err != nil {
			return err
		}
		return db.Migrate(ctx, s.url(localpg.Owner, localpg.Database))
	}
	o := localpg.Options{TCP: true, Durable: !s.Short, Settings: map[string]string{
		"synchronous_commit": "on",
		// How long a standby waits before it connects again, and all commits with it: 5 s by default.
		"wal_retrieve_retry_interval": "100ms",
	}}
	if s.smallServer {
		o.Dir = filepath.Join(s.disk, "primary")
	}
	s.primary, err = localpg.Start(ctx, o)
	if err != nil {
		return err
	}
	s.closing(s.primary.Stop)
	return db.Migrate(ctx, s.primary.URL(localpg.Owner, localpg.Database))
}

// fill makes a tenant whose accounts can pay for whatever the load asks for.
func (s *stage) fill(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.url(localpg.Owner, localpg.Database))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return seed.Make(ctx, conn, uuid.New(), func(r *seed.Rows) {
		standard := r.Standard()
		s.facility = standard.Facility
		s.admin, s.dispatcher = r.Session(standard.Admin), r.Session(standard.Dispatcher)
		for range s.accountsFor() {
			account := r.Account()
			r.Deposit(seed.Deposit{Account: account, Cents: plenty, ActorID: standard.Admin.UserID})
			s.accounts = append(s.accounts, account)
		}
	})
}

// standbyName is that of whichever server is the standby.
const standbyName = "standby"

func (s *stage) openStandby(ctx context.Context) (err error) {
	if !s.layout.standby {
		return nil
	}
	if s.standby, err = s.primary.Standby(ctx, standbyName); err != nil {
		return err
	}
	s.closing(s.standby.Stop)
	return s.synchronize(ctx)
}

func (s *stage) synchronize(ctx context.Context) error {
	if !s.synchronous {
		return nil
	}
	return s.primary.Synchronous(ctx, standbyName)
}

// promote makes the standby the primary, and the former primary its standby.
func (s *stage) promote(ctx context.Context) error {
	if err := s.standby.Promote(ctx); err != nil {
		return err
	}
	s.primary, s.standby = s.standby, s.primary
	if err := s.standby.Rejoin(ctx, s.primary, standbyName); err != nil {
		return err
	}
	return s.synchronize(ctx)
}

func (s *stage) openLink(context.Context) (err error) {
	if !s.linked {
		return nil
	}
	u, err := url.Parse(s.primary.URL(localpg.App, localpg.Database))
	if err != nil {
		return err
	}
	if s.link, err = newLink(u.Port()); err != nil {
		return err
	}
	s.closing(s.link.close)
	return nil
}

func (s *stage) openProgram(ctx context.Context) error {
	databaseURL, err := s.databaseURL()
	if err != nil {
		return err
	}
	if s.program, err = newProgram(s.Options, databaseURL, s.replicas); err != nil {
		return err
	}
	s.closing(s.program.kill)
	return s.program.start(ctx)
}

// databaseURL names both servers of a cluster: the one that takes writes is found.
func (s *stage) databaseURL() (string, error) {
	if s.poolerURL != "" {
		return s.poolerURL, nil
	}
	if s.patroni != nil {
		return s.url(localpg.App, localpg.Database), nil
	}
	u, err := url.Parse(s.primary.URL(localpg.App, localpg.Database))
	if err != nil {
		return "", err
	}
	hosts := []string{u.Host}
	if s.link != nil {
		hosts = []string{s.link.address()}
	}
	if s.standby != nil {
		other, err := url.Parse(s.standby.URL(localpg.App, localpg.Database))
		if err != nil {
			return "", err
		}
		hosts = append(hosts, other.Host)
	}
	u.Host = strings.Join(hosts, ",")
	return u.String(), nil
}

// terminate ends the server's sessions.
func (s *stage) terminate(ctx context.Context) error {
	return s.ask(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'waybill'`)
}

// ask runs a statement as the superuser, on a connection of its own.
func (s *stage) ask(ctx context.Context, sql string) error {
	return s.askIn(ctx, localpg.Database, sql)
}

func (s *stage) askIn(ctx context.Context, database, sql string) error {
	return askAt(ctx, s.url(localpg.Superuser, database), sql)
}

func askAt(ctx context.Context, url, sql string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, sql)
	return err
}

//go:embed check.sql
var check string

// compare counts what is lost and doubled of the acknowledged writes.
func (s *stage) compare(ctx context.Context, l *load, r *Result) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.url(localpg.Superuser, localpg.Database))
	if err != nil {
		return fmt.Errorf("the comparison: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := conn.QueryRow(ctx, check, l.charges, l.pickups, l.submits).Scan(&r.Lost, &r.Doubled); err != nil {
		return fmt.Errorf("the comparison: %w", err)
	}
	return nil
}
