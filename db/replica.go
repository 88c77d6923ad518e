package db

import (
	"cmp"
	"context"
	"errors"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
)

// replica is one standby. One that fails is not used until a probe finds it well; no request waits for that.
type replica struct {
	name    string
	set     *replicaSet
	pool    *pgxpool.Pool
	timeout time.Duration
	polls   *batcher[struct{}, uint64] // one at a time asks how far it has come

	sick     atomic.Bool
	probed   atomic.Int64  // when the last probe began, in Unix nanoseconds
	replayed atomic.Uint64 // how far it had come; only a hint: it may have been restarted since
	goOnAt   atomic.Int64  // until then nobody waits for it, likewise: it was behind for too long
	reads    atomic.Int64
}

const (
	probeInterval = time.Second
	probeTimeout  = 3 * time.Second // longer than a connection may take
	noWaitFor     = 100 * time.Millisecond
)

var (
	errBehind = errors.New("the replica is behind")
	errSick   = errors.New("the replica cannot be used")
	errTooNew = errors.New("the replica has replayed too many transactions since the primary was asked")
)

// NotReplica is the reason why a server is not used as a replica.
const NotReplica NotWritable = "The server of REPLICA_DATABASE_URL is no standby."

func openReplica(ctx context.Context, c Config, set *replicaSet, lineage *Lineage, url string) (*replica, error) {
	config, err := c.poolConfig(url)
	if err != nil {
		return nil, err
	}
	alsoValidate(&config.ConnConfig.Config, lineage.validateReplica) // also of several hosts, any will do
	SetConnectDefaults(&config.ConnConfig.Config, url)
	config.ConnConfig.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: 50 * time.Millisecond}
	}
	host := net.JoinHostPort(config.ConnConfig.Host, strconv.Itoa(int(config.ConnConfig.Port)))
	r := &replica{name: host, set: set, timeout: cmp.Or(c.ReplicaTimeout, 500*time.Millisecond)}
	r.sick.Store(true)
	r.polls = oneAtATime(c.OneByOne, r.poll)
	r.pool, err = pgxpool.NewWithConfig(ctx, config)
	return r, err
}

