package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"waybill/db"
)

func (a *server) registerPHIReads() {
	register(a, operation{
		id: "list-patient-reads", method: http.MethodGet, path: "/v1/patients/{patient_id}/reads", tag: "patients",
		summary: "List the audit log of a patient",
		about: "Newest first: the user, the time and the operation, including sync-appointments when it wrote " +
			"the patient; no patient data. Works for every patient of the tenant. With from and to, the reads in " +
			"the range.",
		roles: admin, codes: []db.Code{db.NotFound},
	}, a.listPatientReads)
	register(a, operation{
		id: "list-user-reads", method: http.MethodGet, path: "/v1/patient-reads", tag: "patients",
		summary: "List what a user read",
		about: "Newest first: each operation of the user that showed or wrote patients, with their ids; no patient " +
			"data. With from and to, those in the range.",
		roles: admin,
	}, a.listReads)
}

type listReadsInput struct {
	Keyset
	TimeRange
	UserID uuid.UUID `query:"user_id" format:"uuid" required:"true" doc:"The user who read"`
}

// Resolve implements huma.Resolver.
func (in *listReadsInput) Resolve(ctx huma.Context) []error {
	return append(in.Keyset.Resolve(ctx), in.check()...)
}

func (a *server) listReads(ctx context.Context, v db.Viewer, in *listReadsInput) (*ListOf[db.PatientRead], error) {
	rows, err := a.store.ListReads(ctx, db.ListReadsParams{
		TenantID: v.TenantID, UserID: in.UserID, FromTime: sentTime(in.From), ToTime: sentTime(in.To),
		BeforeCreatedAt: in.before, BeforeID: in.beforeID, MaxRows: in.more(),
	})
	if err != nil {
		return nil, err
	}
	return pageOf(in.Limit, rows, func(r db.PatientRead) string { return in.after(r.CreatedAt, r.ID) }), nil
}

type listPatientReadsInput struct {
	PatientPath
	Keyset
	TimeRange
	UserID uuid.UUID `query:"user_id" format:"uuid" doc:"Only what this user read"`
}

// Resolve implements huma.Resolver.
func (in *listPatientReadsInput) Resolve(ctx huma.Context) []error {
	return append(in.Keyset.Resolve(ctx), in.check()...)
}

func (a *server) listPatientReads(
	ctx context.Context, v db.Viewer, in *listPatientReadsInput,
) (*ListOf[db.PhiRead], error) {
	if err := a.mustExist(ctx, v, in.PatientID); err != nil {
		return nil, err
	}
	rows, err := a.store.ListPatientReads(ctx, db.ListPatientReadsParams{
		TenantID: v.TenantID, PatientID: in.PatientID, UserID: given(in.UserID),
		FromTime: sentTime(in.From), ToTime: sentTime(in.To),
		BeforeCreatedAt: in.before, BeforeID: in.beforeID, MaxRows: in.more(),
	})
	if err != nil {
		return nil, err
	}
	return pageOf(in.Limit, rows, func(r db.PhiRead) string { return in.after(r.CreatedAt, r.ID) }), nil
}
