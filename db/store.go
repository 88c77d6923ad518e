package db

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"

	"waybill/db/quota"
)

// AppRole is the database role for everything but migrations: neither the owner of the schema nor a
// superuser.
const AppRole = "waybill_app"

// Config configures the connection to the database. Zero timeouts mean sensible defaults, each shorter
// than the one that encloses it.
type Config struct {
	URL              string
	MaxConns         int32         // 0 means 16
	IdleConns        int32         // connections kept open, up to MaxConns; 0 for none
	StatementTimeout time.Duration // of one statement including waits; 0 means 5 s
	LockTimeout      time.Duration // of one wait for a lock; 0 means 3 s
	AcquireTimeout   time.Duration // of the wait for a connection; 0 means 250 ms
	OneByOne         bool          // do not batch concurrent requests
	ConnsPerTenant   int32         // maximum for one tenant; 0 means three quarters of MaxConns
	ConnsPerUser     int32         // maximum for one user; 0 means half of MaxConns
	Pooler           bool          // a connection pooler is in between: settings come from the role
	StatementMode    StatementMode // "" means Prepare, with Pooler Describe
	// AcknowledgeUnreplicated answers also what may be lost when a standby takes over. It is for the control
	// of tests, which loses.
	AcknowledgeUnreplicated bool

	// ReplicaURLs are those of standbys that serve reads, and know the same role. Each has connections of its own.
	ReplicaURLs    []string
	ReplicaWait    time.Duration // for a replica that is behind; 0 means 10 ms
	ReplicaTimeout time.Duration // of a read from a replica; 0 means 500 ms
	// ReadStale reads from replicas whatever they have replayed. It is for the control of tests, which finds it.
	ReadStale bool

	// Lineage is shared by the stores of one process, so that none uses a primary of which another knows
	// that it was replaced; nil if there is only one.
	Lineage *Lineage

	// OnTexts, if set, is called with the number of texts that a statement's transitions owed, and the
	// number that the tenants' flags let through.
	OnTexts func(owed, enqueued int)
}

// Store gives handlers access to the database. Everything that it exposes is safe to call: the listed
// generated statements, and methods that name a viewer, batch requests and explain lost writes. Each
// statement holds a connection while it runs.
type Store struct {
	statements
	q           *Queries                    // all of them, for this package
	viewing     func(Viewer, []queued) DBTX // sends the statements of one viewer, with those to send after each
	conns       pooled
	onTexts     func(owed, enqueued int)
	waits       lockWaits // of batched writes
	viewers     *viewerCache
	replication replication
	replicas    *replicaSet // nil without replicas

	batchers
}

// System gives the program itself access to the database, for workers, operators' commands and metrics: a
// Store, the statements that no handler may call, and the connections. No System can be reached from a Store.
type System struct {
	*Store
	systemStatements
}

// Open connects as the application's role. It returns an error if the database cannot be reached, and a
// *SessionError if a session has another role or other settings than it should.
func Open(ctx context.Context, c Config) (*System, error) {
	config, err := c.poolConfig(c.URL)
	if err != nil {
		return nil, fmt.Errorf("the URL (DATABASE_URL) %w", err)
	}
	dropReadOnlySessions(&config.ConnConfig.Config)
	SetConnectDefaults(&config.ConnConfig.Config, c.URL)
	lineage := cmp.Or(c.Lineage, &Lineage{})
	alsoValidate(&config.ConnConfig.Config, lineage.validate)
	config.PrepareConn = func(_ context.Context, conn *pgx.Conn) (bool, error) { return lineage.isNewest(conn), nil }
	reach := &reachability{}
	reach.watch(config)
	if !c.AcknowledgeUnreplicated {
		markUnreplicated(&config.ConnConfig.Config)
	}
	// A disconnecting caller cancels the query on the server; the connection stays open.
	config.ConnConfig.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: 5 * time.Second}
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	reach.pool.Store(pool)
	if err := pool.Ping(ctx); err != nil {
		go pool.Close() // it waits for a connection that is still being made, and whoever was told to stop does not
		return nil, withoutPassword(ConnectAdvice(err, &config.ConnConfig.Config))
	}
	p := pooled{pool, reach, cmp.Or(c.AcquireTimeout, 250*time.Millisecond), quota.New(connLimits(config.MaxConns, c))}
	replicas, err := openReplicas(ctx, c, p, lineage)
	if err != nil {
		pool.Close()
		return nil, err
	}
	s := newStore(confirming{p, p.take, replicas}, p.as, lockWaitsFor(c), c.OneByOne)
	s.replicas = replicas
	s.conns, s.onTexts, s.replication.ignored = p, c.OnTexts, c.AcknowledgeUnreplicated
	return &System{s, s.q}, nil
}

