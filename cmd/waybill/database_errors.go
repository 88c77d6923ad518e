package main

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"waybill/db"
)

// fieldMessages maps the field of an error to a message about its flag.
var fieldMessages = map[string]string{
	"slug":  "--slug may contain only lower-case letters, digits and single hyphens, such as acme-couriers",
	"name":  "--name is empty or too long",
	"email": "the email address is invalid",
}

// describeDatabaseError returns an operator's message for a database error: the cause, and what to do. It contains no
// values and no text of the database.
func describeDatabaseError(err error) error {
	if err == nil {
		return nil
	}
	var server *pgconn.PgError
	if errors.As(err, &server) && server.Code == "42501" {
		return errors.New(
			"the role lacks a privilege: use the URL of the schema's owner, as for waybill migrate")
	}
	if errors.As(err, &server) && server.Code == "42P01" {
		return db.ErrNoSchema
	}
	switch e := db.Explain(err); {
	case e.Code == db.SlugTaken:
		return errors.New("the slug is taken by another tenant")
	case e.Code == db.EmailTaken:
		return errors.New("the email address is taken by another user of the tenant")
	case e.Code == db.ValidationFailed && fieldMessages[e.Field] != "":
		return errors.New(fieldMessages[e.Field])
	case e.Code == db.ValidationFailed:
		return errors.New("a value contains an unsupported character")
	case e.Code == db.Unavailable, e.Code == db.StorageFull, e.Code == db.Overloaded, e.Code == db.Timeout:
		return fmt.Errorf("the database is not available (%s): try again", e.Code)
	default:
		return fmt.Errorf("the database refused the change (%s)", e.Code)
	}
}
