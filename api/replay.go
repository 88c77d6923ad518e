package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"waybill/db"
)

// digest returns a keyed digest of a request: who asked for what. The row stores it, so that a replay
// is recognized even after later edits. Without the tenant's key, nothing about the request can be
// guessed from it.
func digest(v db.Viewer, operation string, body any) []byte {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // cannot fail for plain structs
	}
	mac := hmac.New(sha256.New, v.DigestKey)
	mac.Write([]byte(operation + "\x00"))
	mac.Write(v.UserID[:])
	mac.Write(text)
	return mac.Sum(nil)
}

// idOr returns the caller's id, or a new time-ordered one.
func idOr(id *uuid.UUID) uuid.UUID {
	if id != nil {
		return *id
	}
	return uuid.Must(uuid.NewV7())
}

// idempotencyKey is the name of the header.
const idempotencyKey = "Idempotency-Key"

// CreateKey is the Idempotency-Key of a create, as an alternative to an id. It is not stored: the row's
// id is derived from it, so that the row itself identifies a replay.
type CreateKey struct {
	Key string `header:"Idempotency-Key" maxLength:"200" pattern:"^[!-~]+$" patternDescription:"visible ASCII" doc:"An alternative to id: unique for each request, and the same for its retries. Repeating the request returns 200 with the created row; a different request is rejected"`
}

// newID returns the id of a new row: the caller's, one derived from the key, or a new one. item is its
// position in a batch.
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
	id[6] = id[6]&0x0f | 0x80 // version 8: custom
	id[8] = id[8]&0x3f | 0x80
	return id, nil
}

// keyed is an input that may have a CreateKey.
type keyed interface{ ofKey(err error) error }

// ofKey translates an id conflict into that of the key from which the id was derived.
func (k CreateKey) ofKey(err error) error {
	if k.Key == "" || err == nil || problemOf(err).Code != db.IDReused {
		return err
	}
	return problem(db.IdempotencyKeyReused, idempotencyKey, "")
}

// Created is the answer to a create: 201 with the new row, or 200 with the row of an earlier try of the
// same request.
type Created[T any] struct {
	Status   int
	Location string `header:"Location" doc:"The path of the row"`
	ETag     string `header:"ETag" doc:"Identifies the version of the answer, for If-Match and If-None-Match"`
	Replayed string `header:"Idempotency-Replayed" doc:"\"true\" if an earlier try of the same request created it"`
	Body     *T
}

func createdRow[T any](row *T, location, tag string, replayed bool) *Created[T] {
	out := &Created[T]{Status: 201, Location: location, ETag: tag, Body: row}
	if replayed {
		out.Status, out.Replayed = 200, "true"
	}
	return out
}

// asNotFound replaces NotFound by a more specific code.
func asNotFound(err error, code db.Code) error {
	if db.NoRow(err) {
		return problem(code, "", "")
	}
	return err
}
