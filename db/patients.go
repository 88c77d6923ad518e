package db

import (
	"cmp"
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// CreatePatient creates the patient of p, whose tenant and viewer are v's. replayed says that an earlier
// attempt of the same request did. It returns FacilityNotFound if v does not see the facility,
// ExternalIDTaken, or IDReused. IDReused is also returned for the id of a patient whom v does not see, and
// reveals nothing else about them.
func (s *Store) CreatePatient(
	ctx context.Context, v Viewer, p CreatePatientParams,
) (patient Patient, replayed bool, err error) {
	p.TenantID, p.ViewerID = v.TenantID, v.UserID
	q, err := s.writing(v, p.ID)
	if err != nil {
		return Patient{}, false, err
	}
	err = retryWrite(ctx, func(int) error {
		made, err := q.CreatePatient(ctx, p)
		if err == nil {
			patient = made.Patient
			return nil
		}
		none := errors.Is(err, pgx.ErrNoRows) || notSeen(err)
		if !none && !violates(err, "patients_external_id_key") && !violates(err, "patients_pkey") {
			return Explain(err)
		}
		earlier, unknown := s.as(v).GetPatient(ctx, GetPatientParams{
			TenantID: v.TenantID, ID: p.ID, ViewerID: v.UserID, RequestDigest: p.RequestDigest,
			Operation: "create-patient",
		})
		switch {
		case unknown == nil:
			patient, replayed = earlier.Patient, true
			return s.replicated(ctx)
		case !errors.Is(unknown, pgx.ErrNoRows):
			return Explain(unknown)
		case !none:
			return Explain(err)
		}
		return s.explainCreatePatient(ctx, v, p)
	})
	return patient, replayed, err
}

// explainCreatePatient returns why no patient was created, by a fresh read.
func (s *Store) explainCreatePatient(ctx context.Context, v Viewer, p CreatePatientParams) error {
	seen, err := s.q.SeesFacility(ctx,
		SeesFacilityParams{TenantID: v.TenantID, FacilityID: p.FacilityID, ViewerID: v.UserID})
	switch {
	case err != nil:
		return Explain(err)
	case !seen:
		return refuse(FacilityNotFound, "facility_id")
	}
	taken, err := s.q.PatientExists(ctx, PatientExistsParams{TenantID: v.TenantID, ID: p.ID})
	switch {
	case err != nil:
		return Explain(err)
	case taken:
		return refuse(IDReused, "id")
	}
	return errRetry
}

// FindPatients finds patients that v sees by their names and other data, p.MaxRows of them. If p.Name has no word, it
// finds nobody. The caller gives at least one of them.
func (s *Store) FindPatients(ctx context.Context, v Viewer, p FindPatientsParams) (Found[Patient], error) {
	p.MaxLooks = maxPatientLooks
	return s.findPatients(ctx, v, p)
}

func (s *Store) findPatients(ctx context.Context, v Viewer, p FindPatientsParams) (found Found[Patient], _ error) {
	p.TenantID, p.ViewerID = v.TenantID, v.UserID
	rows, err := s.as(v).FindPatients(ctx, p)
	found.Rows = make([]Patient, 0, len(rows))
	for _, r := range rows {
		if *r.ID != uuid.Nil { // otherwise nobody is on this page
			found.Rows = append(found.Rows, r.patient())
		}
		if *r.NextID != uuid.Nil {
			found.Next = &FoundPlace{*r.NextTerm, *r.NextID}
		}
	}
	return found, err
}

// patient returns the patient of a row. Its columns are never NULL, which sqlc cannot know.
func (r FindPatientsRow) patient() Patient {
	return Patient{
		TenantID: *r.TenantID, ID: *r.ID, FacilityID: *r.FacilityID, ExternalID: r.ExternalID,
		GivenName: *r.GivenName, FamilyName: *r.FamilyName, BirthDate: *r.BirthDate, Phone: r.Phone,
		Version: *r.Version, RequestDigest: r.RequestDigest, CreatedAt: *r.CreatedAt,
		AllowedFacilities: r.AllowedFacilities, Consents: *r.Consents,
	}
}

// EditPatient edits the patient of p, whose tenant and viewer are v's. It returns NotFound, StaleVersion,
// ExternalIDTaken, or Forbidden if the external id belongs to a facility that v does not see, or that the
// patient does not allow to see them.
func (s *Store) EditPatient(ctx context.Context, v Viewer, p EditPatientParams) (Patient, error) {
	p.TenantID, p.ViewerID = v.TenantID, v.UserID
	q, err := s.writing(v, p.ID)
	if err != nil {
		return Patient{}, err
	}
	edited, err := q.EditPatient(ctx, p)
	if err == nil {
		return edited.Patient, nil
	}
	if !errors.Is(err, pgx.ErrNoRows) && !notSeen(err) {
		return Patient{}, Explain(err)
	}
	now, err := s.as(v).
		ExplainEditPatient(ctx, ExplainEditPatientParams{TenantID: v.TenantID, ID: p.ID, ViewerID: v.UserID})
	switch {
	case err != nil:
		return Patient{}, Explain(err)
	case now.Version == p.Version && p.SetExternalID && !now.MaySetExternalID:
		return Patient{}, refuse(Forbidden, "external_id")
	}
	return Patient{}, cmp.Or(s.replicated(ctx), error(stale(now.Version))) // perhaps the caller's own edit
}
