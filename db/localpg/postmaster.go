package localpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// postmaster is the content of postmaster.pid.
type postmaster struct {
	pid       int
	socketDir string
	port      string
	ready     bool
}

// postmaster reads postmaster.pid; ok is false if it is missing or incomplete.
func (f *folder) postmaster() (p postmaster, ok bool) {
	text, err := os.ReadFile(f.pidFile())
	lines := strings.Split(string(text), "\n")
	if err != nil || len(lines) < 5 {
		return p, false
	}
	p.pid, err = strconv.Atoi(lines[0])
	p.port, p.socketDir = lines[3], lines[4]
	p.ready = len(lines) >= 8 && strings.TrimSpace(lines[7]) == "ready"
	return p, err == nil
}

func (f *folder) pidFile() string { return filepath.Join(f.data(), "postmaster.pid") }

// condition is the state behind a postmaster.pid whose process is alive.
type condition int

const (
	silent  condition = iota // no server answers: it crashed, and another program has its pid
	passing                  // it is starting or shutting down
	serving
)

// gracePeriod is how long each condition must last before it is acted on. A server whose process was just
// killed still serves for a moment, then shuts down.
var gracePeriod = map[condition]time.Duration{
	silent:  time.Second,
	passing: 30 * time.Second,
	serving: 2 * time.Second,
}

// condition probes the server; any answer but "not now" means that it serves.
func (p postmaster) condition(ctx context.Context) condition {
	config, err := pgconn.ParseConfig(fmt.Sprintf("host='%s' port=%s user=%s", p.socketDir, p.port, Superuser))
	if err != nil {
		return silent
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err == nil {
		defer conn.Close(ctx)
		return serving
	}
	refusal, ok := errors.AsType[*pgconn.PgError](err)
	switch {
	case !ok:
		return silent
	case refusal.Code == "57P03": // cannot_connect_now
		return passing
	default:
		return serving
	}
}

// running reports whether a server uses the folder's data.
func (f *folder) running() bool {
	p, ok := f.postmaster()
	return ok && alive(p.pid) && p.condition(context.Background()) != silent
}

// awaitFree waits until the server of a killed process has ended. It returns [ErrInUse] if a server
// keeps running, such as one started by hand.
func (f *folder) awaitFree(ctx context.Context) error {
	since, last := time.Now(), silent
	for {
		p, ok := f.postmaster()
		if !ok || !alive(p.pid) {
			return nil
		}
		c := p.condition(ctx)
		if c != last {
			since, last = time.Now(), c
		}
		if time.Since(since) > gracePeriod[c] {
			return f.conclude(p, c)
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// conclude removes the postmaster.pid of a crashed server whose pid was reused, which is common in
// containers: PostgreSQL would refuse to start. PostgreSQL still checks its shared memory afterwards.
func (f *folder) conclude(p postmaster, c condition) error {
	if c == silent {
		return os.Remove(f.pidFile())
	}
	return fmt.Errorf("%s is %w by a PostgreSQL that runs already (process %d)", f.path, ErrInUse, p.pid)
}
