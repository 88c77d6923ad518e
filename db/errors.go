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

	// For a lost transition: the status seen by a fresh read, which may have moved
	// again, and the transitions that the caller could make from it.
	Status  PickupStatus
	Allowed []string

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
		return explainServer(server)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return &Error{Code: Timeout, cause: err}
	case unreachable(err):
		return &Error{Code: Unavailable, cause: err}
	}
	return &Error{Code: Internal, cause: err}
}

func explainServer(err *pgconn.PgError) *Error {
	switch err.Code {
	case "23505", "23503", "23514", "23P01": // unique, foreign key, check, exclusion
		if v, ok := violations[err.ConstraintName]; ok {
			return &Error{Code: v.code, Field: v.field, cause: concealed(err)}
		}
	case "23502": // not null: names a column, no constraint
		return &Error{Code: ValidationFailed, Field: err.ColumnName, cause: concealed(err)}
	case "22021", "22P05": // a character that the server's encoding does not have
		return &Error{Code: ValidationFailed, cause: concealed(err)}
	case "40001", "40P01", "55P03", "53300": // serialization, deadlock, lock timeout, too many connections
		return &Error{Code: Overloaded, cause: concealed(err)}
	case "0A000": // a cached plan of before a migration: gone after this error
		return &Error{Code: Overloaded, cause: concealed(err)}
	case "57014": // canceled: by statement_timeout, or because the caller went away
		return &Error{Code: Timeout, cause: concealed(err)}
	case "57P01", "57P02", "57P03": // shutting down, crashed, starting up
		return &Error{Code: Unavailable, cause: concealed(err)}
	}
	return &Error{Code: Internal, cause: concealed(err)}
}

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
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.SafeToRetry(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) // broke in the middle of an answer
}
