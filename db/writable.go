package db

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// errReadOnly: the server answers, and would refuse a write.
var errReadOnly = errors.New("the database takes no writes: it is a standby, or default_transaction_read_only is on")

// CheckWritable tells whether a write could be made now, without making one. It returns an
// *Error with Unavailable if the server does not answer or new sessions are read-only.
//
// A session keeps default_transaction_read_only as it was when it began. Where only the
// pool's sessions are read-only, and a new one is not, all of them are replaced.
//
// It waits for a connection as long as ctx lasts: a server with much to do is none that is
// not ready.
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

// explained is Explain as an error, nil for none.
func explained(err error) error {
	if err == nil {
		return nil
	}
	return Explain(err)
}

// dropReadOnlySessions closes a connection on which a write was refused because its
// session is read-only. The pool then makes another, which is as the server is by then.
func dropReadOnlySessions(config *pgconn.Config) {
	keep := config.OnPgError
	config.OnPgError = func(conn *pgconn.PgConn, err *pgconn.PgError) bool {
		return !isReadOnlySession(err) && keep(conn, err)
	}
}
