// Package texts sends texts to a gateway: one HTTP request each, signed according to Standard Webhooks,
// with the message's id as the idempotency key.
package texts

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"
)

// Text is a text to send.
type Text struct {
	ID        uuid.UUID // the same for every try
	To        string    // E.164
	Body      string
	CreatedAt time.Time
	At        time.Time // now, by the database's clock; zero for this process's
}

// Verdict classifies a gateway's answer.
type Verdict int

// The verdicts.
const (
	Retry    Verdict = iota // neither accepted nor refused: send it again
	Accepted                // the gateway has it
	Refused                 // permanently refused by the gateway
)

// Answer is the answer of a gateway. Its reason is a short code that is safe to store and to log, never
// text of the gateway.
type Answer struct {
	Verdict Verdict
	Reason  string // empty if accepted
	// RetryAfter is the delay that the gateway asks for, or 0.
	RetryAfter time.Duration
}

// Sender sends texts. It always answers in bounded time.
type Sender interface {
	Send(ctx context.Context, t Text) Answer
}

// Log is a Sender that logs texts instead of sending them, for development.
type Log struct{ *slog.Logger }

// Send implements Sender.
func (l Log) Send(_ context.Context, t Text) Answer {
	l.Info("text", "to", t.To, "body", t.Body, "id", t.ID)
	return Answer{Verdict: Accepted}
}
