package api

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"waybill/db"
)

func (a *server) registerPatientFacilities() {
	const path = "/v1/patients/{patient_id}/facilities/{facility_id}"
	register(a, operation{
		id: "allow-facility", method: http.MethodPut, path: path, tag: "patients", status: http.StatusNoContent,
		summary: "Record that a patient allows a facility to see them",
		about: "By who sees the patient. Its members see them from their next request on. Once more, it changes nothing. " +
			"See list-patient-consents.",
		roles: whoCares, missing: []db.Code{db.NotFound, db.FacilityNotFound},
	}, a.allowFacility)
	register(a, operation{
		id: "disallow-facility", method: http.MethodDelete, path: path, tag: "patients", status: http.StatusNoContent,
		summary: "Record that a patient does not allow a facility to see them any more",
		about:   "By who sees the patient. Effective on the next request of its members, be it your own. See list-patient-consents.",
		roles:   whoCares, missing: []db.Code{db.NotFound, db.FacilityNotFound},
	}, a.disallowFacility)
	register(a, operation{
		id: "list-patient-consents", method: http.MethodGet, path: "/v1/patients/{patient_id}/consents", tag: "patients",
		summary: "List what a patient allowed",
		about:   "Newest first: which facility, when, and who wrote it down; nothing of the patient, who may be any of the tenant.",
		roles:   admin, codes: []db.Code{db.NotFound},
	}, a.listPatientConsents)
}

type patientFacilityPath struct {
	PatientPath
	FacilityPath
}

func (a *server) allowFacility(ctx context.Context, v db.Viewer, in *patientFacilityPath) (*struct{}, error) {
	n, err := a.store.As(v).AllowFacility(ctx, db.AllowFacilityParams{
		TenantID: v.TenantID, PatientID: in.PatientID, FacilityID: in.FacilityID, ViewerID: v.UserID,
	})
	if err != nil || n > 0 {
		return nil, err
	}
	return nil, a.mustSee(ctx, v, in.PatientID) // who had been allowed already
}

func (a *server) disallowFacility(ctx context.Context, v db.Viewer, in *patientFacilityPath) (*struct{}, error) {
	n, err := a.store.As(v).DisallowFacility(ctx, db.DisallowFacilityParams{
		TenantID: v.TenantID, PatientID: in.PatientID, FacilityID: in.FacilityID, ViewerID: v.UserID,
	})
	if err != nil || n > 0 {
		return nil, err
	}
	if err := a.mustSee(ctx, v, in.PatientID); err != nil {
		return nil, err
	}
	return nil, problem(db.FacilityNotFound, "", "The patient has allowed no such facility.")
}

type listOfPatientInput struct {
	PatientPath
	Keyset
}

func (a *server) listPatientConsents(ctx context.Context, v db.Viewer, in *listOfPatientInput) (*ListOf[db.PatientConsent], error) {
	if err := a.mustExist(ctx, v, in.PatientID); err != nil {
		return nil, err
	}
	rows, err := a.store.ListConsents(ctx, db.ListConsentsParams{
		TenantID: v.TenantID, PatientID: in.PatientID, BeforeCreatedAt: in.before, BeforeID: in.beforeID, MaxRows: in.more(),
	})
	if err != nil {
		return nil, err
	}
	return pageOf(in.Limit, rows, func(c db.PatientConsent) string { return in.after(c.CreatedAt, c.ID) }), nil
}

// mustExist answers NotFound unless there is such a patient, whoever sees them.
func (a *server) mustExist(ctx context.Context, v db.Viewer, patientID uuid.UUID) error {
	exists, err := a.store.PatientExists(ctx, db.PatientExistsParams{TenantID: v.TenantID, ID: patientID})
	if err == nil && !exists {
		return problem(db.NotFound, "", "")
	}
	return err
}
