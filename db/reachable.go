package db

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// reachability tells why no connection became free in time: all of them are busy, or the server does not
// answer.
type reachability struct {
	pool atomic.Pointer[pgxpool.Pool] // nil before it is open
	// trying is when the first attempt to connect began after the last successful one, in nanoseconds since
	// 1970; 0 if there was none.
	trying atomic.Int64
	// connected is when the last attempt succeeded, likewise, and tried what trying was then.
	connected, tried atomic.Int64
	// lost is when the kernel last gave up a connection, likewise.
	lost atomic.Int64
	// storageFull is when the server last refused a write for want of disk space, likewise.
	storageFull atomic.Int64
}

// watch adds what it needs to know to the pool's configuration.
func (r *reachability) watch(config *pgxpool.Config) {
	config.BeforeConnect = func(context.Context, *pgx.ConnConfig) error {
		r.trying.CompareAndSwap(0, time.Now().UnixNano())
		return nil
	}
	after := config.AfterConnect
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		if err := after(ctx, conn); err != nil {
			return err
		}
		if since := r.trying.Swap(0); since != 0 {
			r.tried.Store(since)
			r.connected.Store(time.Now().UnixNano())
		}
		return nil
	}
	config.ShouldPing = func(ctx context.Context, p pgxpool.ShouldPingParams) bool {
		if p.IdleDuration <= time.Second { // pgxpool's own rule
			return false
		}
		if a, ok := ctx.(*acquiring); ok {
			a.pinged = true
		}
		return true
	}
	dial := config.ConnConfig.DialFunc
	config.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &watchedConn{conn, r}, nil
	}
	onError := config.ConnConfig.OnPgError
	config.ConnConfig.OnPgError = func(conn *pgconn.PgConn, err *pgconn.PgError) bool {
		if serverStates[err.Code] == StorageFull {
			r.storageFull.Store(time.Now().UnixNano())
		}
		return onError(conn, err)
	}
}

// watchedConn is a connection whose peer may vanish.
type watchedConn struct {
	net.Conn
	reach *reachability
}

// Read implements net.Conn.
func (c *watchedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.reach.failed(err)
	return n, err
}

// Write implements net.Conn.
func (c *watchedConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.reach.failed(err)
	return n, err
}

// failed closes all connections of the pool if the peer of one has vanished: that of the others is the same
// one, and each would have to find out for itself.
func (r *reachability) failed(err error) {
	if err == nil || !errors.Is(err, syscall.ETIMEDOUT) {
		return
	}
	now, last := time.Now().UnixNano(), r.lost.Load()
	if pool := r.pool.Load(); pool != nil && now-last > int64(time.Second) && r.lost.CompareAndSwap(last, now) {
		pool.Reset()
	}
}

// acquiring is the context of one wait for a connection.
type acquiring struct {
	context.Context
	begun  time.Time
	pinged bool // an idle connection was found, and asked whether the server is there
}

// explain returns the error of a wait that took too long: Unavailable if the server did not answer during all
// of it, Overloaded if all connections were in use.
func (r *reachability) explain(a *acquiring, err error) error {
	if !errors.Is(err, context.DeadlineExceeded) || a.Context.Err() == nil {
		return err
	}
	since := r.trying.Load()
	if since == 0 && r.connected.Load() > a.begun.UnixNano() { // too late for this wait
		since = r.tried.Load()
	}
	if a.pinged || since != 0 && since <= a.begun.Add(connectGrace).UnixNano() {
		return &Error{Code: Unavailable, cause: err}
	}
	return &Error{Code: Overloaded, cause: err}
}

// connectGrace is how much later than the wait for a connection the attempt to open one may begin.
const connectGrace = 50 * time.Millisecond

// storageFullFor is how long /readyz says that the storage is full after a write was refused for that.
const storageFullFor = 3 * time.Second

func (r *reachability) isStorageFull() bool {
	at := r.storageFull.Load()
	return at != 0 && time.Since(time.Unix(0, at)) < storageFullFor
}
