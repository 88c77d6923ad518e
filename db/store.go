package db

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"

	"waybill/db/quota"
)

// AppRole is the database role that everything but the migrations runs as: neither
// the owner of the schema nor a superuser.
const AppRole = "waybill_app"

// Config says how to reach the database. Its zero times are sensible ones, each
// shorter than the one outside it.
type Config struct {
	URL              string
	MaxConns         int32         // 0: 16
	IdleConns        int32         // as many are kept ready, where MaxConns allows; 0: none
	StatementTimeout time.Duration // of one statement, waiting included; 0: 5 s
	LockTimeout      time.Duration // of one wait for a lock; 0: 3 s
	AcquireTimeout   time.Duration // of the wait for a connection; 0: 250 ms
	OneByOne         bool          // concurrent requests do not share statements
	ConnsPerTenant   int32         // that one tenant's requests hold at once; 0: three quarters of MaxConns
	ConnsPerUser     int32         // that one user's requests hold at once; 0: half of MaxConns

	// OnTexts, if set, is told how many texts a statement's transitions owed, and how
	// many of those the tenants' flags let through.
	OnTexts func(owed, enqueued int)
}

// Store is the database as the application sees it: the generated queries, each
// taking a connection for as long as it runs, and a few methods that say what a
// lost write means.
type Store struct {
	*Queries
	viewing func(Viewer, []queued) DBTX // where the statements of one viewer go, with what comes after each
	conns   pooled
	onTexts func(owed, enqueued int)

	combined
}

// Open connects as the application's role. It fails if the database cannot be
// reached, or if the connection would be an owner's or a superuser's all the same.
func Open(ctx context.Context, c Config) (*Store, error) {
	config, err := pgxpool.ParseConfig(c.URL)
	if err != nil {
		return nil, fmt.Errorf("the URL (DATABASE_URL) %w", withoutPassword(err))
	}
	config.MaxConns = cmp.Or(c.MaxConns, 16)
	config.MinIdleConns = min(c.IdleConns, config.MaxConns)
	config.PingTimeout = time.Second
	settings := config.ConnConfig.RuntimeParams
	maps.Copy(settings, SessionSettings(c))
	if settings["application_name"] == "" {
		settings["application_name"] = "waybill"
	}
	config.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		registerUUIDs(conn.TypeMap())
		registerTimes(conn.TypeMap())
		return CheckEncoding(conn.PgConn())
	}
	dropReadOnlySessions(&config.ConnConfig.Config)
	// A caller who goes away cancels the query on the server; the connection lives on.
	config.ConnConfig.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: 5 * time.Second}
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, withoutPassword(ConnectAdvice(err, &config.ConnConfig.Config))
	}
	p := pooled{pool, cmp.Or(c.AcquireTimeout, 250*time.Millisecond), quota.New(connLimits(config.MaxConns, c))}
	s := newStore(confirming{p, p.take}, p.as, c.OneByOne)
	s.conns, s.onTexts = p, c.OnTexts
	return s, nil
}

// SessionSettings are those of each of the store's connections.
func SessionSettings(c Config) map[string]string {
	return map[string]string{
		"role":                          AppRole,
		"default_transaction_isolation": "read committed",
		"statement_timeout":             milliseconds(cmp.Or(c.StatementTimeout, 5*time.Second)),
		"lock_timeout":                  milliseconds(cmp.Or(c.LockTimeout, 3*time.Second)),
		// An open transaction that wrote an event holds back the event stream.
		"idle_in_transaction_session_timeout": milliseconds(cmp.Or(c.StatementTimeout, 5*time.Second)),
		"timezone":                            "UTC",
		"jit":                                 "off", // for statements of milliseconds, compiling costs more than it saves
	}
}

// newStore is a store whose statements go to q, and those of one viewer elsewhere.
func newStore(q DBTX, viewing func(Viewer, []queued) DBTX, oneByOne bool) *Store {
	s := &Store{Queries: New(q), viewing: viewing}
	s.combined = combine(s, oneByOne)
	return s
}

// Close waits for the running queries and closes the connections.
func (s *Store) Close() { s.conns.pool.Close() }

// Pool gives the connections themselves, to River, whose statements are its own.
func (s *Store) Pool() *pgxpool.Pool { return s.conns.pool }

// Ping asks whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.conns.pool.Ping(ctx) }

// Stat tells how the connections are used, for the metrics.
func (s *Store) Stat() *pgxpool.Stat { return s.conns.pool.Stat() }

