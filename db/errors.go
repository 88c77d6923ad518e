package db

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Code is the stable name of what went wrong, the same in every language that a
// client is written in. Package api gives each a status and a page.
type Code string

// The codes that come from the database. Package api has those that do not get so far.
const (
	AccountNotFound      Code = "account_not_found"
	BalanceTooLarge      Code = "balance_too_large"
	ConcurrencyLimit     Code = "concurrency_limit"
	DriverBusy           Code = "driver_busy"
	DriverNotFound       Code = "driver_not_found"
	DriverUserTaken      Code = "driver_user_taken"
	EmailTaken           Code = "email_taken"
	EmptyFeed            Code = "empty_feed"
	ExternalIDTaken      Code = "external_id_taken"
	FacilityNotFound     Code = "facility_not_found"
	Forbidden            Code = "forbidden"
	IDReused             Code = "id_reused"
	IdempotencyKeyReused Code = "idempotency_key_reused"
	IllegalTransition    Code = "illegal_transition"
	InsufficientFunds    Code = "insufficient_funds"
	Internal             Code = "internal"
	LastAdmin            Code = "last_admin"
	LastFacility         Code = "last_facility"
	MassCancellation     Code = "mass_cancellation"
	NoDriverFree         Code = "no_driver_free"
	NotEditable          Code = "not_editable"
	NotFound             Code = "not_found"
	Overloaded           Code = "overloaded"
	PatientNotFound      Code = "patient_not_found"
	PhoneNumberTaken     Code = "phone_number_taken"
	RateLimited          Code = "rate_limited"
	RecordsMismatch      Code = "records_mismatch"
	SlugTaken            Code = "slug_taken"
	StaleVersion         Code = "stale_version"
	Timeout              Code = "timeout"
	Unauthenticated      Code = "unauthenticated"
	Unavailable          Code = "unavailable"
	UserNotFound         Code = "user_not_found"
	ValidationFailed     Code = "validation_failed"
)

// Error is one refusal: what a caller may know of it, and behind Unwrap what only
// a log may.
type Error struct {
	Code  Code
	Field string // the field of the request that names what was refused, or ""
	Item  int    // for one of several drafts: which, in the order asked, from 0

	// For a lost transition or edit: the status seen by a fresh read, which may have moved
	// again; for a transition, those that the caller could make from it.
	Status  PickupStatus
	Allowed []string

	// For Forbidden: the user's role or driver was changed while the write was under way.
	Changed bool

	cause error
}

// Error names the code and the cause. The cause may hold what was stored: it is
// for logs that hold no patient's data, never for a client.
func (e *Error) Error() string {
	if e.cause == nil {
		return string(e.Code)
	}
	return fmt.Sprintf("%s: %v", e.Code, e.cause)
}

// Unwrap gives the database's own error.
func (e *Error) Unwrap() error { return e.cause }

// CodeOf gives the code of an error that came from this package, Internal for any other.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}

func refuse(code Code, field string) *Error { return &Error{Code: code, Field: field} }

// Explain turns whatever a query returned into an *Error: the one way from the
// database's error to a code. No row is NotFound.
func Explain(err error) *Error {
	var known *Error
	var server *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return known
	case errors.Is(err, pgx.ErrNoRows):
		return &Error{Code: NotFound, cause: err}
	case errors.As(err, &server):
		return explainServer(server, isConnectError(err))
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &Error{Code: Timeout, cause: err}
	case unreachable(err):
		return &Error{Code: Unavailable, cause: err}
	}
	return &Error{Code: Internal, cause: err}
}

