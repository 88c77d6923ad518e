package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"waybill/api"
	"waybill/db"
)

func runServe(ctx context.Context, args []string, out io.Writer) error {
	start := time.Now()
	var s settings
	flags := newFlags("serve", out)
	env := s.register(flags, "127.0.0.1:8080", "127.0.0.1:9090", time.Second, 0)
	env.secret(&s.store.URL, "database-url", "DATABASE_URL", "",
		"the database, as the role waybill_app or one that may become it")
	if err := parse(flags, args); err != nil {
		return err
	}
	if err := cmp.Or(env.err, s.check()); err != nil {
		return err
	}
	if s.store.URL == "" {
		return errors.New("serve needs a database: set DATABASE_URL or --database-url, or run: waybill dev")
	}
	collectLess()
	running, err := open(ctx, s)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "serving %s, ready in %d ms\n", running.url(), time.Since(start).Milliseconds())
	return running.serve(ctx)
}

// server is one that listens.
type server struct {
	settings
	log              *slog.Logger
	store            *db.System
	api              *api.API
	listener, admins net.Listener
	crew             *crew // nil without workers
}

// open connects to the database and listens.
func open(ctx context.Context, s settings) (_ *server, err error) {
	r := &server{settings: s, log: s.logger()}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	metrics := newMetrics()
	s.store.OnTexts = metrics.countTexts
	if r.store, err = openStore(ctx, s.storeConfig()); err != nil {
		return nil, err
	}
	metrics.watch(r.store)
	if r.api, err = api.New(ctx, r.store.Store, s.apiOptions(r.log, metrics.observe)); err != nil {
		return nil, err
	}
	metrics.watchStreams(r.api.OpenStreams, r.api.StreamLag)
	if r.listener, err = net.Listen("tcp", s.addr); err != nil {
		return nil, fmt.Errorf("cannot listen: %w", err)
	}
	if s.adminAddr != "" {
		if r.admins, err = net.Listen("tcp", s.adminAddr); err != nil {
			return nil, fmt.Errorf("cannot listen for the admin port: %w", err)
		}
		admin := &http.Server{Handler: metrics.handler(), ReadHeaderTimeout: headerTimeout,
			ReadTimeout: s.readTimeout, ErrorLog: r.errorLog()}
		go admin.Serve(r.admins) // ends when the listener closes
	}
	if s.workers > 0 {
		if r.crew, err = startCrew(ctx, &s, r.log, metrics); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// collectLess lets the heap grow to five times what lives in it, unless GOGC says
// otherwise. Little does, some MB: at twice as much the garbage collector ran at every
// few hundred requests, for a fifth of their CPU (BenchmarkRequest, GOGC=100 and 400).
func collectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
}

// openStore connects, and makes sure that the schema is one that this program knows.
func openStore(ctx context.Context, c db.Config) (*db.System, error) {
	store, err := db.Open(ctx, c)
	if errors.Is(err, db.ErrNoSchema) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("cannot use the database: %s", oneLine(err))
	}
	if err := store.CheckSchema(ctx); err != nil {
		store.Close()
		return nil, err
	}
	return store, nil
}

// oneLine joins the lines of an error: pgx tells of each address that it tried on one.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

func (r *server) url() string { return "http://" + r.listener.Addr().String() }

func (r *server) adminURL() string {
	if r.admins == nil {
		return ""
	}
	return "http://" + r.admins.Addr().String()
}

// serve answers until ctx ends, then stops in order: readyz says no and the streams
// end, the load balancer has its time to notice, the running requests finish, the
// connections close. The workers stop meanwhile.
func (r *server) serve(ctx context.Context) error {
	defer r.close()
	r.lookAtLogSettings(ctx)
	var draining atomic.Bool
	httpServer := &http.Server{
		Handler:           lastRequests(&draining, r.api),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       r.readTimeout,
		WriteTimeout:      r.settings.api.HandlerTimeout + 20*time.Second, // streams move their own
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          r.errorLog(),
	}
	failed := make(chan error, 1)
	go func() { failed <- httpServer.Serve(r.listener) }()
	select {
	case err := <-failed:
		return errors.Join(err, r.crew.stop())
	case <-ctx.Done():
	}
	r.log.Info("stopping")
	handedBack := make(chan error, 1)
	go func() { handedBack <- r.crew.stop() }()
	draining.Store(true)
	r.api.Drain()
	time.Sleep(r.drain)
	limited, cancel := context.WithTimeout(context.Background(), r.shutdown)
	defer cancel()
	if err := httpServer.Shutdown(limited); err != nil {
		return errors.Join(errors.New("requests were still running at the end"), httpServer.Close(), <-handedBack)
	}
	err := <-handedBack
	r.log.Info("stopped")
	return err
}

// lookAtLogSettings warns where the database's own log would hold what patients' rows
// hold. That log is the operator's: it is said once, and served all the same.
func (r *server) lookAtLogSettings(ctx context.Context) {
	telling, err := r.store.ListTellingLogSettings(ctx)
	if ctx.Err() != nil { // stopped already
		return
	}
	if err != nil {
		r.log.Warn("cannot read how the database logs", "code", db.CodeOf(db.Explain(err)))
		return
	}
	for _, setting := range telling {
		r.log.Warn("the database's log would hold values of patients' rows", "setting",
			setting.Name, "set_it_to", setting.Wanted)
	}
}

// headerTimeout is how long a client may take to say what it wants. The body has until
// --read-timeout: that bounds also the bodies that no operation reads, which package
// http reads on after the handler, before the answer is sent. One that an operation
// reads has [api.Options.BodyTimeout]; a feed has limits of its own. A handler or stream
// that runs longer is not cut: package http drops the limit once it has the whole request.
const headerTimeout = 5 * time.Second

// lastRequests tells clients of a draining server that each answer is the last on its
// connection: one that is closed while a request is under way loses it.
func lastRequests(draining *atomic.Bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// errorLog takes what package http has to say.
func (r *server) errorLog() *log.Logger { return slog.NewLogLogger(r.log.Handler(), slog.LevelWarn) }

func (r *server) close() {
	for _, l := range []net.Listener{r.listener, r.admins} {
		if l != nil {
			l.Close()
		}
	}
	if r.store != nil {
		r.store.Close()
	}
}

// hostname labels the metrics.
func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}
