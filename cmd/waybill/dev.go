package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"waybill/api"
	"waybill/db"
	"waybill/db/localpg"
)

func runDev(ctx context.Context, args []string, out io.Writer) error {
	var s settings
	s.webhookPrivate = true // a receiver on this machine
	flags := newFlags("dev", out)
	env := s.register(flags, defaults{addr: "127.0.0.1:8080", origins: api.LoopbackOrigins, workers: 8})
	s.logTexts = true
	env.secret(&s.store.URL, "database-url", "DATABASE_URL", "",
		"use this database, as its owner, instead of starting one")
	data := flags.String("data", "", "data folder of the database (default: in the user's cache folder)")
	readyFile := flags.String("ready-file", "",
		"write the URLs and a session of each role to this file once the server is ready")
	pickups := flags.Bool("pickups", false, "load a day's pickups, too, in each status")
	if err := parse(flags, args); err != nil {
		return err
	}
	if err := cmp.Or(env.err, s.check()); err != nil {
		return err
	}
	s.adminAddr = cmp.Or(s.adminAddr, "127.0.0.1:0")
	if err := removeReadyFile(*readyFile); err != nil {
		return err
	}
	ctx = untilParentEnds(ctx)
	owner, server, err := devDatabase(ctx, &s, *data)
	if err != nil {
		return unlessStopped(ctx, err)
	}
	if server == nil {
		return dev(ctx, s, owner, devOptions{pickups: *pickups, readyFile: *readyFile}, out)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		<-server.Done()
		cancel(errDatabaseEnded)
	}()
	err = dev(ctx, s, owner, devOptions{own: true, pickups: *pickups, readyFile: *readyFile}, out)
	if errors.Is(context.Cause(ctx), errDatabaseEnded) {
		err = errDatabaseEnded
	}
	return errors.Join(err, server.Stop())
}

// errDatabaseEnded means that the database was stopped from outside.
var errDatabaseEnded = errors.New("the database has stopped; see its log in the data folder")

// removeReadyFile removes the ready file of an earlier run, so that nobody mistakes it for this run's.
func removeReadyFile(readyFile string) error {
	if readyFile == "" {
		return nil
	}
	if err := os.Remove(readyFile); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// devDatabase returns the owner's URL of the database to use and sets the application's. It starts a
// server unless a database is configured.
func devDatabase(ctx context.Context, s *settings, data string) (owner string, server *localpg.Server, err error) {
	if s.store.URL != "" {
		return s.store.URL, nil, nil
	}
	if data == "" {
		if data, err = localpg.DefaultDir(); err != nil {
			return "", nil, err
		}
	}
	server, err = localpg.Start(ctx, localpg.Options{Dir: data, TCP: true, Durable: true})
	if err != nil {
		return "", nil, err
	}
	s.store.URL = server.URL(localpg.App, localpg.Database)
	return server.URL(localpg.Owner, localpg.Database), server, nil
}

type devOptions struct {
	own       bool // the command started the database itself
	pickups   bool // load some, too
	readyFile string
}

// dev migrates, loads the demo tenant and serves.
func dev(ctx context.Context, s settings, owner string, o devOptions, out io.Writer) error {
	running, users, demo, err := openDemo(ctx, s, owner, o)
	if err != nil {
		return unlessStopped(ctx, err)
	}
	served := make(chan error, 1)
	serving, stop := context.WithCancel(ctx)
	defer stop()
	go func() { served <- running.serve(serving) }()
	r := ready{running.url(), running.adminURL(), owner, demoSlug, demo.tenantID, users}
	if err := announce(r, withoutPassword(owner, o.own), o.readyFile, out); err != nil {
		stop()
		return errors.Join(err, <-served)
	}
	return <-served
}

// openDemo migrates, loads the demo tenant and opens a server.
func openDemo(ctx context.Context, s settings, owner string, o devOptions) (
	running *server, users []readyUser, made demo, err error,
) {
	if err := db.Migrate(ctx, owner); err != nil {
		return nil, nil, made, fmt.Errorf("cannot migrate: %w", err)
	}
	if made, err = loadDemo(ctx, owner, int(s.passwordCost)); err != nil {
		return nil, nil, made, fmt.Errorf("cannot load the demo tenant: %w", err)
	}
	loads := []demoLoad{loadDemoAppointments}
	if o.pickups {
		loads = append(loads, loadDemoPickups)
	}
	if users, err = loadDemoSessions(ctx, s.storeConfig(), made, loads...); err != nil {
		return nil, nil, made, fmt.Errorf("cannot load the demo tenant's days and sessions: %w", err)
	}
	running, err = open(ctx, s)
	return running, users, made, err
}

// ready is the content of the ready file.
type ready struct {
	URL         string      `json:"url"`
	AdminURL    string      `json:"admin_url"`
	DatabaseURL string      `json:"database_url"`
	Tenant      string      `json:"tenant"`
	TenantID    uuid.UUID   `json:"tenant_id"`
	Users       []readyUser `json:"users"`
}

type readyUser struct {
	Email    string      `json:"email"`
	Password string      `json:"password"`
	Role     db.UserRole `json:"role"`
	Token    db.Token    `json:"token"`
}

// demoLoad loads rows that change from day to day into the demo tenant.
type demoLoad func(context.Context, *db.System, demo) error

// loadDemoSessions loads rows and creates a session for each role, as the application's role, with longer timeouts than
// for requests.
func loadDemoSessions(
	ctx context.Context, c db.Config, demo demo, loads ...demoLoad,
) (users []readyUser, err error) {
	c.AcquireTimeout = time.Minute
	store, err := openStore(ctx, c, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	defer store.Close()
	for _, load := range loads {
		if err := load(ctx, store, demo); err != nil {
			return nil, err
		}
	}
	for _, u := range demo.users {
		token, _, err := store.OpenSession(ctx, demo.tenantID, u.ID, u.PasswordHash, 30*24*time.Hour)
		if err != nil {
			return nil, err
		}
		users = append(users, readyUser{u.Email, demoPassword, u.Role, token})
	}
	return users, nil
}

// withoutPassword returns a URL for display. It keeps the password only for dev's own database, which
// is not reachable from elsewhere.
func withoutPassword(address string, own bool) string {
	if own {
		return address
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme == "" || u.Query().Has("password") {
		return "that of DATABASE_URL"
	}
	return u.Redacted()
}

func announce(r ready, database, readyFile string, out io.Writer) error {
	fmt.Fprintf(out, `
Waybill serves %[1]s
  documentation   %[1]s/docs
  OpenAPI         %[1]s/openapi.json
  metrics         %[2]s/metrics
  database        %[3]s

Log in to the tenant "%[4]s" with the password "%[5]s" as any of:
`, r.URL, r.AdminURL, database, r.Tenant, demoPassword)
	for _, u := range r.Users {
		fmt.Fprintf(out, "  %-11s %s\n", u.Role, u.Email)
	}
	fmt.Fprintf(out, `
  curl -s %s/v1/sessions -H 'Content-Type: application/json' \
    -d '{"tenant":"%s","email":"%s","password":"%s"}'

Ctrl-C stops it, or from another terminal: kill %d; the data is kept for the next start.
`, r.URL, r.Tenant, r.Users[1].Email, demoPassword, os.Getpid())
	if readyFile == "" {
		return nil
	}
	return writeAtomically(readyFile, r)
}

// writeAtomically writes the file atomically, by a rename: a reader never sees half of it.
func writeAtomically(name string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(text)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), name)
}