// explainServer maps a server's error. connecting says that the server refused the
// connection itself: then the request has not been looked at.
func explainServer(err *pgconn.PgError, connecting bool) *Error {
	switch err.Code {
	case "23505", "23503", "23514", "23P01": // unique, foreign key, check, exclusion
		if v, ok := violations[err.ConstraintName]; ok {
			return &Error{Code: v.code, Field: v.field, cause: concealed(err)}
		}
	case "23502": // not null: names a column, no constraint
		return &Error{Code: ValidationFailed, Field: err.ColumnName, cause: concealed(err)}
	case sessionOver, sessionNotAsCached:
		return &Error{Code: Unauthenticated, cause: concealed(err)}
	case authorityChanged: // not Unauthenticated: the session is good, and need not be opened anew
		return &Error{Code: Forbidden, Changed: true, cause: concealed(err)}
	case notSeenAnyMore:
		return &Error{Code: NotFound, cause: concealed(err)}
	}
	code, ok := serverStates[err.Code]
	switch {
	case ok && !(code == Internal && connecting):
	case connecting, unavailableClasses[err.Code[:min(2, len(err.Code))]]:
		code = Unavailable
	default:
		code = Internal
	}
	if err.Code == "0A000" && err.Routine != stalePlanRoutine {
		code = Internal
	}
	return &Error{Code: code, cause: concealed(err)}
}

// stalePlanRoutine is where the server refuses a prepared statement of before a migration.
// The refusal is the only 0A000 that passes: pgx prepares the statement anew.
const stalePlanRoutine = "RevalidateCachedQuery"

// serverStates are the SQLSTATEs that say nothing, or not only, of what a request asks.
// What is neither here nor in unavailableClasses is a fault of the program or of its
// schema: Internal.
var serverStates = map[string]Code{
	"22021": ValidationFailed, // a character that the server's encoding does not have
	"22P05": ValidationFailed, // the same, untranslatable

	"40001": Overloaded, // serialization failure
	"40P01": Overloaded, // deadlock
	"55P03": Overloaded, // lock timeout
	"53200": Overloaded, // out of memory
	"53300": Overloaded, // too many connections
	"53400": Overloaded, // a limit of the configuration, as of temporary files
	"0A000": Overloaded, // a cached plan of before a migration: gone after this error
	"26000": Overloaded, // a prepared statement that a pooler in between has lost: likewise

	"57014": Timeout, // canceled: by statement_timeout, or because the caller went away
	"25P04": Timeout, // transaction_timeout

	"25006": Unavailable, // the session is read-only: a standby, or an operator's setting
	"25P03": Unavailable, // idle in a transaction for too long: the server has ended the session
	"57P01": Unavailable, // shutting down
	"57P02": Unavailable, // another session crashed
	"57P03": Unavailable, // starting up
	"57P04": Unavailable, // the database was dropped
	"57P05": Unavailable, // idle for too long: the server has ended the session
}

// unavailableClasses are the classes of SQLSTATE by which the server says that it cannot
// do its work now, whatever the request.
var unavailableClasses = map[string]bool{
	"08": true, // the connection: also what a pooler in between says of its server
	"53": true, // resources: a full disk
	"58": true, // the system below: I/O errors
}

// isConnectError tells whether no connection came about.
func isConnectError(err error) bool {
	var connect *pgconn.ConnectError
	return errors.As(err, &connect)
}

// isUnavailable tells whether err says that the server cannot serve anybody now: no
// reason to send the requests of a batch one by one, nor to blame one of them.
func isUnavailable(err error) bool { return Explain(err).Code == Unavailable }

// isReadOnlySession tells whether err is the refusal of a write by a session that is
// read-only. The session may stay so when the server takes writes again.
func isReadOnlySession(err *pgconn.PgError) bool { return err.Code == "25006" }

// concealed keeps of a server's error what can be logged: Detail, Hint and Where
// may hold the values of a row.
func concealed(err *pgconn.PgError) error {
	return fmt.Errorf("SQLSTATE %s constraint %q column %q: %s",
		err.Code, err.ConstraintName, err.ColumnName, err.Routine)
}

// violates tells whether err is the refusal of one constraint.
func violates(err error, constraint string) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && server.ConstraintName == constraint
}

func unreachable(err error) bool {
	var network net.Error
	return isConnectError(err) || errors.As(err, &network) || pgconn.SafeToRetry(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) // broke in the middle of an answer
}
