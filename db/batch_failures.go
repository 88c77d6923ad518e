package db

import (
	"errors"

	"github.com/jackc/pgx/v5/pgconn"

	"waybill/db/batch"
)

// classify tells a batcher what the error of a statement means.
func classify(err error) batch.Failure {
	switch {
	case !notApplied(err):
		return batch.Unknown
	case isDeadlock(err):
		return batch.Deadlock
	case isNotAsCached(err):
		return batch.Revoked
	case isLockTimeout(err):
		return batch.LockTimeout
	case !isServerError(err), isUnavailable(err):
		return batch.Unavailable
	case lostAuthority(err):
		return batch.Revoked
	}
	return batch.Rejected
}

// isServerError tells whether err is the server's own refusal of a statement, which is
// rolled back.
func isServerError(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && server.SeverityUnlocalized == "ERROR"
}

// isDeadlock tells whether the server chose the statement as the victim of a deadlock or
// a serialization failure.
func isDeadlock(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && (server.Code == "40P01" || server.Code == "40001")
}

// isLockTimeout tells whether the statement waited too long for a lock.
func isLockTimeout(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && server.Code == "55P03"
}

// notApplied tells whether a statement that failed with err certainly did nothing. Where
// the connection broke, the server may have committed it, or be running it still.
func notApplied(err error) bool {
	var refused *Error // for want of a connection
	var connect *pgconn.ConnectError
	return isServerError(err) || errors.As(err, &refused) || errors.As(err, &connect) || pgconn.SafeToRetry(err)
}
