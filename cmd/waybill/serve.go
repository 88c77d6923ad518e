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
	"slices"
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
	env := s.register(flags, defaults{addr: "127.0.0.1:8080", adminAddr: "127.0.0.1:9090", drain: defaultDrain})
	env.secret(&s.store.URL, "database-url", "DATABASE_URL", "",
		"database URL, as the role waybill_app or a member of it")
	if err := parse(flags, args); err != nil {
		return err
	}
	if err := cmp.Or(env.err, s.check()); err != nil {
		return err
	}
	if s.store.URL == "" {
		return errors.New("serve needs a database: set DATABASE_URL or --database-url, or use: waybill dev")
	}
	setGCPercent()
	s.setMemoryLimit()
	running, err := open(ctx, s)
	if err != nil {
		return unlessStopped(ctx, err)
	}
	fmt.Fprintf(out, "serving %s, ready in %d ms\n", running.url(), time.Since(start).Milliseconds())
	return running.serve(ctx)
}

// unlessStopped returns the error with which a process did not start, or nil if it was told to stop meanwhile: nothing
// has begun that could have gone wrong, and the exit code is that of a graceful shutdown.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// defaultDrain is longer than haproxy needs to notice, with its defaults: three checks that fail, every two
// seconds. That of Kubernetes takes no longer.
const defaultDrain = 7 * time.Second

// server is a listening server.
type server struct {
	settings
	log              *slog.Logger
	store            *db.System
	api              *api.API
	listener, admins net.Listener
	workers          *workerPool // nil without workers
}

// open connects to the database and starts to listen.
func open(ctx context.Context, s settings) (_ *server, err error) {
	r := &server{settings: s, log: s.logger()}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	metrics := newMetrics()
	s.store.OnTexts, s.store.Lineage = metrics.countTexts, &db.Lineage{}
	if r.store, err = openStore(ctx, s.storeConfig(), r.log); err != nil {
		return nil, err
	}
	if err := r.store.BeginEventHistory(ctx); err != nil { // such as read-only: the first stream does it
		r.log.Warn("cannot begin the history of events", "code", db.CodeOf(db.Explain(err)))
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
			return nil, fmt.Errorf("cannot listen on the admin port: %w", err)
		}
		admin := &http.Server{Handler: metrics.handler(), ReadHeaderTimeout: headerTimeout,
			ReadTimeout: s.readTimeout, ErrorLog: r.errorLog()}
		go admin.Serve(r.admins) // ends when the listener closes
	}
	if s.workers > 0 {
		if r.workers, err = startWorkers(ctx, &s, r.log, metrics); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// openStore connects, and checks that the schema is one that this program may serve. It warns of one that
// is newer.
func openStore(ctx context.Context, c db.Config, log *slog.Logger) (*db.System, error) {
	store, err := db.Open(ctx, c)
	if errors.Is(err, db.ErrNoSchema) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("cannot use the database: %s", oneLine(err))
	}
	newer, err := store.CheckSchema(ctx)
	if err != nil {
		store.Close()
		return nil, err
	}
	if len(newer) > 0 {
		log.Warn(
			fmt.Sprintf("the schema is newer than this program (%05d), which is within what the gate of migrations "+
				"proved: each of them declares that programs from before it may serve", db.NewestMigration()),
			"migrations", newer)
	}
	return store, nil
}

// oneLine joins the lines of an error and drops repeated ones: pgx prints each attempt to connect, with
// and without TLS, on a line of its own.
func oneLine(err error) string {
	var text strings.Builder
	var lines []string
	for line := range strings.Lines(err.Error()) {
		line = strings.Join(strings.Fields(line), " ")
		if line == "" || slices.Contains(lines, line) {
			continue
		}
		switch so := text.String(); {
		case so == "":
		case strings.HasSuffix(so, ":"):
			text.WriteString(" ")
		default:
			text.WriteString("; ")
		}
		text.WriteString(line)
		lines = append(lines, line)
	}
	return text.String()
}

func (r *server) url() string { return "http://" + r.listener.Addr().String() }

func (r *server) adminURL() string {
	if r.admins == nil {
		return ""
	}
	return "http://" + r.admins.Addr().String()
}

// serve serves until ctx ends, then shuts down gracefully: /readyz fails, and the load balancer has time to
// notice, while requests are answered and their connections closed. Then the streams end, to be opened again
// elsewhere, the running requests finish, and the connections close. The workers stop at the first moment.
func (r *server) serve(ctx context.Context) error {
	defer r.close()
	r.warnAboutLogSettings(ctx)
	var draining atomic.Bool
	httpServer := &http.Server{
		Handler:           closeWhenDraining(&draining, r.api),
		ConnContext:       api.ConnContext,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       r.readTimeout,
		WriteTimeout:      r.settings.api.HandlerTimeout + 20*time.Second, // streams extend their own deadline
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          r.errorLog(),
	}
	failed := make(chan error, 1)
	go func() { failed <- httpServer.Serve(r.listener) }()
	select {
	case err := <-failed:
		return errors.Join(err, r.workers.stop())
	case <-ctx.Done():
	}
	r.log.Info("stopping")
	handedBack := make(chan error, 1)
	go func() { handedBack <- r.workers.stop() }()
	draining.Store(true)
	r.api.Drain()
	time.Sleep(r.drain)
	r.api.EndStreams()
	limited, cancel := context.WithTimeout(context.Background(), r.shutdown)
	defer cancel()
	if err := httpServer.Shutdown(limited); err != nil {
		return errors.Join(errors.New("requests were still running at shutdown"), httpServer.Close(), <-handedBack)
	}
	err := <-handedBack
	r.log.Info("stopped")
	return err
}

// warnAboutLogSettings warns if the database's own log would contain patient data. That log is the
// operator's responsibility: the server warns once, and serves all the same.
func (r *server) warnAboutLogSettings(ctx context.Context) {
	leaky, err := r.store.ListLeakyLogSettings(ctx)
	if ctx.Err() != nil { // already stopping
		return
	}
	if err != nil {
		r.log.Warn("cannot read the log settings of the database", "code", db.CodeOf(db.Explain(err)))
		return
	}
	for _, setting := range leaky {
		r.log.Warn("the log of the database would contain patient data", "setting",
			setting.Name, "set_it_to", setting.Wanted)
	}
}

// headerTimeout is how long a client may take to send the headers. --read-timeout bounds the body, also
// of requests whose operation reads no body, which package http drains after the handler, before the
// answer is sent. Operations that read a body have [api.Options.BodyTimeout]; a feed has limits of its
// own. A handler or stream that runs longer is not cut off: package http clears the deadline once it
// has the whole request.
const headerTimeout = 5 * time.Second

// closeWhenDraining adds "Connection: close" to the answers of a draining server: a request that is under
// way when its connection closes would be lost.
func closeWhenDraining(draining *atomic.Bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// errorLog returns the logger for package http.
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

// hostname returns a label for the metrics.
func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}
