package main

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"waybill/db"
)

// tenantFields are the flags that the fields of a refusal come from.
var tenantFields = map[string]string{
	"slug":  "--slug is not a slug: lower-case letters, digits and single hyphens, as in acme-couriers",
	"name":  "--name is empty or too long",
	"email": "the email address is not one, as in ada@acme.example",
}

// inWords says for an operator what the database refused: what it is about, and what to do.
// It repeats no value, and none of the database's own words.
func inWords(err error) error {
	if err == nil {
		return nil
	}
	var server *pgconn.PgError
	if errors.As(err, &server) && server.Code == "42501" {
		return errors.New(
			"the database does not let this role do that: give the URL of the schema's owner, as for waybill migrate")
	}
	if errors.As(err, &server) && server.Code == "42P01" {
		return db.ErrNoSchema
	}
	switch e := db.Explain(err); {
	case e.Code == db.SlugTaken:
		return errors.New("the slug is taken: another tenant has it")
	case e.Code == db.EmailTaken:
		return errors.New("the email address is taken: another user of the tenant has it")
	case e.Code == db.ValidationFailed && tenantFields[e.Field] != "":
		return errors.New(tenantFields[e.Field])
	case e.Code == db.ValidationFailed:
		return errors.New("a value holds a character that the database does not have")
	case e.Code == db.Unavailable, e.Code == db.Overloaded, e.Code == db.Timeout:
		return fmt.Errorf("the database is not available now (%s): try again", e.Code)
	default:
		return fmt.Errorf("the database refused it (%s)", e.Code)
	}
}
