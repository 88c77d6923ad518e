package db

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"iter"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// FeedRecord is one appointment in a facility's records, with its patient. Times have microsecond
// precision.
type FeedRecord struct {
	ExternalID        string
	PatientExternalID string
	GivenName         string
	FamilyName        string
	BirthDate         Date
	Phone             string // empty for none
	StartsAt, EndsAt  time.Time
	Status            AppointmentStatus
}

// Feed is a facility's complete list of appointments as of a time.
type Feed struct {
	FacilityID uuid.UUID
	AsOf       time.Time
	Count      *int64 // the number of records, if the caller stated it

	AllowEmpty      bool // accept an empty list, which cancels all upcoming appointments
	AllowMassCancel bool // accept a list that cancels more than the facility's share

	Rehearsal bool // apply nothing, and report nothing

	// Records yields each record, or a *FeedFault in its place. After another error there are no more.
	Records iter.Seq2[FeedRecord, error]
}

// FeedResult counts what a feed changed, in records; Canceled counts those that are not in the list.
// Superseded means that nothing changed, because this list or a newer one was applied before.
type FeedResult struct {
	Created, Updated, Unchanged, Canceled int64
	Superseded                            bool
	NotApplied                            NotApplied
}

// NotApplied counts the records that changed nothing and are in no other count, by the reason.
type NotApplied struct {
	ConsentWithdrawn int64 // their patient, or the one whose appointment it was, does not allow the facility
}

// FeedMassCancellation is the error for a feed that would cancel more of the facility's current
// appointments than its settings allow.
type FeedMassCancellation struct {
	Result  FeedResult // what it would change
	Current int64      // the appointments that it could cancel
}

// Error contains no counts.
func (c *FeedMassCancellation) Error() string { return "the feed cancels too much" }

// Unwrap returns an *Error with the code.
func (c *FeedMassCancellation) Unwrap() error { return refuse(MassCancellation, "") }

// FeedRecordsMismatch is the error for a feed whose number of records differs from the stated one.
type FeedRecordsMismatch struct{ Said, Came int64 }

// Error contains no counts.
func (c *FeedRecordsMismatch) Error() string { return "the feed is not whole" }

// Unwrap returns an *Error with the code.
func (c *FeedRecordsMismatch) Unwrap() error { return refuse(RecordsMismatch, "records") }

// Limits of staging and applying a feed. While a feed is staged, no transaction is open for longer than
// one chunk takes: an open transaction delays the event stream.
const (
	feedChunkRecords = 10_000
	feedChunkBytes   = 4 << 20 // bytes of text in memory per chunk

	feedStatementTimeout = 5 * time.Minute
	feedLockTimeout      = 10 * time.Second // to wait for another feed of the facility
	feedWorkMemory       = "64MB"
	dropTimeout          = 10 * time.Second
)

// SyncFeed replaces a facility's appointments by those of the feed, as a whole or not at all. It
// neither changes nor reveals patients who do not allow the facility to see them. It returns NotFound
// if the viewer does not see the facility, ValidationFailed for an as_of ahead of the database's clock,
// a *FeedRefusal for invalid records, and other errors of f.Records unchanged. What became of the feed is recorded:
// see ListFeedReports.
func (s *Store) SyncFeed(ctx context.Context, v Viewer, f Feed) (FeedResult, error) {
	if err := v.mayWrite(); err != nil {
		return FeedResult{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return FeedResult{}, err
	}
	var staged *int64 // nil until all records have come
	result, err := s.syncFeed(ctx, v, f, id, &staged)
	if (err != nil || result.Superseded) && !f.Rehearsal {
		err = errors.Join(err, s.reportFeed(ctx, v, f, id, staged, err))
	}
	return result, err
}

// syncFeed stages and applies the feed. It sets read when all of its records have come, to their number.
func (s *Store) syncFeed(ctx context.Context, v Viewer, f Feed, id uuid.UUID, read **int64) (FeedResult, error) {
	if err := s.checkFeed(ctx, v, f); err != nil {
		return FeedResult{}, err
	}
	if _, err := s.as(v).SweepFeedRecords(ctx, v.TenantID); err != nil {
		return FeedResult{}, err
	}
	staged, faults, err := s.stageFeed(ctx, v, id, f.Records)
	if err == nil && len(faults) > 0 {
		err = s.refuseFaulty(ctx, v, id, faults)
	} else if err == nil {
		*read = &staged
		err = f.checkCount(staged)
	}
	var result FeedResult
	if err == nil {
		result, err = s.applyFeed(ctx, v, f, id, staged)
	}
	if err != nil || result.Superseded || f.Rehearsal {
		err = errors.Join(err, s.dropFeed(ctx, v, id))
	}
	return result, err
}

// checkFeed rejects a feed that could not advance the watermark, whatever it contains.
func (s *Store) checkFeed(ctx context.Context, v Viewer, f Feed) error {
	check, err := s.q.CheckFeed(ctx,
		CheckFeedParams{TenantID: v.TenantID, FacilityID: f.FacilityID, ViewerID: v.UserID, AsOf: f.AsOf})
	switch {
	case err != nil:
		return err
	case !check.SeesFacility:
		return refuse(NotFound, "")
	case !check.InTime:
		return refuse(ValidationFailed, "as_of")
	}
	return nil
}

// checkCount rejects a list of an unexpected length.
func (f Feed) checkCount(staged int64) error {
	switch {
	case f.Count != nil && *f.Count != staged:
		return &FeedRecordsMismatch{*f.Count, staged}
	case staged == 0 && !f.AllowEmpty:
		return refuse(EmptyFeed, "")
	}
	return nil
}

// dropFeed deletes the staged records, also after the caller has disconnected.
func (s *Store) dropFeed(ctx context.Context, v Viewer, id uuid.UUID) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropTimeout)
	defer cancel()
	_, err := s.as(v.asSystem()).DropFeedRecords(ctx, DropFeedRecordsParams{TenantID: v.TenantID, FeedID: id})
	return err
}

