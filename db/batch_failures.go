package db

import (
	"errors"

	"github.com/jackc/pgx/v5/pgconn"

	"waybill/db/batch"
)

// classify classifies the error of a statement for a batcher.
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
	case !isServerError(err), isUnavailable(err), isOutOfResources(err):
		return batch.Unavailable
	case lostAuthority(err):
		return batch.Revoked
	case !isAboutTheRequest(err):
		return batch.Failed
	}
	return batch.Rejected
}

// isAboutTheRequest reports whether the server rejected what a request asks for: its values, or what a
// constraint or a trigger says of them. Nobody is quarantined for anything else.
func isAboutTheRequest(err error) bool {
	switch class := classOf(err); class {
	case "21", "22", "23", "44", "P0", "WB": // cardinality, data, constraint, view, RAISE, refuse_authority
		return true
	}
	return false
}

// isOutOfResources reports whether the server lacks memory, disk space or connections, for whomever.
func isOutOfResources(err error) bool { return classOf(err) == "53" }

// classOf returns the class of a server error's SQLSTATE, or "".
func classOf(err error) string {
	var server *pgconn.PgError
	if !errors.As(err, &server) || len(server.Code) < 2 {
		return ""
	}
	return server.Code[:2]
}

// isServerError reports whether the server itself rejected the statement, which is then rolled back.
func isServerError(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && server.SeverityUnlocalized == "ERROR" && !isPoolerError(server)
}

// isDeadlock reports whether the statement was the victim of a deadlock or serialization failure.
func isDeadlock(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && (server.Code == "40P01" || server.Code == "40001")
}

// isLockTimeout reports whether the statement timed out waiting for a lock.
func isLockTimeout(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && server.Code == "55P03"
}

// notApplied reports whether a statement that failed with err certainly had no effect. If the
// connection broke, the server may have committed it, or may still be running it.
func notApplied(err error) bool {
	var refused *Error // no connection was available
	var connect *pgconn.ConnectError
	var session *SessionError // of a new connection
	return isServerError(err) || errors.As(err, &refused) || errors.As(err, &connect) || errors.As(err, &session) ||
		pgconn.SafeToRetry(err)
}
