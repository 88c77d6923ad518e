package db

import (
	"cmp"
	"context"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// MaxFeedFaults is how many faults of a feed are told.
const MaxFeedFaults = 100

// FeedFault is what is wrong with a record of a feed. A reader of records yields it as their error, and goes on with
// the next record.
type FeedFault struct {
	Record int    // its position, from 0; -1: the list as a whole
	Field  string // the member, "" for the record as a whole
	Code   Code
	Detail string // for the caller: without any value of the record

	Contradicts *FeedContradiction // instead of Detail: the record contradicts an earlier one
	Last        bool               // the rest of the list cannot be read
}

// Error contains no value of the record.
func (f *FeedFault) Error() string { return string(f.Code) }

// FeedContradiction says that a record repeats the id of the record at Earlier (from 0), or has different data for its
// patient.
type FeedContradiction struct {
	Earlier     int
	IsDuplicate bool
}

// FeedRefusal is the error for a feed with invalid records: the first of them, MaxFeedFaults at most, in the order of
// the feed.
type FeedRefusal struct{ Faults []FeedFault }

// Error contains no value of a record.
func (r *FeedRefusal) Error() string { return "the feed has invalid records" }

// Unwrap returns an *Error with the code of the first fault.
func (r *FeedRefusal) Unwrap() error { return &Error{Code: r.Faults[0].Code, Item: r.Faults[0].Record} }

// refuseFaulty returns the refusal of a feed with these invalid records, and those of the others, which are staged,
// that contradict each other, if all of them have come.
func (s *Store) refuseFaulty(ctx context.Context, v Viewer, id uuid.UUID, faults []FeedFault) error {
	if n := len(faults); n == MaxFeedFaults || faults[n-1].Last {
		return &FeedRefusal{faults}
	}
	conn, err := s.conns.conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	err = conn.outcome(pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if err := New(tx).beginFeed(ctx, v); err != nil {
			return err
		}
		more, err := New(tx).contradictions(ctx, v, id)
		faults = append(faults, more...)
		return err
	}))
	if err != nil {
		return err
	}
	slices.SortStableFunc(faults, func(a, b FeedFault) int { return cmp.Compare(a.Record, b.Record) })
	return &FeedRefusal{faults[:min(len(faults), MaxFeedFaults)]}
}

// contradictions returns the first staged records that contradict an earlier one.
func (q *Queries) contradictions(ctx context.Context, v Viewer, id uuid.UUID) ([]FeedFault, error) {
	contradicts, err := q.FeedContradictsItself(ctx, FeedContradictsItselfParams{TenantID: v.TenantID, FeedID: id})
	if err != nil || !contradicts {
		return nil, err
	}
	rows, err := q.FindFeedContradictions(ctx,
		FindFeedContradictionsParams{TenantID: v.TenantID, FeedID: id, MaxRows: MaxFeedFaults})
	return mapSlice(rows, func(r FindFeedContradictionsRow) FeedFault {
		return FeedFault{
			Record: int(r.Position), Field: map[bool]string{true: "external_id", false: "patient"}[r.IsDuplicate],
			Code: ValidationFailed, Contradicts: &FeedContradiction{int(r.Earlier), r.IsDuplicate},
		}
	}), err
}
