package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

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

// idempotencyKey is the header.
const idempotencyKey = "Idempotency-Key"

// CreateKey is the Idempotency-Key of a create, in place of an id. It is not stored: the id
// of the row follows from it, so that the row itself is what a repeat is known by.
type CreateKey struct {
	Key string `header:"Idempotency-Key" maxLength:"200" pattern:"^[!-~]+$" patternDescription:"visible ASCII" doc:"In place of an id: one for each request, kept for its retries. The same request again answers 200 with what it made; another one is refused"`
}

// newID is the id of what a create makes: the caller's choice, the one that follows from
// their key, or a new one. item is its position, where there are several.
func (k CreateKey) newID(v db.Viewer, operation string, item int, chosen *uuid.UUID) (uuid.UUID, error) {
	switch {
	case k.Key == "":
		return idOr(chosen), nil
	case chosen != nil:
		return uuid.Nil, problem(db.ValidationFailed, idempotencyKey,
			"Send an id or an Idempotency-Key, not both: either makes a retry safe.")
	}
	mac := hmac.New(sha256.New, v.DigestKey)
	fmt.Fprintf(mac, "%s\x00%s\x00%d\x00", idempotencyKey, operation, item)
	mac.Write(v.UserID[:])
	mac.Write([]byte(k.Key))
	id := uuid.UUID(mac.Sum(nil)[:16])
	id[6] = id[6]&0x0f | 0x80 // version 8: made as its maker likes
	id[8] = id[8]&0x3f | 0x80
	return id, nil
}

// keyed is an input that may have a CreateKey.
type keyed interface{ ofKey(err error) error }

// ofKey tells of an id that follows from the key what it means: that the key is used.
func (k CreateKey) ofKey(err error) error {
	if k.Key == "" || err == nil || problemOf(err).Code != db.IDReused {
		return err
	}
	return problem(db.IdempotencyKeyReused, idempotencyKey, "")
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

// missing gives what the path names, and is not there, a code of its own.
func missing(err error, code db.Code) error {
	if db.NoRow(err) {
		return problem(code, "", "")
	}
	return err
}