// validateReplica is a pgconn.ValidateConnectFunc: it accepts only standbys of the cluster.
func (l *Lineage) validateReplica(ctx context.Context, conn *pgconn.PgConn) error {
	system, timeline, err := timelineOf(ctx, conn)
	switch {
	case err != nil:
		return err
	case timeline != "":
		return NotReplica
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.system != system {
		return OtherCluster
	}
	return nil
}

// isUsable reports whether the replica can be used. If not, it is probed, now and then.
func (r *replica) isUsable() bool {
	if !r.sick.Load() {
		return true
	}
	now, last := time.Now().UnixNano(), r.probed.Load()
	if now-last > int64(probeInterval) && r.probed.CompareAndSwap(last, now) {
		go r.probe()
	}
	return false
}

func (r *replica) probe() {
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	if _, err := r.set.states.do(ctx, struct{}{}); err != nil {
		return
	}
	conn, err := r.pool.Acquire(ctx)
	if err != nil {
		return
	}
	defer conn.Release()
	if _, err := r.position(ctx, New(conn)); err == nil {
		r.sick.Store(false)
	}
}

// failed has the replica probed before it is used again. A caller who left is no failure of it.
func (r *replica) failed(ctx context.Context) {
	if ctx.Err() == nil {
		r.probed.Store(time.Now().UnixNano())
		r.sick.Store(true)
	}
}

// position asks how far the replica has come. It returns errSick if it does not follow the primary.
func (r *replica) position(ctx context.Context, q *Queries) (uint64, error) {
	state := r.set.known.Load()
	if state == nil {
		return 0, errSick
	}
	row, err := q.GetReplayed(ctx, state.history)
	if err != nil {
		return 0, err
	}
	return r.judge(row)
}

// judge returns the position of a replica that follows the primary.
func (r *replica) judge(row GetReplayedRow) (uint64, error) {
	if !row.IsStandby || !row.Follows {
		return 0, errSick
	}
	lsn, err := parseLSN(row.Position)
	if err == nil {
		r.replayed.Store(lsn)
	}
	return lsn, err
}

// poll is the flush of polls.
func (r *replica) poll(ctx context.Context, asks []struct{}) ([]uint64, error) {
	limited, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	var lsn uint64
	conn, err := r.pool.Acquire(limited)
	if err == nil {
		lsn, err = r.position(limited, New(conn))
		conn.Release()
	}
	if err != nil {
		r.failed(ctx)
	}
	return mapSlice(asks, func(struct{}) uint64 { return lsn }), err
}

// await waits until the replica has replayed a position. It returns errBehind if that takes too long.
func (r *replica) await(ctx context.Context, lsn uint64, wait time.Duration) error {
	begun := time.Now()
	for pause := 500 * time.Microsecond; r.replayed.Load() < lsn; pause *= 2 {
		if begun.UnixNano() < r.goOnAt.Load() {
			return errBehind
		}
		replayed, err := r.polls.do(ctx, struct{}{})
		switch {
		case err != nil:
			return err
		case replayed >= lsn:
			return nil
		case time.Since(begun)+pause > wait:
			r.goOnAt.Store(time.Now().Add(noWaitFor).UnixNano())
			return errBehind
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
	return nil
}

// replicaAsk is a statement for a replica.
type replicaAsk struct {
	base      *primaryState
	lsn       uint64 // that it must have replayed
	stale     bool   // whether or not
	statement queued
}

// replicaAnswer is what a replica showed. Its rows keep the connection until they are closed.
type replicaAnswer struct {
	rows     *collected
	position uint64
	seen     []int64 // transactions that the primary may not show yet
}

// maxNewer bounds the transactions that are looked at one by one.
const maxNewer = 2000

// read sends a statement to the replica, once it has replayed the position.
func (r *replica) read(ctx context.Context, ask replicaAsk, wait time.Duration) (*replicaAnswer, error) {
	if !ask.stale {
		if err := r.await(ctx, ask.lsn, wait); err != nil {
			return nil, err
		}
	}
	limited, cancel := context.WithTimeout(ctx, wait)
	conn, err := r.pool.Acquire(limited)
	cancel()
	if err != nil {
		if stat := r.pool.Stat(); stat.AcquiredConns()+stat.IdleConns() == 0 { // not for want of one that is free
			r.failed(ctx)
		}
		return nil, err
	}
	limited, cancel = context.WithTimeout(ctx, r.timeout)
	defer cancel()
	shown, err := r.send(limited, conn, ask)
	if err != nil {
		conn.Release()
		if !isServerError(err) && !errors.Is(err, errBehind) && !errors.Is(err, errTooNew) {
			r.failed(ctx)
		}
		return nil, err
	}
	shown.rows.end = conn.Release
	r.reads.Add(1)
	return shown, nil
}

// send sends the statement between those that say what it can have seen, in one round trip.
func (r *replica) send(ctx context.Context, conn *pgxpool.Conn, ask replicaAsk) (shown *replicaAnswer, err error) {
	p := pipeline{before: []queued{{getReplayed, []any{ask.base.history}}}, statement: ask.statement,
		after: []queued{{getReplayedAhead, []any{int64(maxNewer), ask.base.xmax, ask.base.running}}}}
	batch, first := p.batch()
	results := conn.SendBatch(ctx, batch)
	defer func() {
		if closed := results.Close(); err == nil {
			err = closed
		}
	}()
	var before GetReplayedRow
	if err := results.QueryRow().Scan(&before.IsStandby, &before.Position, &before.Follows); err != nil {
		return nil, err
	}
	lsn, err := r.judge(before)
	switch {
	case err != nil:
		return nil, err
	case lsn < ask.lsn && !ask.stale:
		return nil, errBehind
	}
	for range first - 1 {
		if _, err := results.Exec(); err != nil {
			return nil, err
		}
	}
	rows, err := results.Query()
	if err != nil {
		return nil, err
	}
	shown = &replicaAnswer{}
	if shown.rows, err = collect(rows, conn.Conn().TypeMap()); err != nil {
		return nil, err
	}
	var after GetReplayedAheadRow
	err = results.QueryRow().Scan(&after.IsStandby, &after.Position, &after.TooMany, &after.SeenXids)
	switch {
	case err != nil:
		return nil, err
	case !after.IsStandby: // promoted meanwhile
		return nil, errSick
	case after.TooMany:
		return nil, errTooNew
	}
	shown.seen = after.SeenXids
	shown.position, err = parseLSN(after.Position)
	return shown, err
}
