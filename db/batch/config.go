package batch

import (
	"context"
	"errors"
	"fmt"
)

// Config says how the requests of one kind are batched. Q is a request, A its answer, K
// the key of a row or of a caller.
type Config[Q, A any, K comparable] struct {
	// Flush sends one statement. It returns an answer for each request, in their order.
	Flush func(context.Context, []Q) ([]A, error)
	// FlushWaiting sends the same statement in a form that waits for locked rows, where
	// Flush skips them; nil if Flush waits.
	FlushWaiting func(context.Context, []Q) ([]A, error)
	// Resolve finds out what became of a request whose statement may or may not have been
	// committed, and may still be running. It may be called several times.
	Resolve func(context.Context, Q) (A, error)
	// Classify tells what an error of a statement means.
	Classify func(error) Failure

	// OwnRows returns the rows that a request shares with no other in flight; nil if there
	// are none.
	OwnRows func(Q) []K
	// SharedRows returns the rows that the requests of one batch share, and no two batches:
	// the second would only wait for the first. The first of them is the one that a batch
	// may have to wait for. nil if there are none.
	SharedRows func(Q) []K
	// Caller returns whose request it is, for the quarantine; nil if there is none.
	Caller func(Q) K
	// BatchContext returns the context of a batch of one, from its caller's; nil if it is
	// the caller's own. A larger batch has a context of its own.
	BatchContext func(context.Context) context.Context

	Limits
	Unbatched bool // each request has a statement of its own
}

// Limits bound a batcher.
type Limits struct {
	MaxInFlight int // batches in flight at once; mostly it is one
	MaxBatch    int // requests in one batch
	MaxQueue    int // requests that wait
}

// Failure is what an error of a statement means.
type Failure int

// The meanings of an error.
const (
	Unknown     Failure = iota // the connection broke: it may have been committed, or still be running
	Unavailable                // nothing was applied, for want of a server or of a connection to it
	Rejected                   // the server rejected what one of the requests asks, and rolled back
	Deadlock                   // the server chose the statement as the victim of a deadlock
	LockTimeout                // the statement waited too long for a lock
	Revoked                    // a caller lost the right to one request, through no fault of their others
)

var (
	// ErrQueueFull is the error of a request that found MaxQueue requests waiting.
	ErrQueueFull = errors.New("too many requests wait")
	// ErrUnknownOutcome is the error of a request that may or may not have been applied.
	ErrUnknownOutcome = errors.New("the outcome is not known")
)

// PanicError is the error of a request whose function panicked.
type PanicError struct {
	Value any
	Stack []byte
}

// Error implements error.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.Value, e.Stack) }
