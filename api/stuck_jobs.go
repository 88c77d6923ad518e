package api

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"waybill/db"
)

func (a *server) registerStuckJobs() {
	register(a, operation{
		id: "list-stuck-jobs", method: http.MethodGet, path: "/v1/stuck-jobs", tag: "jobs",
		summary: "List the jobs that are stuck",
		about: "The background work of the tenant that does not get done, newest first: texts to send (send_text), " +
			"unless the gateway has refused them, which is a status of the text, and pickups to dispatch " +
			"(dispatch_pickup). A job is stuck when it has ended without success, or was tried three times and waits " +
			"for the next try.",
		roles: admin,
	}, a.listStuckJobs)
}

// StuckJob is a job that does not get done.
type StuckJob struct {
	ID          int64      `json:"id" minimum:"1" doc:"Id of the job, by which operators know it" example:"4711"`
	Kind        string     `json:"kind" doc:"What is to be done" example:"send_text"`
	PickupID    *uuid.UUID `json:"pickup_id" format:"uuid" nullable:"true" doc:"The pickup that it is for; null if there is none"`
	HasEnded    bool       `json:"has_ended" doc:"True: it is not tried again by itself"`
	Tries       int32      `json:"tries" minimum:"0" maximum:"2147483647" doc:"How often it was tried" example:"5"`
	LastError   string     `json:"last_error,omitempty" enum:"failed,canceled,panic" doc:"How the last try ended; absent if it waits for something, such as the gateway or a free driver"`
	CreatedAt   time.Time  `json:"created_at" doc:"When it was created"`
	AttemptedAt *time.Time `json:"attempted_at" nullable:"true" doc:"When it was tried last"`
	NextTryAt   *time.Time `json:"next_try_at" nullable:"true" doc:"When it is tried next; null if it will not be"`
}

func stuckJob(r db.ListStuckJobsRow) StuckJob {
	return StuckJob{ID: r.ID, Kind: r.Kind, PickupID: given(r.PickupID), HasEnded: r.HasEnded, Tries: r.Tries,
		LastError: r.LastError, CreatedAt: r.CreatedAt, AttemptedAt: r.AttemptedAt, NextTryAt: r.NextTryAt}
}

type listStuckJobsInput struct {
	Paging

	before int64
}

// Resolve implements huma.Resolver.
func (in *listStuckJobsInput) Resolve(ctx huma.Context) []error {
	place, err := in.open(ctx)
	if in.before = math.MaxInt64; err != nil || place == "" {
		return asErrors(err)
	}
	if in.before, err = strconv.ParseInt(place, 10, 64); err != nil {
		return []error{badCursor()}
	}
	return nil
}

func (a *server) listStuckJobs(ctx context.Context, v db.Viewer, in *listStuckJobsInput) (*ListOf[StuckJob], error) {
	rows, err := a.store.ListStuckJobs(ctx,
		db.ListStuckJobsParams{TenantID: v.TenantID, ViewerRole: v.Role, BeforeID: in.before, MaxRows: in.more()})
	if err != nil {
		return nil, err
	}
	jobs := make([]StuckJob, len(rows))
	for i, r := range rows {
		jobs[i] = stuckJob(r)
	}
	return pageOf(in.Limit, jobs, func(j StuckJob) string { return in.cursor(strconv.FormatInt(j.ID, 10)) }), nil
}