// poolConfig returns what the pools of the primary and of the replicas have in common. Its errors do not contain
// the URL.
func (c Config) poolConfig(url string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, withoutPassword(err)
	}
	config.MaxConns = maxConns(c)
	config.MinIdleConns = min(c.IdleConns, config.MaxConns)
	config.PingTimeout = time.Second
	if err := c.configureSessions(config.ConnConfig); err != nil {
		return nil, err
	}
	config.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		registerUUIDs(conn.TypeMap())
		registerTimes(conn.TypeMap())
		return c.checkSession(ctx, conn)
	}
	return config, nil
}

func maxConns(c Config) int32 { return cmp.Or(c.MaxConns, 16) }

// SessionSettings returns the settings of each of the store's connections.
func SessionSettings(c Config) map[string]string {
	return map[string]string{
		"role":                          AppRole,
		"default_transaction_isolation": "read committed",
		"statement_timeout":             milliseconds(cmp.Or(c.StatementTimeout, 5*time.Second)),
		"lock_timeout":                  milliseconds(cmp.Or(c.LockTimeout, 3*time.Second)),
		// An open transaction that wrote an event holds back the event stream.
		"idle_in_transaction_session_timeout": milliseconds(cmp.Or(c.StatementTimeout, 5*time.Second)),
		"timezone":                            "UTC",
		"jit":                                 "off", // compiling costs more than it saves
		clientEncoding:                        "UTF8",
	}
}

// newStore returns a store that sends its statements to q, and those of one viewer to viewing.
func newStore(q DBTX, viewing func(Viewer, []queued) DBTX, waits lockWaits, oneByOne bool) *Store {
	all := New(q)
	s := &Store{statements: all, q: all, viewing: viewing, waits: waits,
		viewers: newViewerCache(maxCachedViewers)}
	s.batchers = newBatchers(s, oneByOne)
	return s
}

// Close waits for the running queries and closes the connections.
func (s *System) Close() {
	s.replicas.close()
	s.conns.pool.Close()
}

// Pool returns the connection pool, for River, which has statements of its own. They are not told if a
// commit is not replicated: a job whose completion is lost runs again.
func (s *System) Pool() *pgxpool.Pool { return s.conns.pool }

// Ping checks that the database answers.
func (s *System) Ping(ctx context.Context) error { return s.conns.pool.Ping(ctx) }

// Stat returns statistics of the connections, for metrics.
func (s *System) Stat() *pgxpool.Stat { return s.conns.pool.Stat() }

// connLimits returns the quota of connections: no tenant or user can occupy all of them.
func connLimits(conns int32, c Config) quota.Limits {
	return quota.Limits{
		Whole:     int64(conns),
		PerTenant: int64(cmp.Or(c.ConnsPerTenant, conns*3/4)),
		PerUser:   int64(cmp.Or(c.ConnsPerUser, conns/2)),
	}
}

// pooled runs each query on a connection of its own, for which it waits at most the acquire timeout: a full
// pool is answered with Overloaded, and is no place to queue; a server that does not answer, with Unavailable.
// If the context has a caller, it first waits for a share of the caller's quota (ConcurrencyLimit). A batch of
// several requests needs no share.
type pooled struct {
	pool    *pgxpool.Pool
	reach   *reachability
	acquire time.Duration
	shares  *quota.Quota
}

