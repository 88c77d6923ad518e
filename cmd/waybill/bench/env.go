package bench

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"time"

	"waybill/db"
	"waybill/db/localpg"
	"waybill/db/pgproxy"
)

// Env is the environment of a benchmark. Close stops everything that was started.
type Env struct {
	Flags *flag.FlagSet // the common flags; a benchmark adds its own
	Parse func(args []string) error

	out         io.Writer
	json        bool
	databaseURL string
	stops       []func() error
}

// NewEnv returns an environment that reports to out. The flag set must be named after the benchmark. A
// non-empty databaseURL, of the database's owner, is used instead of starting a database.
func NewEnv(out io.Writer, flags *flag.FlagSet, databaseURL string, parse func(args []string) error) *Env {
	e := &Env{Flags: flags, Parse: parse, out: out}
	flags.BoolVar(&e.json, "json", false, "print only lines of JSON")
	flags.StringVar(&e.databaseURL, "database-url", databaseURL,
		"use this database, as its owner; created rows stay (DATABASE_URL; default: start a temporary "+
			"PostgreSQL)")
	flags.Lookup("database-url").DefValue = "" // -h must not print a password
	return e
}

// Close stops everything that was started, in reverse order.
func (e *Env) Close() (err error) {
	for _, stop := range slices.Backward(e.stops) {
		err = errors.Join(err, stop())
	}
	e.stops = nil
	return err
}

// Progress prints progress, unless the output is JSON.
func (e *Env) Progress(format string, args ...any) {
	if !e.json {
		fmt.Fprintf(e.out, format+"\n", args...)
	}
}

// Report prints a result: the value as a line of JSON, or the text.
func (e *Env) Report(value any, text string) error {
	if e.json {
		return json.NewEncoder(e.out).Encode(value)
	}
	_, err := fmt.Fprintln(e.out, text)
	return err
}

// Machine describes the machine of the measurement: figures mean nothing without it.
type Machine struct {
	System     string `json:"system"`
	CPUs       int    `json:"cpus"`
	GOMAXPROCS int    `json:"gomaxprocs"`
	Go         string `json:"go"`
}

// ThisMachine describes the current machine.
func ThisMachine() Machine {
	return Machine{runtime.GOOS + "/" + runtime.GOARCH, runtime.NumCPU(), runtime.GOMAXPROCS(0), runtime.Version()}
}

// Database returns the owner's and the application's URL of a migrated database: the given one, or a
// PostgreSQL that it starts with PostgreSQL's default durability.
func (e *Env) Database(ctx context.Context) (owner, app string, err error) {
	owner, app = e.databaseURL, e.databaseURL
	if owner == "" {
		e.Progress("starting a PostgreSQL with fsync on")
		server, err := localpg.Start(ctx, localpg.Options{
			Durable: true, Settings: map[string]string{"max_connections": "400"}, // 256 callers without batching
		})
		if err != nil {
			return "", "", err
		}
		e.stops = append(e.stops, server.Stop)
		owner, app = server.URL(localpg.Owner, localpg.Database), server.URL(localpg.App, localpg.Database)
	}
	if err := db.Migrate(ctx, owner); err != nil {
		return "", "", fmt.Errorf("cannot migrate: %w", err)
	}
	return owner, app, nil
}

// delayed returns a URL of the database at which each request arrives later.
func (e *Env) delayed(databaseURL string, by time.Duration) (string, error) {
	proxy, err := pgproxy.Start(databaseURL)
	if err != nil {
		return "", err
	}
	proxy.Delay = by
	e.stops = append(e.stops, proxy.Close)
	return proxy.URL(), nil
}

// Serve runs "waybill serve" as a process of its own, so that client and server share no runtime, and
// returns its URL. Its log, only errors, goes to standard error.
func (e *Env) Serve(ctx context.Context, databaseURL string, args ...string) (url string, err error) {
	s, err := e.serve(databaseURL, os.Stderr, append([]string{"--log-level", "error"}, args...))
	if err != nil {
		return "", err
	}
	return s.ready(ctx)
}

func (e *Env) serve(databaseURL string, log *os.File, args []string) (*server, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s, err := startServer(program, databaseURL, log, args)
	if err != nil {
		return nil, err
	}
	e.stops = append(e.stops, s.stop)
	return s, nil
}
