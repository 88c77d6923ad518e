package db

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// CheckWritable checks whether a write would be possible, without making one. It returns nil, or an *Error
// with Unavailable or StorageFull, which wraps the reason: a NotWritable.
//
// A session keeps default_transaction_read_only from its start. If only the pool's sessions are
// read-only, and a new one is not, all of them are replaced. What a full disk still takes cannot be known
// without filling it: a refused write counts for a few seconds.
//
// It waits for a connection as long as ctx lasts: a busy server is still ready.
func (s *Store) CheckWritable(ctx context.Context) error {
	wait := &acquiring{Context: ctx, begun: time.Now()}
	acquired, err := s.conns.pool.Acquire(wait)
	if err != nil {
		return notWritable(s.conns.reach.explain(wait, err))
	}
	readOnly, err := New(acquired).IsReadOnly(ctx)
	acquired.Release()
	switch {
	case err != nil:
		return notWritable(err)
	case s.conns.reach.isStorageFull():
		return &Error{Code: StorageFull, cause: StorageIsFull}
	case !readOnly:
		return nil
	}
	conn, err := pgx.ConnectConfig(ctx, s.conns.pool.Config().ConnConfig)
	if err != nil {
		return notWritable(err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if readOnly, err = New(conn).IsReadOnly(ctx); err != nil {
		return notWritable(err)
	}
	if readOnly {
		return &Error{Code: Unavailable, cause: ReadOnly}
	}
	s.conns.pool.Reset()
	return nil
}

// notWritable returns the error of CheckWritable for an error of a connection.
func notWritable(err error) error {
	var reason NotWritable
	switch {
	case errors.As(err, &reason):
		return &Error{Code: Unavailable, cause: reason}
	case Explain(err).Code == Overloaded:
		return &Error{Code: Unavailable, cause: Busy}
	}
	return &Error{Code: Unavailable, cause: errors.Join(Unreachable, Explain(err))}
}

// dropReadOnlySessions closes a connection whose session rejected a write as read-only. The pool then
// opens another, with the server's current setting.
func dropReadOnlySessions(config *pgconn.Config) {
	keep := config.OnPgError
	config.OnPgError = func(conn *pgconn.PgConn, err *pgconn.PgError) bool {
		return !isReadOnlySession(err) && keep(conn, err)
	}
}
