package db

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"waybill/db/batch"
)

func TestFailuresOfABatchAreClassified(t *testing.T) {
	t.Parallel()
	server := func(state string) error { return &pgconn.PgError{Code: state, SeverityUnlocalized: "ERROR"} }
	for name, c := range map[string]struct {
		err  error
		want batch.Failure
	}{
		"check violation":       {server("23514"), batch.Rejected},
		"deadlock":              {server("40P01"), batch.Deadlock},
		"serialization failure": {server("40001"), batch.Deadlock},
		"lock timeout":          {server("55P03"), batch.LockTimeout},
		"session over":          {server(sessionOver), batch.Revoked},
		"role changed":          {server(authorityChanged), batch.Revoked},
		"not seen any more":     {server(notSeenAnyMore), batch.Revoked},
		"read-only":             {server("25006"), batch.Unavailable},
		"disk full":             {server("53100"), batch.Unavailable},
		"I/O error":             {server("58030"), batch.Unavailable},
		"no connection in time": {refuse(Overloaded, ""), batch.Unavailable},
		"no connection":         {&pgconn.ConnectError{Config: &pgconn.Config{}}, batch.Unavailable},
		"session terminated":    {&pgconn.PgError{Code: "57P01", SeverityUnlocalized: "FATAL"}, batch.Unknown},
		"connection broke":      {errors.New("connection reset by peer"), batch.Unknown},
		"canceled, sent or not": {context.Canceled, batch.Unknown},
		"statement timeout":     {server("57014"), batch.Failed},
		"internal error":        {server("XX000"), batch.Failed},
		"out of memory":         {server("53200"), batch.Unavailable},
	} {
		if got := classify(c.err); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestErrorsOfABatcherHaveCodes(t *testing.T) {
	t.Parallel()
	other := errors.New("another")
	for err, want := range map[error]Code{
		batch.ErrQueueFull:                          Overloaded,
		errors.Join(batch.ErrUnknownOutcome, other): Unavailable,
		&batch.PanicError{}:                         Internal,
	} {
		var e *Error
		if got := explainBatch(err); !errors.As(got, &e) || e.Code != want {
			t.Errorf("%v: %v, want %s", err, got, want)
		}
	}
	if explainBatch(nil) != nil || explainBatch(other) != other {
		t.Error("another error is not left as it is")
	}
}

// A write is refused before it is queued if its viewer may not write.
func TestABatcherTakesNoWriteOfAReader(t *testing.T) {
	t.Parallel()
	b := batchedWrites(&Store{}, false, config[move, int]{Flush: func(context.Context, []move) ([]int, error) {
		t.Error("a statement was sent")
		return []int{0}, nil
	}})
	for _, do := range []func(context.Context, move) (int, error){b.do, b.unbatched} {
		if _, err := do(t.Context(), move{}); CodeOf(err) != Unauthenticated {
			t.Error(err)
		}
	}
}
