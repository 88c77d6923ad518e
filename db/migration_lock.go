package db

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3/lock"
)

// poolerLocker locks the migrations where a connection pooler is in between. A pooler may send each transaction of a
// connection to another session of the server: a lock of a session would be nobody's, and two migrators in the same
// session would both have it. So the lock is then that of a transaction, open on a connection of its own.
//
// Without a pooler goose's own locker serves: its lock is lost only together with the connection that migrates. The
// key is the same.
type poolerLocker struct {
	lock.SessionLocker
	config *pgx.ConnConfig
	held   *pgx.Conn // nil without a pooler
}

func newLocker(config *pgx.ConnConfig) (lock.SessionLocker, error) {
	direct, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, maxLockTries))
	return &poolerLocker{SessionLocker: direct, config: config}, err
}

// errMigrationLock means that another migrator is still at work.
var errMigrationLock = errors.New("another process is migrating the database: try again when it has ended")

// maxLockTries is the number of tries to get the lock, one a second.
const maxLockTries = 300

// SessionLock implements lock.SessionLocker.
func (l *poolerLocker) SessionLock(ctx context.Context, conn *sql.Conn) error {
	pooled, err := behindPooler(ctx, conn)
	if err != nil {
		return err
	}
	if !pooled {
		return l.SessionLocker.SessionLock(ctx, conn)
	}
	held, err := pgx.ConnectConfig(ctx, l.config)
	if err != nil {
		return err
	}
	if err := lockTransaction(ctx, held); err != nil {
		return errors.Join(err, held.Close(context.WithoutCancel(ctx)))
	}
	l.held = held
	return nil
}

// SessionUnlock implements lock.SessionLocker. It fails if the lock was lost meanwhile.
func (l *poolerLocker) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	if l.held == nil {
		return l.SessionLocker.SessionUnlock(ctx, conn)
	}
	held := l.held
	l.held = nil
	_, err := New(held).GetBackendPID(ctx)
	return errors.Join(err, held.Close(context.WithoutCancel(ctx))) // which ends the transaction
}

// behindPooler reports whether the server's process is another than the connection was told: a pooler tells a number
// of its own.
func behindPooler(ctx context.Context, conn *sql.Conn) (pooled bool, err error) {
	err = conn.Raw(func(driver any) error {
		direct := driver.(*stdlib.Conn).Conn()
		pid, err := New(direct).GetBackendPID(ctx)
		pooled = uint32(pid) != direct.PgConn().PID()
		return err
	})
	return pooled, err
}

// lockTransaction begins a transaction that has the lock. By the simple protocol: in the extended one the last result,
// and its snapshot, stay open until the next statement, and CREATE INDEX CONCURRENTLY would wait for them.
func lockTransaction(ctx context.Context, conn *pgx.Conn) error {
	if _, err := conn.Begin(ctx); err != nil {
		return err
	}
	q := New(inMode{conn, pgx.QueryExecModeSimpleProtocol})
	for range maxLockTries {
		got, err := q.TryMigrationLock(ctx, lock.DefaultLockID)
		if err != nil || got.IsLocked {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
	return errMigrationLock
}
