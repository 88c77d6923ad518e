package db

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"
)

// feedFields are the members of a record that a report may name. A member that the document does not have has a name
// of the sender's, which may be anything.
var feedFields = []string{"external_id", "patient", "patient.external_id", "patient.given_name", "patient.family_name",
	"patient.birth_date", "patient.phone", "starts_at", "ends_at", "status", "as_of", "records"}

// report returns the report of a feed that changed what result counts.
func (f Feed) report(v Viewer, id uuid.UUID, outcome FeedOutcome, result FeedResult) CreateFeedReportParams {
	return CreateFeedReportParams{
		TenantID: v.TenantID, ID: id, FacilityID: f.FacilityID, ViewerID: v.UserID, AsOf: f.AsOf, Outcome: outcome,
		Created: result.Created, Updated: result.Updated, Unchanged: result.Unchanged, Canceled: result.Canceled,
		ConsentWithdrawn: result.NotApplied.ConsentWithdrawn,
		ErrorRecords:     []int32{}, ErrorFields: []string{}, ErrorCodes: []string{},
	}
}

// reportFeed records a feed that changed nothing, also after the caller has disconnected: superseded, or refused with
// err. Other errors are not about the list.
func (s *Store) reportFeed(ctx context.Context, v Viewer, f Feed, id uuid.UUID, staged *int64, err error) error {
	r := f.report(v, id, FeedOutcomeSUPERSEDED, FeedResult{})
	r.Records = staged
	if err != nil && !r.refuse(err) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropTimeout)
	defer cancel()
	q := s.as(v.asSystem())
	if _, err := q.CreateFeedReport(ctx, r); err != nil {
		return err
	}
	_, err = q.SweepFeedReports(ctx, SweepFeedReportsParams{TenantID: v.TenantID, FacilityID: f.FacilityID})
	return err
}

// refuse adds why the list was refused. It reports false for an error that is not about the list.
func (r *CreateFeedReportParams) refuse(err error) bool {
	faulty, isFaulty := errors.AsType[*FeedRefusal](err)
	mass, isMass := errors.AsType[*FeedMassCancellation](err)
	code := Explain(err).Code
	switch {
	case isFaulty:
		for _, f := range faulty.Faults {
			r.addError(f.Record, f.Field, f.Code)
		}
	case isMass:
		r.Created, r.Updated, r.Unchanged = mass.Result.Created, mass.Result.Updated, mass.Result.Unchanged
		r.Canceled, r.ConsentWithdrawn = mass.Result.Canceled, mass.Result.NotApplied.ConsentWithdrawn
		r.CurrentAppointments = &mass.Current
	case code != EmptyFeed && code != RecordsMismatch && code != ValidationFailed:
		return false
	}
	r.Outcome, r.Code = FeedOutcomeREFUSED, (*string)(&code)
	return true
}

// addError adds an error, without a name that is the sender's. What is wrong with the list as a whole is its code.
func (r *CreateFeedReportParams) addError(record int, field string, code Code) {
	if record < 0 {
		return
	}
	if !slices.Contains(feedFields, field) {
		field = ""
	}
	r.ErrorRecords = append(r.ErrorRecords, int32(record))
	r.ErrorFields = append(r.ErrorFields, field)
	r.ErrorCodes = append(r.ErrorCodes, string(code))
}
