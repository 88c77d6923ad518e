package api

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"waybill/db"
)

func (a *server) registerFeedReports() {
	register(a, operation{
		id: "list-feeds", method: http.MethodGet, path: "/v1/facilities/{facility_id}/feeds", tag: "appointments",
		summary: "List the last lists of a facility's appointments",
		about: "What became of the lists that sync-appointments has received: who sent each, when, what it changed, " +
			"and why it was refused. Errors are told by the position of the record, the member and the code, without " +
			"any value of the list. Of a list that was refused for mass_cancellation, the counts are what it " +
			"would have " +
			"changed. Lists that were refused for the caller's permissions, or by a busy server, and " +
			"dry runs are not among them. The last hundred lists of a facility are kept.",
		roles: patientRoles, codes: []db.Code{db.NotFound},
	}, a.listFeeds)
}

// Feed is what became of a list of a facility's appointments.
type Feed struct {
	ID        uuid.UUID      `json:"id" format:"uuid" doc:"Made by the server for each list"`
	ActorID   uuid.UUID      `json:"actor_id" format:"uuid"`
	AsOf      time.Time      `json:"as_of"`
	CreatedAt time.Time      `json:"created_at" doc:"When it was applied, superseded or refused"`
	Outcome   db.FeedOutcome `json:"outcome"`
	Code      errorCode      `json:"code,omitempty" doc:"Why it was refused; absent unless it was"`
	Errors    []FeedError    `json:"errors" maxItems:"100" doc:"The invalid records, the first 100 of them"`
	Records   *int64         `json:"records,omitempty" minimum:"0" doc:"How many records came, if all were read"`

	// Of mass_cancellation, the counts are what the list would have changed.
	Created    int64      `json:"created" minimum:"0"`
	Updated    int64      `json:"updated" minimum:"0"`
	Unchanged  int64      `json:"unchanged" minimum:"0"`
	Canceled   int64      `json:"canceled" minimum:"0"`
	Superseded bool       `json:"superseded" doc:"True: a newer list, or this one, came before"`
	NotApplied NotApplied `json:"not_applied" doc:"Records that are in no other count, by the reason"`

	CurrentAppointments *int64 `json:"current_appointments,omitempty" minimum:"0"`
}

// FeedError is an invalid record of a list.
type FeedError struct {
	Record int       `json:"record" minimum:"0" maximum:"1000000" doc:"The position of the record, from 0"`
	Field  string    `json:"field,omitempty" doc:"The member, if sync-appointments knows it" example:"patient.birth_date"`
	Code   errorCode `json:"code" doc:"What is wrong with it" example:"validation_failed"`
}

type listFeedsInput struct {
	FacilityPath
	Keyset
}

func (a *server) listFeeds(ctx context.Context, v db.Viewer, in *listFeedsInput) (*ListOf[Feed], error) {
	if _, err := a.store.GetFacility(ctx, db.GetFacilityParams{
		TenantID: v.TenantID, ID: in.FacilityID, ViewerID: v.UserID, ViewerRole: v.Role, ViewerDriverID: v.DriverID,
	}); err != nil {
		return nil, err
	}
	rows, err := a.store.ListFeedReports(ctx, db.ListFeedReportsParams{
		TenantID: v.TenantID, FacilityID: in.FacilityID, ViewerID: v.UserID, ViewerRole: v.Role,
		BeforeCreatedAt: in.before, BeforeID: in.beforeID, MaxRows: in.more(),
	})
	if err != nil {
		return nil, err
	}
	feeds := make([]Feed, len(rows))
	for i, r := range rows {
		feeds[i] = feedOf(r)
	}
	return pageOf(in.Limit, feeds, func(f Feed) string { return in.after(f.CreatedAt, f.ID) }), nil
}

func feedOf(r db.FeedReport) Feed {
	f := Feed{
		ID: r.ID, ActorID: r.ActorID, AsOf: r.AsOf, CreatedAt: r.CreatedAt, Outcome: r.Outcome, Records: r.Records,
		Errors: make([]FeedError, len(r.ErrorRecords)), Created: r.Created, Updated: r.Updated, Unchanged: r.Unchanged,
		Canceled: r.Canceled, Superseded: r.Outcome == db.FeedOutcomeSUPERSEDED,
		NotApplied: NotApplied{ConsentWithdrawn: r.ConsentWithdrawn}, CurrentAppointments: r.CurrentAppointments,
	}
	if r.Code != nil {
		f.Code = errorCode(*r.Code)
	}
	for i, record := range r.ErrorRecords {
		f.Errors[i] = FeedError{int(record), r.ErrorFields[i], errorCode(r.ErrorCodes[i])}
	}
	return f
}
