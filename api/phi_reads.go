package api

import (
	"context"
	"net/http"

	"waybill/db"
)

func (a *server) registerPHIReads() {
	register(a, operation{
		id: "list-patient-reads", method: http.MethodGet, path: "/v1/patients/{patient_id}/reads", tag: "patients",
		summary: "List who read a patient",
		about: "Newest first: who, when and by which operation, sync-appointments among them where it wrote of the " +
			"patient; nothing of the patient, who may be any of the tenant.",
		roles: admin, codes: []db.Code{db.NotFound},
	}, a.listPatientReads)
}

type listOfPatientInput struct {
	PatientPath
	Keyset
}

func (a *server) listPatientReads(
	ctx context.Context, v db.Viewer, in *listOfPatientInput,
) (*ListOf[db.PhiRead], error) {
	if err := a.mustExist(ctx, v, in.PatientID); err != nil {
		return nil, err
	}
	rows, err := a.store.ListPatientReads(ctx, db.ListPatientReadsParams{
		TenantID: v.TenantID, PatientID: in.PatientID, BeforeCreatedAt: in.before,
		BeforeID: in.beforeID, MaxRows: in.more(),
	})
	if err != nil {
		return nil, err
	}
	return pageOf(in.Limit, rows, func(r db.PhiRead) string { return in.after(r.CreatedAt, r.ID) }), nil
}
