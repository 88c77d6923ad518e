package api

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"waybill/db"
)

// digest names a request: who asked for what. The row keeps it, so that a repeat is
// known as one even after later edits. It is keyed with the tenant's key: nothing
// about the request can be guessed from it without.
func digest(v db.Viewer, operation string, body any) []byte {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // plain structs
	}
	mac := hmac.New(sha256.New, v.DigestKey)
	mac.Write([]byte(operation + "\x00"))
	mac.Write(v.UserID[:])
	mac.Write(text)
	return mac.Sum(nil)
}

// idOr is the caller's id, or a new one, in the order of time.
func idOr(id *uuid.UUID) uuid.UUID {
	if id != nil {
		return *id
	}
	return uuid.Must(uuid.NewV7())
}

// created tells what became of an INSERT. Where it made nothing, or a constraint
// refused it, a fresh read by id says whether an earlier try of the same request
// made the row.
func created[T any](row T, err error, digest []byte, known func() (T, []byte, error)) (_ T, replayed bool, _ error) {
	if err == nil {
		return row, false, nil
	}
	var none T
	code := db.Explain(err).Code
	if !errors.Is(err, pgx.ErrNoRows) && (code == db.Unavailable || code == db.Overloaded || code == db.Timeout || code == db.Internal) {
		return none, false, err
	}
	earlier, of, again := known()
	switch {
	case errors.Is(again, pgx.ErrNoRows) && errors.Is(err, pgx.ErrNoRows):
		return none, false, problem(db.Overloaded, "", "") // taken and gone in between
	case errors.Is(again, pgx.ErrNoRows):
		return none, false, err
	case again != nil:
		return none, false, again
	case bytes.Equal(of, digest):
		return earlier, true, nil
	case errors.Is(err, pgx.ErrNoRows):
		return none, false, problem(db.IDReused, "id", "")
	}
	return none, false, err
}

// Created is the answer to a create: 201 with the new row, or 200 with the row that
// an earlier try of the same request made.
type Created[T any] struct {
	Status   int
	Location string `header:"Location" doc:"Where the row is"`
	ETag     string `header:"ETag" doc:"Names what this answer shows; for If-Match and If-None-Match"`
	Replayed string `header:"Idempotency-Replayed" doc:"\"true\", if an earlier try of the same request made it"`
	Body     *T
}

func createdRow[T any](row *T, location, tag string, replayed bool) *Created[T] {
	out := &Created[T]{Status: 201, Location: location, ETag: tag, Body: row}
	if replayed {
		out.Status, out.Replayed = 200, "true"
	}
	return out
}

// gone tells what became of a removal: what was not there is NotFound.
func gone(removed int64, err error) error {
	if err == nil && removed == 0 {
		return problem(db.NotFound, "", "")
	}
	return err
}

// missing gives what the path names, and is not there, a code of its own.
func missing(err error, code db.Code) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return problem(code, "", "")
	}
	return err
}
