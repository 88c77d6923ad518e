package db

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// errReadOnly means that the server answers, but would reject a write.
var errReadOnly = errors.New("the database takes no writes: it is a standby, or default_transaction_read_only is on")

// CheckWritable checks whether a write would be possible, without making one. It returns an *Error with
// Unavailable if the server does not answer or new sessions are read-only.
//
// A session keeps default_transaction_read_only from its start. If only the pool's sessions are
// read-only, and a new one is not, all of them are replaced.
//
// It waits for a connection as long as ctx lasts: a busy server is still ready.
func (s *Store) CheckWritable(ctx context.Context) error {
	var readOnly bool
	err := s.conns.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) (err error) {
		readOnly, err = New(conn).IsReadOnly(ctx)
		return err
	})
	if err != nil || !readOnly {
		return explained(err)
	}
	conn, err := pgx.ConnectConfig(ctx, s.conns.pool.Config().ConnConfig)
	if err != nil {
		return Explain(err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if readOnly, err = New(conn).IsReadOnly(ctx); err != nil {
		return Explain(err)
	}
	if readOnly {
		return &Error{Code: Unavailable, cause: errReadOnly}
	}
	s.conns.pool.Reset()
	return nil
}

// explained returns Explain's result as an error, or nil.
func explained(err error) error {
	if err == nil {
		return nil
	}
	return Explain(err)
}

// dropReadOnlySessions closes a connection whose session rejected a write as read-only. The pool then
// opens another, with the server's current setting.
func dropReadOnlySessions(config *pgconn.Config) {
	keep := config.OnPgError
	config.OnPgError = func(conn *pgconn.PgConn, err *pgconn.PgError) bool {
		return !isReadOnlySession(err) && keep(conn, err)
	}
}