// connLimits are those of the connections: whatever one tenant or one user asks for,
// some are left for the others.
func connLimits(conns int32, c Config) quota.Limits {
	return quota.Limits{
		Whole:     int64(conns),
		PerTenant: int64(cmp.Or(c.ConnsPerTenant, conns*3/4)),
		PerUser:   int64(cmp.Or(c.ConnsPerUser, conns/2)),
	}
}

// pooled runs each query on a connection of its own, for which it waits no longer
// than acquire: a full pool is an answer (Overloaded), not a place to queue. Of a request
// whose context tells the caller, there is a wait for a share of theirs before
// (ConcurrencyLimit). A flush of several requests has its connection without one.
type pooled struct {
	pool    *pgxpool.Pool
	acquire time.Duration
	shares  *quota.Quota
}

// CallerKey is under which a request's context tells the *Viewer who sent it, if it was
// one with a session.
type CallerKey struct{}

// uncounted is the context of what is not counted as its caller's.
func uncounted(ctx context.Context) context.Context {
	return context.WithValue(ctx, CallerKey{}, (*Viewer)(nil))
}

// sharedConn gives the caller's share back with the connection.
type sharedConn struct {
	*pgxpool.Conn
	giveBack func()
}

// Release implements what pgxpool.Conn does.
func (c *sharedConn) Release() {
	c.Conn.Release()
	if c.giveBack != nil {
		c.giveBack()
	}
}

// shareWait is how long a request waits, at least, for those of its own user or tenant. It
// holds nothing meanwhile that others wait for: an integration that asks for many things at
// once has them in turn.
const shareWait = time.Second

func (p pooled) conn(ctx context.Context) (*sharedConn, error) {
	giveBack, err := p.share(ctx)
	if err != nil {
		return nil, tooLate(ctx, err)
	}
	limited, cancel := context.WithTimeout(ctx, p.acquire)
	defer cancel()
	conn, err := p.pool.Acquire(limited)
	if err != nil {
		if giveBack != nil {
			giveBack()
		}
		return nil, tooLate(ctx, err)
	}
	return &sharedConn{conn, giveBack}, nil
}

// share takes one of the caller's connections, if a caller is known.
func (p pooled) share(ctx context.Context) (giveBack func(), err error) {
	caller, _ := ctx.Value(CallerKey{}).(*Viewer)
	if caller == nil || caller.UserID == uuid.Nil {
		return nil, nil
	}
	limited, cancel := context.WithTimeout(ctx, max(p.acquire, shareWait))
	defer cancel()
	return p.shares.Take(limited, caller.TenantID, caller.UserID, 1)
}

// tooLate says why no connection was had in time, if that is it.
func tooLate(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return &Error{Code: Timeout, cause: err}
	case errors.Is(err, quota.ErrShare):
		return &Error{Code: ConcurrencyLimit, cause: err}
	case errors.Is(err, quota.ErrWhole), errors.Is(err, context.DeadlineExceeded):
		return &Error{Code: Overloaded, cause: err}
	}
	return err
}

// take implements taker.
func (p pooled) take(ctx context.Context) (batches, func(), error) {
	conn, err := p.conn(ctx)
	if err != nil {
		return nil, nil, err
	}
	return conn, conn.Release, nil
}

func (p pooled) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	conn, err := p.conn(ctx)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	defer conn.Release()
	return conn.Exec(ctx, sql, args...)
}

func (p pooled) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	conn, err := p.conn(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		conn.Release()
		return nil, err
	}
	return &releasing{rows, conn}, nil
}

func (p pooled) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	rows, err := p.Query(ctx, sql, args...)
	return oneRow{rows, err}
}

// releasing gives the connection back when the rows are closed.
type releasing struct {
	pgx.Rows
	conn *sharedConn
}

func (r *releasing) Close() {
	r.Rows.Close()
	if r.conn != nil {
		r.conn.Release()
		r.conn = nil
	}
}

type oneRow struct {
	rows pgx.Rows
	err  error
}

func (r oneRow) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return pgx.ErrNoRows
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	// A row reaches the client before the commit: only the closed result is an answer.
	r.rows.Close()
	return r.rows.Err()
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%d", d.Milliseconds()) }

// withoutPassword drops the connection string that a parse or connect error repeats.
func withoutPassword(err error) error {
	var parse *pgconn.ParseConfigError
	if errors.As(err, &parse) {
		return errors.New("is not a PostgreSQL connection string")
	}
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
