package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"waybill/db"
)

// Where replicas serve reads, each answer to a session tells its client a position: what a later read must not be
// older than. A client that sends none is shown what is there when its request arrives.

const (
	consistencyHeader  = "Waybill-Consistency"
	consistencyPattern = "^[0-9a-f]{24}$"

	consistencySent = "The greatest Waybill-Consistency that the client has received, by comparison as text: the " +
		"answer is no older than what the client has read and written. Without it, the answer is no older than the " +
		"request, and a replica of the database serves it less often"
	consistencyReceived = "Opaque: what the client has read and written so far. Answered where replicas of the " +
		"database serve reads; after an answer without it, or none, the client forgets the one it has"
)

// describeConsistency adds the headers to an operation of the document.
func describeConsistency(op operation, declared *huma.Operation) {
	text := &huma.Schema{Type: huma.TypeString, Pattern: consistencyPattern}
	if op.replicas {
		declared.Parameters = append(declared.Parameters, &huma.Param{Name: consistencyHeader, In: "header",
			Description: consistencySent, Schema: text})
	}
	if op.anyone || op.long {
		return
	}
	for status, response := range declared.Responses {
		if code, _ := strconv.Atoi(status); code >= http.StatusBadRequest {
			continue
		}
		if response.Headers == nil {
			response.Headers = map[string]*huma.Header{}
		}
		response.Headers[consistencyHeader] = &huma.Header{Description: consistencyReceived, Schema: text}
	}
}

// strictConsistency rejects a position that is none of ours.
func strictConsistency(ctx huma.Context, next func(huma.Context)) {
	if sent := ctx.Header(consistencyHeader); sent != "" {
		if _, err := db.ParsePosition(sent); err != nil {
			writeProblem(ctx, problem(db.ValidationFailed, consistencyHeader,
				"Waybill-Consistency is none of this API: send it exactly as received."))
			return
		}
	}
	next(ctx)
}

// sentPosition returns the position that a request's client has sent, or the zero value. A malformed one is rejected
// later, once the session is confirmed.
func (r *request) sentPosition() db.Position {
	if r.http == nil {
		return db.Position{}
	}
	p, err := db.ParsePosition(r.http.Header.Get(consistencyHeader))
	if err != nil {
		return db.Position{}
	}
	return p
}

// tellPosition has the answer tell its client a position behind all that the request has read and written. Before an
// answer that does not tell what became of a write, nothing is known of it.
func (a *server) tellPosition(ctx context.Context, op operation, answer error) {
	known := requestOf(ctx)
	if op.long || known.session.gate == nil || !a.store.HasReplicas() || isUnknown(answer) {
		return
	}
	if p, ok := a.store.Position(ctx); ok {
		known.position = p.String()
	}
}

// isUnknown reports whether an error leaves open what became of the request.
func isUnknown(err error) bool {
	return err != nil && !isNotModified(err) && problemOf(err).Status >= http.StatusInternalServerError
}
