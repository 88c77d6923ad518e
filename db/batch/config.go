package batch

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Config configures how the requests of one kind are batched. Q is a request, A its answer, K the key
// of a row or of a caller.
type Config[Q, A any, K comparable] struct {
	// Flush sends one statement, which waits for locks only briefly. It returns an answer for each
	// request, in order.
	Flush func(context.Context, []Q) ([]A, error)
	// FlushSkipping sends the same statement in a form that waits for no locked row, and has no answer
	// for who needs one; nil if there is none. It is sent instead of Flush while somebody holds a row.
	FlushSkipping func(context.Context, []Q) ([]A, error)
	// FlushWaiting sends the same statement in a form that waits, briefly, for rows that Flush skips; nil
	// if Flush skips none.
	FlushWaiting func(context.Context, []Q) ([]A, error)
	// Lane gives a request that waits for a locked row its turn, for as long as a statement waits; nil
	// for any number of them at once.
	Lane func(context.Context, Q) (release func(), err error)
	// LockWait is how long a request waits for a locked row, in turns; 0 for as long as one statement.
	LockWait time.Duration
	// Resolve finds the outcome of a request whose statement may have been committed, or may still be
	// running. It may be called several times.
	Resolve func(context.Context, Q) (A, error)
	// Classify interprets an error of a statement.
	Classify func(error) Failure

	// OwnRows returns the rows that no other request in flight may use; nil if there are none.
	OwnRows func(Q) []K
	// SharedRows returns the rows that the requests of one batch share, but two batches do not: the
	// second would only wait for the first. nil if there are none.
	SharedRows func(Q) []K
	// Caller returns the caller of a request, for the quarantine; nil if there is none.
	Caller func(Q) K
	// Tenant returns the tenant of a request, who may be served apart if its statements are slow; nil if
	// there is none.
	Tenant func(Q) K
	// BatchContext derives the context of a batch of one from its caller's; nil to use the caller's
	// own. A larger batch has a context of its own.
	BatchContext func(context.Context) context.Context

	Limits
	Unbatched bool // send each request in a statement of its own
}

// Limits bound a batcher.
type Limits struct {
	MaxInFlight int // maximum number of concurrent batches; usually there is one
	MaxBatch    int // maximum number of requests in one batch
	MaxQueue    int // maximum number of waiting requests
}

// Failure classifies an error of a statement.
type Failure int

// The classes of errors.
const (
	Unknown     Failure = iota // the connection broke: it may have been committed, or still be running
	Unavailable                // nothing was applied, for want of a server or of a connection to it
	Rejected                   // the server rejected what one of the requests asks, and rolled back
	Deadlock                   // the server chose the statement as the victim of a deadlock
	LockTimeout                // the statement waited too long for a lock
	Revoked                    // a caller lost the right to one request, through no fault of their others
	Failed                     // the server could not do it, through no fault of the callers, and rolled back
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
