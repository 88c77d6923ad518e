package db

import "context"

// AllowFacility records that a patient allows a facility to see them, by v, who sees the
// patient. It does nothing if they allow it already. It returns NotFound if v does not see
// the patient, or FacilityNotFound.
func (s *Store) AllowFacility(ctx context.Context, v Viewer, p AllowFacilityParams) error {
	p.TenantID, p.ViewerID = v.TenantID, v.UserID
	n, err := s.as(v).AllowFacility(ctx, p)
	return s.consented(ctx, n, err, SeesPatientParams{TenantID: v.TenantID, PatientID: p.PatientID, ViewerID: v.UserID})
}

// DisallowFacility records that a patient does not allow a facility to see them. It does
// nothing if they do not allow it already. It returns NotFound if v does not see the
// patient, FacilityNotFound, or LastFacility.
func (s *Store) DisallowFacility(ctx context.Context, v Viewer, p DisallowFacilityParams) error {
	p.TenantID, p.ViewerID = v.TenantID, v.UserID
	n, err := s.as(v).DisallowFacility(ctx, p)
	return s.consented(ctx, n, err, SeesPatientParams{TenantID: v.TenantID, PatientID: p.PatientID, ViewerID: v.UserID})
}

// consented returns the outcome of a consent that was written n times. If it was not written, it was already
// so, or the viewer does not see the patient: a fresh read distinguishes the two.
func (s *Store) consented(ctx context.Context, n int64, err error, by SeesPatientParams) error {
	if err != nil || n > 0 {
		return err
	}
	seen, err := s.q.SeesPatient(ctx, by)
	if err == nil && !seen {
		return refuse(NotFound, "")
	}
	return s.changed(ctx, n, err)
}
