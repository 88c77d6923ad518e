package api

import (
	"context"
	"encoding/binary"
	"math"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"waybill/db"
)

func (a *server) registerPatientFacilities() {
	const path = "/v1/patients/{patient_id}/facilities/{facility_id}"
	register(a, operation{
		id: "allow-patient-facility", method: http.MethodPut, path: path, tag: "patients", status: http.StatusNoContent,
		summary: "Record a patient's consent that a facility sees them",
		about: "Requires that you see the patient. Takes effect on the next request of the facility's users. " +
			"Repeating it has no effect. See list-patient-consents.",
		roles: patientRoles, asNotFound: []db.Code{db.NotFound, db.FacilityNotFound},
	}, a.allowFacility)
	register(a, operation{
		id: "disallow-patient-facility", method: http.MethodDelete, path: path,
		tag: "patients", status: http.StatusNoContent,
		summary: "Record that a patient withdraws a facility's consent",
		about: "Requires that you see the patient. Takes effect on the next request of the facility's users, " +
			"including your own, and on the next list of its appointments: see sync-appointments. A facility " +
			"that was never allowed can be denied too. Repeating it has no effect. The last facility that sees " +
			"the patient cannot be removed: last_facility. See list-patient-consents.",
		roles: patientRoles, asNotFound: []db.Code{db.NotFound, db.FacilityNotFound}, codes: []db.Code{db.LastFacility},
	}, a.disallowFacility)
	register(a, operation{
		id: "list-patient-consents", method: http.MethodGet,
		path: "/v1/patients/{patient_id}/consents", tag: "patients",
		summary: "List the consents of a patient",
		about: "Newest first, in the order in which they took effect: the facility, the time, and the user who " +
			"recorded it; no patient data. Works for every patient of the tenant. The newest consent of each " +
			"facility applies.",
		roles: admin, codes: []db.Code{db.NotFound},
	}, a.listPatientConsents)
}

type patientFacilityPath struct {
	PatientPath
	FacilityPath
}

func (a *server) allowFacility(ctx context.Context, v db.Viewer, in *patientFacilityPath) (*struct{}, error) {
	return nil, a.store.AllowFacility(ctx, v,
		db.AllowFacilityParams{PatientID: in.PatientID, FacilityID: in.FacilityID})
}

func (a *server) disallowFacility(ctx context.Context, v db.Viewer, in *patientFacilityPath) (*struct{}, error) {
	return nil, a.store.DisallowFacility(ctx, v,
		db.DisallowFacilityParams{PatientID: in.PatientID, FacilityID: in.FacilityID})
}

// BySeq paginates the consents of a patient, newest first.
type BySeq struct {
	Paging

	before int64
}

// Resolve implements huma.Resolver.
func (p *BySeq) Resolve(ctx huma.Context) []error {
	p.before = math.MaxInt64
	place, err := p.open(ctx)
	switch {
	case err != nil || place == "":
		return asErrors(err)
	case len(place) != 8 || place[0] >= 0x80:
		return []error{badCursor()}
	}
	p.before = int64(binary.BigEndian.Uint64([]byte(place)))
	return nil
}

type listConsentsInput struct {
	PatientPath
	BySeq
}

func (a *server) listPatientConsents(
	ctx context.Context, v db.Viewer, in *listConsentsInput,
) (*ListOf[db.PatientConsent], error) {
	if err := a.mustExist(ctx, v, in.PatientID); err != nil {
		return nil, err
	}
	rows, err := a.store.ListConsents(ctx, db.ListConsentsParams{
		TenantID: v.TenantID, PatientID: in.PatientID, BeforeSeq: in.before, MaxRows: in.more(),
	})
	if err != nil {
		return nil, err
	}
	return pageOf(in.Limit, rows, func(c db.PatientConsent) string {
		return in.cursor(string(binary.BigEndian.AppendUint64(nil, uint64(c.Seq))))
	}), nil
}

// mustExist returns NotFound unless the patient exists, whether or not the viewer sees them.
func (a *server) mustExist(ctx context.Context, v db.Viewer, patientID uuid.UUID) error {
	exists, err := a.store.PatientExists(ctx, db.PatientExistsParams{TenantID: v.TenantID, ID: patientID})
	if err == nil && !exists {
		return problem(db.NotFound, "", "")
	}
	return err
}
