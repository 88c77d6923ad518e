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

// Code is the stable name of an error, the same in all client languages. Package api gives each a
// status and a page.
type Code string

// The codes of errors from the database. Package api has those of earlier stages.
const (
	AccountNotForFacility Code = "account_not_for_facility"
	AccountNotFound       Code = "account_not_found"
	BalanceTooLarge       Code = "balance_too_large"
	ConcurrencyLimit      Code = "concurrency_limit"
	DriverBusy            Code = "driver_busy"
	DriverNotFound        Code = "driver_not_found"
	DriverUserTaken       Code = "driver_user_taken"
	EmailTaken            Code = "email_taken"
	EmptyFeed             Code = "empty_feed"
	ExternalIDTaken       Code = "external_id_taken"
	FacilityNotFound      Code = "facility_not_found"
	Forbidden             Code = "forbidden"
	IDReused              Code = "id_reused"
	IdempotencyKeyReused  Code = "idempotency_key_reused"
	IllegalTransition     Code = "illegal_transition"
	InsufficientFunds     Code = "insufficient_funds"
	Internal              Code = "internal"
	LastAdmin             Code = "last_admin"
	LastFacility          Code = "last_facility"
	MassCancellation      Code = "mass_cancellation"
	MessageNotFailed      Code = "message_not_failed"
	NoDriverFree          Code = "no_driver_free"
	NoPhoneNumber         Code = "no_phone_number"
	NotEditable           Code = "not_editable"
	NotFound              Code = "not_found"
	Overloaded            Code = "overloaded"
	PasswordChanged       Code = "password_changed"
	PatientNotFound       Code = "patient_not_found"
	PhoneNumberTaken      Code = "phone_number_taken"
	PriceBelowRefunds     Code = "price_below_refunds"
	RateLimited           Code = "rate_limited"
	RecordsMismatch       Code = "records_mismatch"
	RefundTooLarge        Code = "refund_too_large"
	SlugTaken             Code = "slug_taken"
	StaleVersion          Code = "stale_version"
	StorageFull           Code = "storage_full"
	StreamRestarted       Code = "stream_restarted"
	Timeout               Code = "timeout"
	Unauthenticated       Code = "unauthenticated"
	Unavailable           Code = "unavailable"
	UserNotFound          Code = "user_not_found"
	ValidationFailed      Code = "validation_failed"
)

// Error is an error with its code. Its fields may be shown to callers; what Unwrap returns is only for
// logs.
type Error struct {
	Code  Code
	Field string // the request's field that was rejected, or ""
	Item  int    // the index of the rejected draft in a batch, from 0

	// For a lost transition or edit: the status in a fresh read, which may have changed again; for a
	// transition, also the transitions that the caller could make from it.
	Status  PickupStatus
	Allowed []string

	// For Forbidden: the user's role or driver was changed during the write.
	Changed bool

	cause error
}

// Error returns the code and the cause. The cause may contain stored values: it is for logs without
// patient data, never for clients.
func (e *Error) Error() string {
	if e.cause == nil {
		return string(e.Code)
	}
	return fmt.Sprintf("%s: %v", e.Code, e.cause)
}

// Unwrap returns the database's error.
func (e *Error) Unwrap() error { return e.cause }

// CodeOf returns the code of an error from this package, Internal for any other.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}

func refuse(code Code, field string) *Error { return &Error{Code: code, Field: field} }

// Explain turns any error of a query into an *Error. It is the only mapping from database errors to
// codes. No row means NotFound.
func Explain(err error) *Error {
	var known *Error
	var server *pgconn.PgError
	var session *SessionError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return known
	case errors.As(err, &session):
		return &Error{Code: Unavailable, cause: session}
	case errors.Is(err, pgx.ErrNoRows):
		return &Error{Code: NotFound, cause: err}
	case errors.As(err, &server):
		return explainServer(server, isConnectError(err))
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &Error{Code: Timeout, cause: err}
	case errors.Is(err, errUnreplicated), unreachable(err):
		return &Error{Code: Unavailable, cause: err}
	}
	return &Error{Code: Internal, cause: err}
}

