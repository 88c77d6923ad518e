package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3/lock"

	"waybill/db/retry"
)

// The lock of all migrators is that of a transaction, open on a connection of its own. A pooler may send each
// transaction of a connection to another session of the server: a lock of a session would be nobody's, and two
// migrators in the same session would both have it. The key is goose's own, so that programs that leave the
// locking to goose are among them.

// errMigrationLock means that another migrator is still at work.
var errMigrationLock = errors.New("another process is migrating the database: try again when it has ended")

// maxLockTries is the number of tries to get the lock, one a second.
const maxLockTries = 3600

// connected calls do with a connection in m.admin.
func (m *Migrator) connected(ctx context.Context, do func() error) (err error) {
	if m.admin, err = pgx.ConnectConfig(ctx, m.pgx); err != nil {
		return err
	}
	defer func() {
		m.admin.Close(context.WithoutCancel(ctx))
		m.admin = nil
	}()
	if err := CheckEncoding(m.admin.PgConn()); err != nil {
		return err
	}
	if m.pooled, err = behindPooler(ctx, m.admin); err != nil {
		return err
	}
	return do()
}

// locked calls do while no other migrator works on the database. It waits an hour for another one, and
// tells whom it waits for. It fails if the lock was lost meanwhile.
func (m *Migrator) locked(ctx context.Context, do func() error) error {
	return m.connected(ctx, func() error {
		held, err := pgx.ConnectConfig(ctx, m.pgx)
		if err != nil {
			return err
		}
		defer held.Close(context.WithoutCancel(ctx)) // which ends the transaction
		if err := m.lockTransaction(ctx, held); err != nil {
			return err
		}
		if m.pooled {
			m.tell("through a connection pooler no locks are shown, and what runs outside of a transaction has no " +
				"time limit: migrate on the server itself if you can")
		}
		if err := do(); err != nil {
			return err
		}
		if _, err := New(held).GetBackendPID(ctx); err != nil {
			return fmt.Errorf("the lock of the migrations was lost meanwhile: %w", err)
		}
		return nil
	})
}

// behindPooler reports whether the server's process is another than the connection was told: a pooler tells a number
// of its own.
func behindPooler(ctx context.Context, conn *pgx.Conn) (pooled bool, err error) {
	pid, err := New(conn).GetBackendPID(ctx)
	return uint32(pid) != conn.PgConn().PID(), err
}

// lockTransaction begins a transaction that has the lock. By the simple protocol: in the extended one the last result,
// and its snapshot, stay open until the next statement, and CREATE INDEX CONCURRENTLY would wait for them.
//
// Each try is a transaction of its own: CREATE INDEX CONCURRENTLY of the migrator at work waits to the end of every
// transaction that had a snapshot when it looked, so that one that tries again and again would never let it end.
func (m *Migrator) lockTransaction(ctx context.Context, held *pgx.Conn) error {
	q := New(inMode{held, pgx.QueryExecModeSimpleProtocol})
	told := time.Time{}
	err := retry.Loop{MaxAttempts: maxLockTries, First: time.Second, Longest: time.Second}.Do(ctx, func(int) error {
		try, err := held.Begin(ctx)
		if err != nil {
			return err
		}
		got, err := q.TryMigrationLock(ctx, lock.DefaultLockID)
		if err != nil || got.IsLocked {
			return err
		}
		if err := try.Rollback(ctx); err != nil {
			return err
		}
		if time.Since(told) > 10*time.Second {
			told = time.Now()
			m.tell("waiting for another migrator%s", m.migrator(ctx))
		}
		return retry.ErrRetry
	})
	if err == retry.ErrRetry {
		return errMigrationLock
	}
	return err
}

// migrator returns who holds the lock, in brackets.
func (m *Migrator) migrator(ctx context.Context) string {
	key := int64(lock.DefaultLockID)
	who, err := New(m.admin).GetMigrator(ctx, &key)
	if err != nil { // it may have ended
		return ""
	}
	return fmt.Sprintf(" (pid %d, %s, for %s)", zeroIfNil(who.Pid), zeroIfNil(who.ApplicationName),
		ofSeconds(who.ConnectedSeconds))
}