// stageFeed stages the records, some thousands at a time, and counts them. Invalid ones leave a gap in the positions;
// after MaxFeedFaults of them, no more records are read.
func (s *Store) stageFeed(
	ctx context.Context, v Viewer, id uuid.UUID, records iter.Seq2[FeedRecord, error],
) (staged int64, faults []FeedFault, err error) {
	chunk, bytes := StageFeedChunkParams{TenantID: v.TenantID, FeedID: id}, 0
	flush := func() error {
		n := len(chunk.ExternalIds)
		if n > 0 {
			if _, err := s.as(v).StageFeedChunk(ctx, chunk); err != nil {
				return err
			}
		}
		staged += int64(n)
		chunk.empty()
		chunk.FirstPosition, bytes = int32(staged)+int32(len(faults)), 0
		return nil
	}
	for r, err := range records {
		if fault, ok := errors.AsType[*FeedFault](err); ok {
			faults = append(faults, *fault)
			if fault.Last || len(faults) == MaxFeedFaults {
				return staged, faults, nil
			}
			if err := flush(); err != nil {
				return staged, faults, err
			}
			continue
		}
		if err != nil {
			return staged, faults, err
		}
		bytes += chunk.add(r)
		if len(chunk.ExternalIds) == feedChunkRecords || bytes >= feedChunkBytes {
			if err := flush(); err != nil {
				return staged, faults, err
			}
		}
	}
	return staged, faults, flush()
}

// add appends a record to the chunk, and returns the size of its text.
func (c *StageFeedChunkParams) add(r FeedRecord) (bytes int) {
	c.ExternalIds = append(c.ExternalIds, r.ExternalID)
	c.PatientExternalIds = append(c.PatientExternalIds, r.PatientExternalID)
	c.NewPatientIds = append(c.NewPatientIds, feedPatientID(c.FeedID, r.PatientExternalID))
	c.GivenNames = append(c.GivenNames, r.GivenName)
	c.FamilyNames = append(c.FamilyNames, r.FamilyName)
	c.BirthDates = append(c.BirthDates, r.BirthDate)
	c.Phones = append(c.Phones, r.Phone)
	c.StartsAt = append(c.StartsAt, r.StartsAt)
	c.EndsAt = append(c.EndsAt, r.EndsAt)
	c.Statuses = append(c.Statuses, string(r.Status))
	return len(r.ExternalID) + len(r.PatientExternalID) + len(r.GivenName) + len(r.FamilyName) + len(r.Phone)
}

// empty removes the records and keeps the memory.
func (c *StageFeedChunkParams) empty() {
	*c = StageFeedChunkParams{
		TenantID: c.TenantID, FeedID: c.FeedID, ExternalIds: c.ExternalIds[:0],
		PatientExternalIds: c.PatientExternalIds[:0],
		NewPatientIds:      c.NewPatientIds[:0], GivenNames: c.GivenNames[:0],
		FamilyNames: c.FamilyNames[:0], BirthDates: c.BirthDates[:0],
		Phones: c.Phones[:0], StartsAt: c.StartsAt[:0], EndsAt: c.EndsAt[:0], Statuses: c.Statuses[:0],
	}
}

// feedPatientID returns the id for a new patient of a feed, derived from the feed and the external id,
// so that it is the same in all records without a map of a million entries. It is a UUID of version 7
// with the time of the feed.
func feedPatientID(feed uuid.UUID, externalID string) uuid.UUID {
	sum := sha256.Sum256(append(feed[:], externalID...))
	id := feed
	copy(id[6:], sum[:])
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}

// applyFeed applies a feed in one transaction. It retries after a conflict with a concurrent create of
// a patient in the feed: the patient exists by then.
func (s *Store) applyFeed(
	ctx context.Context, v Viewer, f Feed, id uuid.UUID, staged int64,
) (result FeedResult, err error) {
	err = retryWrite(ctx, func(int) (err error) {
		result, err = s.tryFeed(ctx, v, f, id, staged)
		if violates(err, "patients_external_id_key") { // and rolled back
			return errRetry
		}
		return err
	})
	return result, err
}