// explainServer maps a server's error. connecting means that the server refused the connection itself, before
// it got the request.
func explainServer(err *pgconn.PgError, connecting bool) *Error {
	switch err.Code {
	case "23505", "23503", "23514", "23P01": // unique, foreign key, check, exclusion
		if v, ok := violationOf(err.TableName, err.ConstraintName); ok {
			return &Error{Code: v.code, Field: v.field, cause: concealed(err)}
		}
	case "23502": // not null: has a column, but no constraint
		return &Error{Code: ValidationFailed, Field: err.ColumnName, cause: concealed(err)}
	case sessionOver, sessionNotAsCached:
		return &Error{Code: Unauthenticated, cause: concealed(err)}
	case authorityChanged: // not Unauthenticated: the session is valid
		return &Error{Code: Forbidden, Changed: true, cause: concealed(err)}
	case historyEnded:
		return &Error{Code: StreamRestarted, cause: concealed(err)}
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
	switch {
	case err.Code == "0A000" && err.Routine != stalePlanRoutine,
		err.Code == "22P05" && err.Routine == untranslatableRoutine:
		code = Internal
	}
	return &Error{Code: code, cause: concealed(err)}
}

// stalePlanRoutine is the server function that rejects a prepared statement from before a migration. It
// is the only temporary cause of 0A000: pgx prepares the statement again.
const stalePlanRoutine = "RevalidateCachedQuery"

// untranslatableRoutine is the server function that cannot express a stored character in the session's encoding. That
// is no fault of the request: see CheckEncoding.
const untranslatableRoutine = "report_untranslatable_char"

// serverStates maps SQLSTATEs that do not, or not only, depend on the request. Those neither here nor
// in unavailableClasses are bugs in the program or its schema: Internal.
var serverStates = map[string]Code{
	"22021": ValidationFailed, // a character outside of the server's encoding
	"22P05": ValidationFailed, // the same, untranslatable

	"40001": Overloaded, // serialization failure
	"40P01": Overloaded, // deadlock
	"55P03": Overloaded, // lock timeout
	"53200": Overloaded, // out of memory
	"53300": Overloaded, // too many connections
	"53400": Overloaded, // a configured limit, such as temporary files
	"0A000": Overloaded, // a cached plan from before a migration: succeeds when repeated
	"26000": Overloaded, // a prepared statement lost by a connection pooler: likewise
	"42P05": Overloaded, // one that a connection pooler kept from another session

	"53100": StorageFull,

	"57014": Timeout, // canceled by statement_timeout, or because the caller disconnected
	"25P04": Timeout, // transaction_timeout

	"25006": Unavailable, // a read-only session: a standby, or an operator's setting
	"25P03": Unavailable, // idle in a transaction for too long: the server has closed the session
	"57P01": Unavailable, // shutting down
	"57P02": Unavailable, // another session crashed
	"57P03": Unavailable, // starting up
	"57P04": Unavailable, // the database was dropped
	"57P05": Unavailable, // idle for too long: the server has closed the session
}

// unavailableClasses are the classes of SQLSTATE that mean that the server cannot work now, whatever
// the request.
var unavailableClasses = map[string]bool{
	"08": true, // connection failures, including those that a connection pooler reports
	"53": true, // insufficient resources
	"58": true, // system errors, such as I/O errors
}

// isConnectError reports whether no connection could be established.
func isConnectError(err error) bool {
	var connect *pgconn.ConnectError
	return errors.As(err, &connect)
}

// isUnavailable reports whether the server cannot serve anybody now: retrying the requests of a batch
// one by one, or blaming one of them, makes no sense.
func isUnavailable(err error) bool {
	code := Explain(err).Code
	return code == Unavailable || code == StorageFull
}

// isReadOnlySession reports whether a write was rejected because its session is read-only. The session
// may stay so after the server accepts writes again.
func isReadOnlySession(err *pgconn.PgError) bool { return err.Code == "25006" }

// concealed returns the loggable parts of a server's error: Detail, Hint and Where may contain values
// of a row.
func concealed(err *pgconn.PgError) error {
	if isPoolerError(err) && poolerMessages[err.Message] {
		return fmt.Errorf("SQLSTATE %s of the connection pooler: %s", err.Code, err.Message)
	}
	return fmt.Errorf("SQLSTATE %s constraint %q column %q: %s",
		err.Code, err.ConstraintName, err.ColumnName, err.Routine)
}

// violates reports whether err is the violation of the given constraint.
func violates(err error, constraint string) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && server.ConstraintName == constraint
}

func unreachable(err error) bool {
	var network net.Error
	return isConnectError(err) || errors.As(err, &network) || pgconn.SafeToRetry(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) // broke in the middle of an answer
}
