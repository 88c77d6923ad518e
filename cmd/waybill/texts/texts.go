// Package texts sends texts to a gateway: one HTTP request each, signed after the
// Standard Webhooks scheme, with the message's id as the key by which the gateway can
// tell a repeat.
package texts

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"
)

// Text is one to be sent.
type Text struct {
	ID        uuid.UUID // the same at every try
	To        string    // E.164
	Body      string
	CreatedAt time.Time
}

// Verdict says what is to become of a text.
type Verdict int

// What a gateway can say, or leave unsaid.
const (
	Again    Verdict = iota // not known to be accepted, nor refused: send it again
	Accepted                // the gateway has it
	Refused                 // for good: the gateway says so of this text
)

// Answer is a gateway's. Its reason is a short code, safe to store and to log: never
// what the gateway wrote.
type Answer struct {
	Verdict Verdict
	Reason  string // "" where accepted
	// RetryAfter is how long the gateway asks to be left alone; 0: it does not say.
	RetryAfter time.Duration
}

// Sender is a gateway, or what stands for one. It always answers, in bounded time.
type Sender interface {
	Send(ctx context.Context, t Text) Answer
}

// Log shows the texts in a log in place of sending them: for development.
type Log struct{ *slog.Logger }

// Send implements Sender.
func (l Log) Send(_ context.Context, t Text) Answer {
	l.Info("text", "to", t.To, "body", t.Body, "id", t.ID)
	return Answer{Verdict: Accepted}
}