// CallerKey is the context key of the *Viewer who sent a request with a session.
type CallerKey struct{}

// uncounted returns a context that does not count toward its caller's quota.
func uncounted(ctx context.Context) context.Context {
	return context.WithValue(ctx, CallerKey{}, (*Viewer)(nil))
}

// sharedConn releases the caller's share together with the connection.
type sharedConn struct {
	*pgxpool.Conn
	giveBack func()
}

// Release implements the method of pgxpool.Conn.
func (c *sharedConn) Release() {
	c.Conn.Release()
	if c.giveBack != nil {
		c.giveBack()
	}
}

// shareWait is the minimum time that a request waits for other requests of its user or tenant. A waiting
// request holds no resource that others need: concurrent requests of an integration are served in turn.
const shareWait = time.Second

func (p pooled) conn(ctx context.Context) (*sharedConn, error) {
	giveBack, err := p.share(ctx)
	if err != nil {
		return nil, tooLate(ctx, err)
	}
	limited, cancel := context.WithTimeout(ctx, p.acquire)
	defer cancel()
	wait := &acquiring{Context: limited, begun: time.Now()}
	conn, err := p.pool.Acquire(wait)
	if err != nil {
		if giveBack != nil {
			giveBack()
		}
		return nil, tooLate(ctx, p.reach.explain(wait, err))
	}
	shared := &sharedConn{conn, giveBack}
	shared.begin()
	return shared, nil
}

// share takes a share of the caller's quota, if there is a caller.
func (p pooled) share(ctx context.Context) (giveBack func(), err error) {
	caller, _ := ctx.Value(CallerKey{}).(*Viewer)
	if caller == nil || caller.UserID == uuid.Nil {
		return nil, nil
	}
	limited, cancel := context.WithTimeout(ctx, max(p.acquire, shareWait))
	defer cancel()
	return p.shares.Take(limited, caller.TenantID, caller.UserID, 1)
}

// tooLate returns the reason why no connection was available in time, if that is the cause.
func tooLate(ctx context.Context, err error) error {
	var known *Error
	switch {
	case ctx.Err() != nil:
		return &Error{Code: Timeout, cause: err}
	case errors.As(err, &known):
		return known
	case errors.Is(err, quota.ErrShare):
		return &Error{Code: ConcurrencyLimit, cause: err}
	case errors.Is(err, quota.ErrWhole), errors.Is(err, context.DeadlineExceeded):
		return &Error{Code: Overloaded, cause: err}
	}
	return err
}

// take implements taker.
func (p pooled) take(ctx context.Context) (batches, func(error) error, error) {
	if t := transactionOf(ctx); t != nil {
		return t.take()
	}
	conn, err := p.conn(ctx)
	if err != nil {
		return nil, nil, err
	}
	return conn, conn.end, nil
}

func (p pooled) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if transactionOf(ctx) != nil {
		return executed(p.Query(ctx, sql, args...))
	}
	conn, err := p.conn(ctx)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	defer conn.Release()
	tag, err := conn.Exec(ctx, sql, args...)
	return tag, conn.outcome(err)
}

func (p pooled) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if transactionOf(ctx) != nil {
		return taker(p.take).send(ctx, pipeline{statement: queued{sql, args}})
	}
	conn, err := p.conn(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		conn.Release()
		return nil, err
	}
	return &ending{Rows: rows, end: func() error { return conn.end(nil) }}, nil
}

func (p pooled) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	rows, err := p.Query(ctx, sql, args...)
	return oneRow{rows, err}
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
	// Rows arrive before the commit: only the closed result is an answer.
	r.rows.Close()
	return r.rows.Err()
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%d", d.Milliseconds()) }

// withoutPassword removes the connection string from a parse or connect error.
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