func (s *Store) tryFeed(
	ctx context.Context, v Viewer, f Feed, id uuid.UUID, staged int64,
) (result FeedResult, err error) {
	conn, err := s.conns.conn(ctx)
	if err != nil {
		return FeedResult{}, err
	}
	defer conn.Release()
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		result, err = New(tx).applyFeed(ctx, v, f, id, staged)
		if err == nil && !result.Superseded && result.records() != staged {
			// The database crashed meanwhile, which empties unlogged tables: missing records would be
			// canceled.
			err = refuse(Overloaded, "")
		}
		if err == nil {
			err = New(tx).confirmFeed(ctx, v, f.FacilityID)
		}
		if err == nil && f.Rehearsal {
			err = errRehearsed
		}
		return err
	})
	if err == errRehearsed { // rolled back
		err = nil
	}
	if err = conn.outcome(err); err != nil || !result.Superseded {
		return result, err
	}
	if err := s.checkFeed(ctx, v, f); err != nil { // why the watermark did not advance
		return result, err
	}
	return result, s.replicated(ctx)
}

// errRehearsed rolls back a rehearsal that succeeded.
var errRehearsed = errors.New("rehearsed")

// records returns the number of records that the counts cover.
func (r FeedResult) records() int64 {
	return r.Created + r.Updated + r.Unchanged + r.NotApplied.ConsentWithdrawn
}

// applyFeed runs inside the transaction: it advances the watermark, and then, on a newer snapshot,
// applies the difference. Earlier tests hold no lock.
func (q *Queries) applyFeed(ctx context.Context, v Viewer, f Feed, id uuid.UUID, staged int64) (FeedResult, error) {
	if err := q.beginFeed(ctx, v); err != nil {
		return FeedResult{}, err
	}
	if faults, err := q.contradictions(ctx, v, id); err != nil || len(faults) > 0 {
		return FeedResult{}, cmp.Or(err, error(&FeedRefusal{faults}))
	}
	moved, err := q.MoveFeed(ctx,
		MoveFeedParams{TenantID: v.TenantID, FacilityID: f.FacilityID, AsOf: f.AsOf, ViewerID: v.UserID})
	if err != nil || moved == 0 {
		return FeedResult{Superseded: err == nil}, err
	}
	done, err := New(replanning{q.db}).SyncAppointments(ctx, SyncAppointmentsParams{
		TenantID: v.TenantID, FacilityID: f.FacilityID, AsOf: f.AsOf, ViewerID: v.UserID, FeedID: id,
	})
	if err == nil && !done.Current { // the facility was hidden from the viewer meanwhile
		err = refuse(NotFound, "")
	}
	if err != nil {
		return FeedResult{}, err
	}
	result := FeedResult{
		Created: done.Created, Updated: done.Updated, Unchanged: done.Unchanged, Canceled: done.Canceled,
		NotApplied: NotApplied{ConsentWithdrawn: done.ConsentWithdrawn},
	}
	if done.CancelsTooMany && !f.AllowMassCancel && !(f.AllowEmpty && result.records() == 0) {
		return FeedResult{}, &FeedMassCancellation{result, done.CurrentAppointments} // rolls back
	}
	report := f.report(v, id, FeedOutcomeAPPLIED, result)
	report.Records = &staged
	if _, err := q.CreateFeedReport(ctx, report); err != nil {
		return FeedResult{}, err
	}
	if _, err := q.SweepFeedReports(ctx,
		SweepFeedReportsParams{TenantID: v.TenantID, FacilityID: f.FacilityID}); err != nil {
		return FeedResult{}, err
	}
	_, err = q.DropFeedRecords(ctx, DropFeedRecordsParams{TenantID: v.TenantID, FeedID: id})
	return result, err
}

// beginFeed sets the viewer and the limits of a transaction.
func (q *Queries) beginFeed(ctx context.Context, v Viewer) error {
	if err := q.SetViewer(ctx, SetViewerParams{TenantID: v.TenantID, ViewerID: v.UserID}); err != nil {
		return err
	}
	return q.SetFeedLimits(ctx, SetFeedLimitsParams{
		StatementTimeout: milliseconds(feedStatementTimeout),
		LockTimeout:      milliseconds(feedLockTimeout), WorkMem: feedWorkMemory,
	})
}

// confirmFeed runs a feed's last statements: its session was checked long ago.
func (q *Queries) confirmFeed(ctx context.Context, v Viewer, facility uuid.UUID) error {
	if c := confirmationOf(v); len(c.sessions.TokenHashes) > 0 {
		if err := q.ConfirmSessions(ctx, c.sessions); err != nil {
			return err
		}
	}
	return q.ConfirmFacility(ctx, ConfirmFacilityParams{TenantID: v.TenantID, FacilityID: facility, ViewerID: v.UserID})
}
